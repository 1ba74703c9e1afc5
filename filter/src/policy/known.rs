//! Connections that had a request: the next one finds what was read and what the policy said.
//!
//! A connection is known by the bytes that the network filter handed over, in which everything is that its facts are
//! made of. So there is nothing to keep in step with the host, and nothing to forget when a connection ends; but there
//! is a bound.

use core::cell::{OnceCell, RefCell};
use std::{collections::HashMap, rc::Rc};

use super::Asked;
use crate::facts::ConnectionFacts;

/// How many connections are remembered; far more than a worker has busy ones.
const MAX_CONNECTIONS: usize = 1024;

/// The connections that a policy remembers.
#[derive(Debug, Default)]
pub(crate) struct Known(RefCell<HashMap<Vec<u8>, Rc<KnownConnection>>>);

/// A connection, as one policy knows it.
#[derive(Debug)]
pub(crate) struct KnownConnection {
    pub(crate) facts: Rc<ConnectionFacts>,
    /// What the policies in effect say to it, once they were asked; only if it alone says where it goes.
    pub(crate) asked: OnceCell<Asked>,
}

impl Known {
    /// The connection with these bytes, or what `read` makes of them; that is remembered, and an error is not.
    pub(crate) fn connection<E>(
        &self,
        bytes: Vec<u8>,
        read: impl FnOnce(&[u8]) -> Result<ConnectionFacts, E>,
    ) -> Result<Rc<KnownConnection>, E> {
        // Nothing that runs in between comes back here; if it did, it would be a connection of its own.
        if let Ok(known) = self.0.try_borrow()
            && let Some(connection) = known.get(&bytes)
        {
            return Ok(Rc::clone(connection));
        }
        let connection = Rc::new(KnownConnection {
            facts: Rc::new(read(&bytes)?),
            asked: OnceCell::new(),
        });
        if let Ok(mut known) = self.0.try_borrow_mut() {
            if known.len() >= MAX_CONNECTIONS {
                known.clear();
            }
            known.insert(bytes, Rc::clone(&connection));
        }
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use policy_core::{Protocol, Scope};

    use super::*;
    use crate::facts::ConnectionDestination;

    fn facts(port: u16) -> ConnectionFacts {
        ConnectionFacts {
            settings: 0,
            scope: Scope::Ingress,
            source: None,
            source_port: None,
            destination: ConnectionDestination::Authority,
            workload: None,
            transport: Protocol::Tcp,
            port: Some(port),
            claim: None,
            authenticated: false,
        }
    }

    #[test]
    fn a_connection_is_read_once_and_an_error_is_not_remembered() {
        let known = Known::default();
        assert!(known.connection(b"one".to_vec(), |_| Err(())).is_err());
        let reads = Cell::new(0);
        let read = |bytes: &[u8], port| {
            let read = |_: &[u8]| {
                reads.set(reads.get() + 1);
                Ok::<_, ()>(facts(port))
            };
            known.connection(bytes.to_vec(), read).expect("facts")
        };
        assert_eq!(read(b"one", 1).facts.port, Some(1), "it was an error before");
        assert_eq!(read(b"two", 2).facts.port, Some(2), "another connection");
        assert_eq!(read(b"one", 3).facts.port, Some(1), "the same one");
        assert_eq!(reads.get(), 2);
    }

    #[test]
    fn there_is_a_bound() {
        let known = Known::default();
        for number in 0..3 * MAX_CONNECTIONS {
            let bytes = number.to_be_bytes().to_vec();
            assert!(known.connection(bytes, |_| Ok::<_, ()>(facts(1))).is_ok());
            assert!(known.0.borrow().len() <= MAX_CONNECTIONS);
        }
    }
}

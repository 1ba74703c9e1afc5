//! Connections that had a request: the next one finds what was read and what the policy said.
//!
//! A connection is known by the bytes that the network filter handed over, in which everything is that its facts are
//! made of. So there is nothing to keep in step with the host, and nothing to forget when a connection ends; but there
//! is a bound.

use core::cell::{OnceCell, RefCell};
use std::rc::Rc;

use hashbrown::HashTable;

use super::Asked;
use crate::facts::ConnectionFacts;

/// How many connections are remembered; far more than a worker has busy ones.
const MAX_CONNECTIONS: usize = 1024;

/// The connections that a policy remembers.
#[derive(Debug, Default)]
pub(crate) struct Known(RefCell<HashTable<Rc<KnownConnection>>>);

/// A connection, as one policy knows it.
#[derive(Debug)]
pub(crate) struct KnownConnection {
    bytes: Vec<u8>,
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
        let hash = hash(&bytes);
        // Nothing that runs in between comes back here; if it did, it would be a connection of its own.
        if let Ok(known) = self.0.try_borrow()
            && let Some(connection) = known.find(hash, |connection| same(&connection.bytes, &bytes))
        {
            return Ok(Rc::clone(connection));
        }
        let connection = Rc::new(KnownConnection {
            facts: Rc::new(read(&bytes)?),
            bytes,
            asked: OnceCell::new(),
        });
        if let Ok(mut known) = self.0.try_borrow_mut() {
            if known.len() >= MAX_CONNECTIONS {
                known.clear();
            }
            known.insert_unique(hash, Rc::clone(&connection), |other| self::hash(&other.bytes));
        }
        Ok(connection)
    }
}

/// Words at a time: on WebAssembly, what the standard library has for bytes looks at one after the other, and this is
/// done for every request.
const WORD: usize = 8;

/// Peers have a say in some of the bytes. Whoever finds many with one hash makes as many comparisons as there are
/// connections at most, each of which ends at the first difference.
#[inline(always)]
fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<WORD>();
    let hash = words.iter().fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let hash = rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    // A table on a machine of 32 bits looks at the lower half alone.
    hash ^ hash >> 32
}

#[inline(always)]
fn same(one: &[u8], other: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<WORD>(), other.as_chunks::<WORD>());
    one.len() == other.len()
        && words.iter().zip(other_words).all(|(one, other)| one == other)
        && rest.iter().zip(other_rest).all(|(one, other)| one == other)
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
    fn every_byte_tells_connections_apart() {
        let bytes: Vec<u8> = (0..60).collect();
        assert!(same(&bytes, &bytes.clone()));
        assert!(!same(&bytes, bytes.get(..59).expect("so many")), "the last is missing");
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x80;
            assert!(!same(&bytes, &other) && hash(&bytes) != hash(&other), "byte {at}");
        }
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

//! The engine: a compiled bundle, and the walk that decides.
//!
//! It reads a packed bundle piece by piece, as questions need it. [`rules`] finds the rules of a subject and
//! [`compile`] turns them into matchers, once. [`identities`] knows who owns which address, [`services`] what
//! stands behind a virtual one. [`table`] gathers, once for each subject, the elements of all rules that select it.
//! [`resolve`] is the one walk over such a table: it finds the entries that [match](matching) a peer and port, and
//! [`Connection`] holds what it found. [`audit`] tells what is enforced from what would be. [`claims`] finds the
//! identities that a certificate may speak of, [`coverage`] all places of the policies that a question exercises.

mod audit;
mod authentication;
mod claims;
pub(crate) mod compile;
pub(crate) mod connection;
mod contradictions;
mod coverage;
mod entities;
mod identities;
pub(crate) mod matching;
pub(crate) mod merge;
pub(crate) mod resolve;
mod rules;
mod services;
mod table;

use alloc::{rc::Rc, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    net::IpAddr,
};
use hashbrown::HashMap;

use crate::{
    bundle::{Bundle, BundleError, Options},
    flow::{Direction, Flow, Peer, Protocol},
    labels::Labels,
    packed::Packed,
    selector::Selector,
};
use entities::Selectors;
use identities::Identities;
use resolve::{Resolved, Side};
use rules::Rules;
use services::Services;
use table::SubjectTable;

pub use audit::View;
pub(crate) use claims::{account_of, are_of_workload};
pub(crate) use compile::{CompiledRule, Compiler, PeerMatcher};
pub use connection::Connection;
pub use contradictions::Contradiction;
pub(crate) use entities::{CLUSTER_KEY, NAMESPACE_KEY, SERVICE_ACCOUNT_KEY};
pub use identities::IdentityId;
pub(crate) use identities::{IdentityKind, account_key};
pub(crate) use rules::{NO_ANCHOR, PolicyHead, anchor};
pub(crate) use services::{Backends, service_key};

/// How many subjects keep their table. Far more than a node has endpoints; a bundle may hold a whole cluster.
const MAX_TABLES: usize = 4096;
/// How many connections (subject, direction, peer, protocol and port) are remembered, of all subjects together.
const MAX_CONNECTIONS: usize = 1 << 16;

/// A compiled bundle. Every question has an answer; nothing here fails once it is built.
///
/// An engine caches what it finds, within bounds, so it belongs to one thread.
pub struct Engine {
    packed: Rc<Packed>,
    selectors: Selectors,
    rules: Rules,
    identities: Identities,
    services: Services,
    tables: RefCell<HashMap<(View, IdentityId), Rc<SubjectTable>>>,
    /// The identities of each service account that was claimed.
    accounts: RefCell<HashMap<claims::Account, Rc<[IdentityId]>>>,
    /// How many connections all tables remember.
    remembered: Cell<usize>,
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine")
            .field("digest", &self.digest())
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Checks a bundle and opens it. All or nothing: every error is returned, and with any there is no engine.
    /// The digest is taken as it is; reading a bundle from JSON checks it.
    pub fn new(bundle: Bundle) -> Result<Self, Vec<BundleError>> {
        Packed::new(&bundle).map(Self::open)
    }

    /// Opens a packed bundle. What cannot be read of it when it is needed denies; there is no such thing in what was
    /// packed.
    pub fn open(packed: Packed) -> Self {
        let packed = Rc::new(packed);
        Self {
            selectors: Selectors::open(Rc::clone(&packed)),
            rules: Rules::open(Rc::clone(&packed)),
            identities: Identities::open(Rc::clone(&packed)),
            services: Services::open(Rc::clone(&packed)),
            tables: RefCell::default(),
            accounts: RefCell::default(),
            remembered: Cell::new(0),
            packed,
        }
    }

    /// Whether it is what this packed bundle says.
    pub fn is_of(&self, packed: &Packed) -> bool {
        *self.packed == *packed
    }

    /// The digest of the bundle; empty if it has none, which is never so for one that was read from JSON.
    pub fn digest(&self) -> &str {
        self.packed.digest()
    }

    /// The options of the bundle.
    pub fn options(&self) -> &Options {
        self.packed.options()
    }

    /// The endpoints whose policies contradict each other.
    pub fn contradiction(&self) -> Option<&Contradiction> {
        self.packed.head().contradiction.as_ref()
    }

    /// Who owns the address. An address that nobody in the cluster owns has an identity of the outside world.
    pub fn identity_of(&self, address: IpAddr) -> IdentityId {
        self.identities.of(address.to_canonical())
    }

    /// The name (`namespace/name`) of the endpoint with this address. Of several that share the address, as pods on the
    /// network of their node do, the first one in the order of names.
    pub fn endpoint_at(&self, address: IpAddr) -> Option<&str> {
        self.identities.endpoint_at(address.to_canonical())
    }

    /// How many rules and endpoints the bundle has.
    pub fn size(&self) -> (usize, usize) {
        (self.rules.len(), self.identities.endpoint_count())
    }

    /// The endpoint of this name (`namespace/name`).
    pub fn endpoint(&self, name: &str) -> Option<IdentityId> {
        self.identities.endpoint(name)
    }

    /// The labels of an identity; empty for one of another engine.
    pub fn labels(&self, identity: IdentityId) -> &Labels {
        self.identities.labels(identity)
    }

    /// Whether policies can have the identity as subject: it is in the cluster.
    pub fn is_endpoint(&self, identity: IdentityId) -> bool {
        matches!(self.identities.kind(identity), IdentityKind::InCluster { .. })
    }

    /// The endpoints behind a virtual address.
    pub(crate) fn backends(&self, address: IpAddr, protocol: Protocol, port: u16) -> Backends<'_> {
        self.services.find(address.to_canonical(), protocol, port)
    }

    /// What the policy of the subject says to a connection. Repeated questions cost one hash lookup.
    pub fn connection(&self, flow: &Flow<'_>) -> Connection {
        self.connect(&self.table(flow.subject), flow)
    }

    fn connect(&self, table: &SubjectTable, flow: &Flow<'_>) -> Connection {
        let side = table.side(flow.direction);
        let resolved = match flow.peer {
            Peer::Identity(peer) => side.remembered((peer, flow.protocol, flow.port), || {
                self.count_remembered();
                self.resolve(side, flow)
            }),
            // A name that a client chose is not worth remembering: it could fill any cache.
            Peer::Name(_) | Peer::Unknown => Rc::new(self.resolve(side, flow)),
        };
        Connection::new(flow.direction, flow.authenticated, resolved)
    }

    /// Forgets everything before there is too much of it. Whoever asks next finds it out again.
    fn count_remembered(&self) {
        let count = self.remembered.get().saturating_add(1);
        self.remembered.set(count);
        if count > MAX_CONNECTIONS
            && let Ok(mut tables) = self.tables.try_borrow_mut()
        {
            tables.clear();
            self.remembered.set(1);
        }
    }

    fn resolve(&self, side: &table::DirectionTable, flow: &Flow<'_>) -> Resolved {
        Side {
            engine: self,
            table: side,
            flow,
        }
        .resolve()
    }

    /// The rules that have an effect on a subject, gathered once.
    pub(crate) fn table(&self, subject: IdentityId) -> Rc<SubjectTable> {
        self.table_as(View::Enforced, subject)
    }

    /// The rules that concern a subject in this view, gathered once.
    pub(crate) fn table_as(&self, view: View, subject: IdentityId) -> Rc<SubjectTable> {
        // Or everything would be kept twice where the views are the same.
        let view = if self.has_audit() { view } else { View::Enforced };
        if let Ok(tables) = self.tables.try_borrow()
            && let Some(table) = tables.get(&(view, subject))
        {
            return Rc::clone(table);
        }
        let table = self.build_table(view, subject);
        if let Ok(mut tables) = self.tables.try_borrow_mut() {
            if tables.len() >= MAX_TABLES {
                tables.clear();
                self.remembered.set(0);
            }
            tables.insert((view, subject), Rc::clone(&table));
        }
        table
    }

    pub(crate) fn selector(&self, index: u32) -> Option<&Selector> {
        self.selectors.get(index)
    }

    pub(crate) fn selectors(&self) -> &Selectors {
        &self.selectors
    }

    /// The rules whose subjects have these labels, in the order of the bundle.
    pub(crate) fn rules_selecting<'a>(&'a self, labels: &'a Labels) -> impl Iterator<Item = &'a Rc<CompiledRule>> {
        self.rules.selecting(labels, &self.selectors)
    }

    pub(crate) fn identities(&self) -> &Identities {
        &self.identities
    }
}

impl Direction {
    /// The identity whose named ports a port name of a rule means: the destination of the flow.
    pub(crate) fn named_port_owner<'a>(self, flow: &Flow<'a>) -> Peer<'a> {
        match self {
            Self::Ingress => Peer::Identity(flow.subject),
            Self::Egress => flow.peer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Endpoint, Identity, VERSION};

    #[test]
    fn what_is_remembered_has_a_bound() {
        let endpoint = Endpoint {
            name: "shop/web".into(),
            identity: 0,
            addresses: Vec::new(),
        };
        let engine = Engine::new(Bundle {
            version: VERSION,
            identities: alloc::vec![Identity::default()],
            endpoints: alloc::vec![endpoint],
            ..Bundle::default()
        })
        .expect("a good bundle");
        let subject = engine.endpoint("shop/web").expect("the endpoint");
        for direction in [Direction::Ingress, Direction::Egress] {
            for port in 0..=u16::MAX {
                let peer = Peer::Identity(subject);
                let protocol = Protocol::Tcp;
                let flow = Flow {
                    direction,
                    subject,
                    peer,
                    protocol,
                    port,
                    authenticated: false,
                };
                assert!(engine.connection(&flow).verdict().allows());
                assert!(engine.remembered.get() <= MAX_CONNECTIONS);
            }
        }
        assert!(engine.remembered.get() > 0, "something is remembered");
    }
}

//! Who meets whom: the addresses of both ends, and the endpoints behind a service.

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Result, anyhow};
use policy_core::{Bundle, Direction, Engine, IdentityId, bundle::Backend};

use crate::{
    args::{Peer, Port},
    judge::{BothSides, Content, Judge, Question, engine},
    placement::Placement,
};

/// A policy and the two ends of a flow in it.
pub(super) struct Scene {
    pub(super) engine: Engine,
    pub(super) source: Party,
    /// One, or those behind a service; none if nobody is behind it.
    pub(super) destinations: Vec<Destination>,
    /// The service that the destination is the address of.
    pub(super) service: Option<String>,
    bundle: Bundle,
    source_address: IpAddr,
    destination_address: IpAddr,
    port: Port,
}

/// One end of a flow, as asked for.
pub(super) struct End<'a> {
    pub(super) peer: &'a Peer,
    /// As written on the command line.
    pub(super) name: String,
}

/// One end of a flow, as found.
pub(super) struct Party {
    pub(super) name: String,
    pub(super) identity: IdentityId,
    /// The endpoint that it is, `namespace/name`.
    pub(super) endpoint: Option<String>,
    /// The address that it really has, not one that it was given to be asked about.
    pub(super) address: Option<IpAddr>,
}

impl Party {
    /// Whether it is an endpoint only for this question, by the labels of the command line.
    pub(super) fn is_made_up(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|name| name.contains('{'))
    }
}

/// Where a flow may end up.
pub(super) struct Destination {
    pub(super) party: Party,
    /// The port there.
    pub(super) port: u16,
}

impl Scene {
    /// Finds both ends. An error says that one of them is not among the objects.
    pub(super) fn build(bundle: Bundle, from: &End<'_>, to: &End<'_>, port: Port) -> Result<Self> {
        let foreign = [from.peer, to.peer].into_iter().filter_map(|peer| match peer {
            Peer::Address(address) => Some(*address),
            Peer::Pod { .. } | Peer::Labels { .. } | Peer::Reserved(_) => None,
        });
        let addresses = known_addresses(&bundle);
        let mut placement = Placement::new(bundle, foreign);
        let source_address = placement.place(from.peer).map_err(|error| anyhow!("--from: {error}"))?;
        let destination_address = placement.place(to.peer).map_err(|error| anyhow!("--to: {error}"))?;
        let owner = |address: IpAddr, end: &End<'_>| match (end.peer, placement.owner(address)) {
            (Peer::Address(_), Some(owner)) => format!("{owner} ({})", end.name),
            _ => end.name.clone(),
        };
        let (source_name, destination_name) = (owner(source_address, from), owner(destination_address, to));
        let endpoints =
            [source_address, destination_address].map(|address| placement.owner(address).map(str::to_owned));
        let bundle = placement.into_bundle();
        let engine = engine(bundle.clone())?;
        let party = |name, end: &End<'_>, address, endpoint: Option<String>| Party {
            name,
            identity: engine.identity_of(address),
            address: match end.peer {
                Peer::Address(address) => Some(*address),
                _ => endpoint.as_ref().and_then(|endpoint| addresses.get(endpoint).copied()),
            },
            endpoint,
        };
        let [source_endpoint, destination_endpoint] = endpoints;
        let source = party(source_name, from, source_address, source_endpoint);
        let destinations = match backends(&bundle, destination_address, port) {
            None => vec![Destination {
                party: party(destination_name, to, destination_address, destination_endpoint),
                port: port.number,
            }],
            Some(backends) => backends
                .iter()
                .filter_map(|backend| behind(&bundle, &engine, backend))
                .collect(),
        };
        let mut services = bundle.services.iter();
        let service = services.find(|service| service.address == destination_address);
        Ok(Self {
            source,
            destinations,
            service: service.map(|service| service.name.clone()),
            engine,
            bundle,
            source_address,
            destination_address,
            port,
        })
    }

    /// Asks both sides as proxies would.
    pub(super) fn ask(&self, judge: &mut dyn Judge, content: &Content, authenticated: bool) -> Result<BothSides> {
        judge.load(&self.bundle)?;
        let (source, destination) = (self.source_address, self.destination_address);
        let Port { number: port, protocol } = self.port;
        let mut side = |direction| {
            judge.ask(&Question {
                direction,
                source,
                destination,
                protocol,
                port,
                authenticated,
                content,
            })
        };
        let egress = side(Direction::Egress)?;
        let ingress = side(Direction::Ingress)?;
        Ok(BothSides::combine(Some(egress), Some(ingress)))
    }
}

/// The first address of every endpoint that has one.
fn known_addresses(bundle: &Bundle) -> BTreeMap<String, IpAddr> {
    let endpoints = bundle.endpoints.iter();
    let first = endpoints.filter_map(|endpoint| Some((endpoint.name.clone(), *endpoint.addresses.first()?)));
    first.collect()
}

/// What is behind a service; `None` if the address is no service's. Empty if nothing is, or the service has no such
/// port.
fn backends(bundle: &Bundle, address: IpAddr, port: Port) -> Option<Vec<Backend>> {
    let mut of_address = bundle
        .services
        .iter()
        .filter(|service| service.address == address)
        .peekable();
    of_address.peek()?;
    let of_port = of_address.find(|service| service.port == port.number && service.protocol == port.protocol);
    Some(of_port.map(|service| service.backends.clone()).unwrap_or_default())
}

/// The endpoints of a backend: all have the same identity, so one of them speaks for all.
fn behind(bundle: &Bundle, engine: &Engine, backend: &Backend) -> Option<Destination> {
    let same = bundle
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.identity == backend.identity);
    let names: BTreeMap<&str, IdentityId> = same
        .filter_map(|endpoint| Some((endpoint.name.as_str(), engine.endpoint(&endpoint.name)?)))
        .collect();
    let (first, identity) = names.first_key_value()?;
    let name = match names.len() {
        1 => (*first).to_owned(),
        count => format!("{first} and {} like it", count - 1),
    };
    Some(Destination {
        party: Party {
            name,
            identity: *identity,
            endpoint: Some((*first).to_owned()),
            // There may be several, each with an address of its own.
            address: None,
        },
        port: backend.port,
    })
}

//! What the fuzz targets share: questions to put to an engine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policy_core::{
    AddressFacts, Admission, Bundle, Carried, Destination, Engine, HttpRequest, KafkaRequest, Protocol, Scope, Verdict,
};

/// How many addresses of a bundle are asked about: questions are about every pair of them.
const ADDRESSES: usize = 4;

/// How many ports of a bundle are asked about.
const PORTS: usize = 4;

const PROTOCOLS: [Protocol; 5] = [
    Protocol::Tcp,
    Protocol::Udp,
    Protocol::Sctp,
    Protocol::Icmp,
    Protocol::IcmpV6,
];

/// Questions about what the bundle itself mentions, and about what it probably does not.
pub struct Questions {
    addresses: Vec<IpAddr>,
    names: Vec<String>,
    ports: Vec<u16>,
}

impl Questions {
    /// The addresses, names and ports of the bundle, as many as are asked about.
    pub fn about(bundle: &Bundle) -> Self {
        let endpoints = bundle
            .endpoints
            .iter()
            .flat_map(|endpoint| endpoint.addresses.iter().copied());
        let entries = bundle.addresses.iter().map(|entry| entry.prefix.addr());
        let services = bundle.services.iter().map(|service| service.address);
        let learned = bundle.names.values().flatten().copied();
        let outside = [
            IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let named = bundle
            .identities
            .iter()
            .flat_map(|identity| identity.ports.iter().map(|port| port.port));
        Self {
            addresses: services
                .take(1)
                .chain(endpoints.take(ADDRESSES))
                .chain(entries.take(1))
                .chain(learned.take(1))
                .chain(outside)
                .collect(),
            names: bundle
                .names
                .keys()
                .take(1)
                .cloned()
                .chain(["a.example.com".into()])
                .collect(),
            ports: named
                .chain(bundle.services.iter().map(|service| service.port))
                .take(PORTS)
                .chain([0, 80, 65535])
                .collect(),
        }
    }

    /// Asks them, and checks what holds for every answer.
    pub fn ask(&self, engine: &Engine) {
        self.facts().for_each(|facts| ask_scopes(engine, &facts));
    }

    /// The verdicts on all connections.
    pub fn answers(&self, engine: &Engine) -> Vec<Verdict> {
        let verdict = |facts: AddressFacts<'_>| engine.admit(&facts, Scope::Both).verdict();
        self.facts().map(verdict).collect()
    }

    fn facts(&self) -> impl Iterator<Item = AddressFacts<'_>> {
        let sources = self.addresses.iter().copied().map(Some).chain([None]);
        let pairs = sources.flat_map(|source| self.destinations().map(move |destination| (source, destination)));
        let ports = |protocol| self.ports.iter().map(move |port| (protocol, *port));
        pairs.flat_map(move |(source, destination)| {
            let ports = PROTOCOLS.into_iter().flat_map(ports);
            ports.map(move |(protocol, port)| AddressFacts {
                destination,
                ..AddressFacts::new(source, None, protocol, port)
            })
        })
    }

    fn destinations(&self) -> impl Iterator<Item = Destination<'_>> {
        let addresses = self.addresses.iter().copied().map(Destination::Address);
        let names = self.names.iter().map(|name| Destination::Name(name.as_bytes()));
        addresses.chain(names).chain([Destination::Unknown])
    }
}

fn ask_scopes(engine: &Engine, facts: &AddressFacts<'_>) {
    for scope in [Scope::Ingress, Scope::Egress, Scope::Both] {
        let admission = engine.admit(facts, scope);
        let verdict = admission.verdict();
        // The second answer comes from what the engine remembers.
        assert_eq!(engine.admit(facts, scope).verdict(), verdict, "{facts:?} in {scope:?}");
        ask_inside(&admission, &verdict);
    }
}

/// Asks what a connection carries: nothing is allowed inside a connection that is not.
fn ask_inside(admission: &Admission, verdict: &Verdict) {
    let (http, kafka) = (sample_request(), sample_message());
    for server_name in [None, Some(None), Some(Some(&b"a.example.com"[..]))] {
        for carried in [
            None,
            Some(Carried::Http(&http)),
            Some(Carried::Dns(b"a.example.com")),
            Some(Carried::Kafka(&kafka)),
        ] {
            let inside = admission.judge(server_name, carried);
            assert!(verdict.allows() || !inside.allows(), "{inside:?} inside {verdict:?}");
        }
    }
    let changes = admission.header_changes(&http);
    assert!(changes.is_empty() || admission.changes_headers(), "{changes:?}");
}

fn sample_request() -> HttpRequest {
    HttpRequest {
        method: Some(b"GET".to_vec()),
        path: Some(b"/a".to_vec()),
        authority: Some(b"a.example.com".to_vec()),
        headers: vec![(b"x-token".to_vec(), b"a".to_vec())],
    }
}

fn sample_message() -> KafkaRequest<'static> {
    KafkaRequest {
        api_key: 0,
        api_version: 1,
        client_id: b"c",
        topics: vec![b"t", b"u"],
    }
}

use super::*;
use crate::config::{IdentitySettings, NodeMetadata, Revocation};
use crate::fake::{FakeHost, Mood, World};
use proptest::prelude::*;
use std::rc::Rc;

fn host() -> FakeHost {
    let world = World::default();
    world.set("source.address", "10.0.0.2:41000");
    world.set("destination.address", "10.0.0.1:80");
    world.set("xds.listener_direction", 1_i64.to_le_bytes());
    FakeHost(Rc::new(world))
}

/// What a new connection tells.
fn gathered(host: &FakeHost, settings: &Settings) -> Result<ConnectionFacts, Refusal> {
    let listener = Listener::of_connection(host)?;
    ConnectionFacts::gather(host, &listener, settings, settings.of_facts()).map(|(facts, _, _)| facts)
}

fn listener(host: &FakeHost) -> Listener {
    Listener::of_connection(host).expect("metadata")
}

fn chain(host: &FakeHost) -> Result<Chain, Refusal> {
    Listener::of_connection(host)?.chain()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

#[test]
fn a_listener_without_metadata_is_known_by_its_direction() {
    let host = host();
    for (direction, want) in [
        (0, None),
        (1, Some(Scope::Ingress)),
        (2, Some(Scope::Egress)),
        (3, None),
        (-1, None),
    ] {
        host.0.set("xds.listener_direction", i64::to_le_bytes(direction));
        let facts = gathered(&host, &Settings::default());
        assert_eq!(facts.map(|facts| facts.scope).ok(), want, "{direction}");
    }
    host.0.set("xds.listener_direction", "1");
    assert_eq!(
        gathered(&host, &Settings::default()),
        Err(Refusal::UnknownDirection),
        "not a number"
    );
    host.0.unset("xds.listener_direction");
    assert_eq!(
        gathered(&host, &Settings::default()),
        Err(Refusal::UnknownDirection),
        "absent"
    );
}

#[test]
fn metadata_beats_settings_and_settings_beat_the_direction_of_the_listener() {
    let host = host();
    let egress = Settings {
        direction: DirectionSetting::Egress,
        ..Settings::default()
    };
    assert_eq!(gathered(&host, &egress).map(|facts| facts.scope), Ok(Scope::Egress));
    host.0.listener("direction", "both");
    assert_eq!(gathered(&host, &egress).map(|facts| facts.scope), Ok(Scope::Both));
    host.0.listener("direction", "listener");
    assert_eq!(gathered(&host, &egress).map(|facts| facts.scope), Ok(Scope::Ingress));
}

#[test]
fn metadata_gives_port_transport_and_destination() {
    let host = host();
    let facts = gathered(&host, &Settings::default()).expect("facts");
    assert_eq!(
        (facts.port, facts.transport),
        (Some(80), Protocol::Tcp),
        "what the connection says"
    );
    host.0.listener("port", "8080");
    host.0.listener("transport", "SCTP");
    let facts = gathered(&host, &Settings::default()).expect("facts");
    assert_eq!(
        (facts.port, facts.transport),
        (Some(8080), Protocol::Sctp),
        "what the listener says"
    );
    assert_eq!(facts.source, Some(ip("10.0.0.2")));
    assert_eq!(facts.destination, ConnectionDestination::Address(ip("10.0.0.1")));

    host.0.listener("destination", "authority");
    host.0.unset("xds.listener_metadata.filter_metadata.portcullis.port");
    let facts = gathered(&host, &Settings::default()).expect("facts");
    assert_eq!(facts.destination, ConnectionDestination::Authority);
    assert_eq!(facts.port, Some(80), "HTTP, not the port that the proxy listens on");
}

#[test]
fn metadata_that_is_not_understood_is_never_the_default() {
    for (key, value) in [
        ("direction", "inbound"),
        ("direction", ""),
        ("destination", "sni"),
        ("port", "http"),
        ("port", "65536"),
        ("port", "+80"),
        ("port", ""),
        ("transport", "TPC"),
        ("authentication", "none"),
        ("authentication", "Network"),
        ("authentication", ""),
        ("certificate", "trusted"),
        ("certificate", ""),
    ] {
        let host = host();
        host.0.listener(key, value);
        let facts = gathered(&host, &Settings::default());
        assert_eq!(facts, Err(Refusal::BadListenerMetadata), "{key}: {value}");
    }
    let host = host();
    for (value, want) in [
        ("http", Ok(Chain::Http)),
        ("tcp", Ok(Chain::Tcp)),
        ("HTTP", Err(Refusal::BadListenerMetadata)),
    ] {
        host.0.listener("protocol", value);
        assert_eq!(chain(&host), want, "{value}");
    }
    host.0
        .unset("xds.listener_metadata.filter_metadata.portcullis.protocol");
    assert_eq!(chain(&host), Ok(Chain::Tcp), "without a word, nobody looks at requests");
}

#[test]
fn only_an_absent_source_is_no_source() {
    let host = host();
    for text in [&b"\xff\xfe"[..], b"/tmp/socket", b"10.0.0.2:port", b""] {
        host.0.set("source.address", text);
        let facts = gathered(&host, &Settings::default());
        assert_eq!(facts, Err(Refusal::UnknownAddress), "{text:?}: present, but no address");
    }
    host.0.unset("source.address");
    assert_eq!(
        gathered(&host, &Settings::default()).map(|facts| facts.source),
        Ok(None),
        "absent"
    );
    for (mood, want) in [(Mood::Absent, Ok(None)), (Mood::Failing, Err(Refusal::UnknownAddress))] {
        host.0.mood.set(mood);
        assert_eq!(address(&host, SOURCE), want, "{mood:?}");
    }
}

#[test]
fn a_destination_needs_address_and_port() {
    let host = host();
    for (text, want) in [
        ("/tmp/socket", Refusal::UnknownAddress),
        ("", Refusal::UnknownAddress),
        ("10.0.0.1", Refusal::UnknownDestination),
    ] {
        host.0.set("destination.address", text);
        let facts = gathered(&host, &Settings::default());
        assert_eq!(facts, Err(want), "{text}");
    }
    host.0.unset("destination.address");
    let facts = gathered(&host, &Settings::default());
    assert_eq!(facts, Err(Refusal::UnknownDestination), "absent");
}

/// Settings of which no two read the same facts.
fn all_settings() -> Vec<Settings> {
    let setting = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings
    };
    let workload = |workload| setting(&|settings| settings.workload = Some(Clone::clone(&workload)));
    let identity = |change: &dyn Fn(&mut IdentitySettings)| setting(&|settings| change(&mut settings.identity));
    vec![
        Settings::default(),
        setting(&|settings| settings.direction = DirectionSetting::Ingress),
        setting(&|settings| settings.destination = DestinationSetting::Upstream),
        workload(WorkloadSetting::Endpoint("a/b".into())),
        workload(WorkloadSetting::Address(ip("10.0.0.1"))),
        workload(WorkloadSetting::NodeMetadata(NodeMetadata::default())),
        identity(&|identity| identity.certificate = CertificateSetting::Witnessed),
        identity(&|identity| identity.trust_domains = vec!["other.example".into()]),
        identity(&|identity| identity.filter_state = Some("peer".into())),
        identity(&|identity| identity.proxy_protocol_tlv = Some("peer".into())),
        identity(&|identity| identity.peer_metadata = Some("peer".into())),
        identity(&|identity| identity.trust_peer_metadata = true),
    ]
}

fn take_over(host: &FakeHost, settings: u64) -> Result<ConnectionFacts, Refusal> {
    ConnectionFacts::handed_over(host).and_then(|bytes| ConnectionFacts::read(&bytes, settings))
}

#[test]
fn facts_are_for_policies_with_the_same_settings() {
    let host = host();
    for (i, mine) in all_settings().iter().enumerate() {
        let (mut facts, _, _) =
            ConnectionFacts::gather(&host, &listener(&host), &Settings::default(), 0).expect("facts");
        facts.settings = mine.of_facts();
        facts.hand_over(&host);
        for (j, theirs) in all_settings().iter().enumerate() {
            let want = if i == j {
                Ok(facts.clone())
            } else {
                Err(Refusal::OutdatedConnectionFacts)
            };
            assert_eq!(take_over(&host, theirs.of_facts()), want, "{theirs:?}");
        }
    }
    let other_verdicts = Settings {
        revocation: Revocation::Report,
        readings: std::iter::empty().collect(),
        ..Settings::default()
    };
    assert_eq!(
        other_verdicts.of_facts(),
        Settings::default().of_facts(),
        "the same facts"
    );
}

#[test]
fn a_host_without_answers_gives_no_facts() {
    let host = host();
    for mood in [Mood::Absent, Mood::Failing] {
        host.0.mood.set(mood);
        assert!(gathered(&host, &Settings::default()).is_err());
        assert_eq!(
            take_over(&host, Settings::default().of_facts()),
            Err(Refusal::NoConnectionFacts)
        );
    }
}

#[test]
fn the_workload_is_told_by_name_by_address_or_by_the_node() {
    let host = host();
    let told = |workload| {
        let settings = Settings {
            workload: Some(workload),
            ..Settings::default()
        };
        gathered(&host, &settings).map(|facts| facts.workload)
    };
    let named = |name: &str| Ok(Some(LocalWorkload::Endpoint(name.to_owned())));
    assert_eq!(told(WorkloadSetting::Endpoint("a/b".into())), named("a/b"));
    let address = told(WorkloadSetting::Address(ip("10.0.0.1")));
    assert_eq!(address, Ok(Some(LocalWorkload::Address(ip("10.0.0.1")))));
    let by_node = || told(WorkloadSetting::NodeMetadata(NodeMetadata::default()));
    assert_eq!(by_node(), Err(Refusal::UnknownWorkload), "the node has no metadata");
    host.0.set("xds.node.metadata.NAMESPACE", "empire");
    assert_eq!(by_node(), Err(Refusal::UnknownWorkload), "only half of it");
    host.0.set("xds.node.metadata.NAME", "deathstar");
    assert_eq!(by_node(), named("empire/deathstar"));
    host.0.set("xds.node.metadata.NAME", "");
    assert_eq!(by_node(), Err(Refusal::UnknownWorkload), "empty");
    assert_eq!(
        gathered(&host, &Settings::default()).map(|facts| facts.workload),
        Ok(None)
    );
}

#[test]
fn the_upstream_is_the_destination_once_there_is_one() {
    let host = host();
    host.0.listener("destination", "upstream");
    let settings = Settings::default();
    let (mut facts, _, later) =
        ConnectionFacts::gather(&host, &listener(&host), &settings, settings.of_facts()).expect("facts");
    assert!(
        later.matters(),
        "nobody looks at requests: wait for the upstream of the connection"
    );
    assert_eq!((facts.destination, facts.port), (ConnectionDestination::Upstream, None));
    assert_eq!(
        facts.clone().complete(&host, &listener(&host), &settings, later),
        Err(Refusal::UnknownDestination),
        "none yet"
    );
    host.0.set("upstream.address", "10.0.0.3:8080");
    assert_eq!(facts.complete(&host, &listener(&host), &settings, later), Ok(()));
    assert_eq!(facts.destination, ConnectionDestination::Address(ip("10.0.0.3")));
    assert_eq!(facts.port, Some(8080));

    host.0.listener("protocol", "http");
    let (_, _, later) =
        ConnectionFacts::gather(&host, &listener(&host), &settings, settings.of_facts()).expect("facts");
    assert!(!later.matters(), "each request has its own");
}

fn facts() -> impl Strategy<Value = ConnectionFacts> {
    let address = || any::<IpAddr>().prop_map(|address| address.to_canonical());
    let destination = prop_oneof![
        address().prop_map(ConnectionDestination::Address),
        Just(ConnectionDestination::Authority),
        Just(ConnectionDestination::Upstream),
    ];
    let workload = prop_oneof![
        address().prop_map(LocalWorkload::Address),
        any::<String>().prop_map(LocalWorkload::Endpoint),
    ];
    let claim = (
        prop::option::of(any::<String>()),
        prop::collection::vec(any::<(String, String)>(), 0..3),
    );
    let claim = claim.prop_map(|(namespace, labels)| Claim {
        namespace,
        labels,
        ..Claim::default()
    });
    let words = (
        prop::sample::select(&[Scope::Ingress, Scope::Egress, Scope::Both][..]),
        prop::sample::select(&[Protocol::Tcp, Protocol::Udp, Protocol::IcmpV6][..]),
        any::<(u64, Option<u16>, Option<u16>, bool)>(),
    );
    (
        words,
        prop::option::of(address()),
        destination,
        prop::option::of(workload),
        prop::option::of(claim),
    )
        .prop_map(
            |(
                (scope, transport, (settings, port, source_port, authenticated)),
                source,
                destination,
                workload,
                claim,
            )| {
                ConnectionFacts {
                    settings,
                    scope,
                    source,
                    source_port,
                    destination,
                    workload,
                    transport,
                    port,
                    claim,
                    authenticated,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_handed_over_is_taken_over(facts in facts()) {
        let bytes = encoding::encode(&facts);
        prop_assert_eq!(encoding::decode(&bytes), Some(facts.clone()));
        for length in 0..bytes.len() {
            let cut = encoding::decode(&bytes[..length]);
            prop_assert!(cut.is_none() || cut.is_some_and(|cut| cut.claim.is_none() && facts.claim.is_some()));
        }
    }

    #[test]
    fn other_bytes_are_not_facts(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
        if let Some(facts) = encoding::decode(&bytes) {
            prop_assert_eq!(encoding::encode(&facts).len(), bytes.len());
        }
    }
}

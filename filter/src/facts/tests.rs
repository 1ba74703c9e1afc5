use super::*;
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
        let facts = ConnectionFacts::gather(&host, Settings::default());
        assert_eq!(facts.map(|facts| facts.scope).ok(), want, "{direction}");
    }
    host.0.set("xds.listener_direction", "1");
    assert_eq!(
        ConnectionFacts::gather(&host, Settings::default()),
        Err(Refusal::UnknownDirection),
        "not a number"
    );
    host.0.unset("xds.listener_direction");
    assert_eq!(
        ConnectionFacts::gather(&host, Settings::default()),
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
    assert_eq!(
        ConnectionFacts::gather(&host, egress).map(|facts| facts.scope),
        Ok(Scope::Egress)
    );
    host.0.listener("direction", "both");
    assert_eq!(
        ConnectionFacts::gather(&host, egress).map(|facts| facts.scope),
        Ok(Scope::Both)
    );
    host.0.listener("direction", "listener");
    assert_eq!(
        ConnectionFacts::gather(&host, egress).map(|facts| facts.scope),
        Ok(Scope::Ingress)
    );
}

#[test]
fn metadata_gives_port_transport_and_destination() {
    let host = host();
    let facts = ConnectionFacts::gather(&host, Settings::default()).expect("facts");
    assert_eq!(
        (facts.port, facts.transport),
        (80, Protocol::Tcp),
        "what the connection says"
    );
    host.0.listener("port", "8080");
    host.0.listener("transport", "SCTP");
    let facts = ConnectionFacts::gather(&host, Settings::default()).expect("facts");
    assert_eq!(
        (facts.port, facts.transport),
        (8080, Protocol::Sctp),
        "what the listener says"
    );
    assert_eq!(facts.source, Some(ip("10.0.0.2")));
    assert_eq!(facts.destination, ConnectionDestination::Address(ip("10.0.0.1")));

    host.0.listener("destination", "authority");
    host.0.unset("xds.listener_metadata.filter_metadata.portcullis.port");
    let facts = ConnectionFacts::gather(&host, Settings::default()).expect("facts");
    assert_eq!(facts.destination, ConnectionDestination::Authority);
    assert_eq!(facts.port, 80, "HTTP, not the port that the proxy listens on");
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
    ] {
        let host = host();
        host.0.listener(key, value);
        let facts = ConnectionFacts::gather(&host, Settings::default());
        assert_eq!(facts, Err(Refusal::BadListenerMetadata), "{key}: {value}");
    }
    let host = host();
    for (value, want) in [
        ("http", Ok(Chain::Http)),
        ("tcp", Ok(Chain::Tcp)),
        ("HTTP", Err(Refusal::BadListenerMetadata)),
    ] {
        host.0.listener("protocol", value);
        assert_eq!(Chain::of_listener(&host), want, "{value}");
    }
    host.0
        .unset("xds.listener_metadata.filter_metadata.portcullis.protocol");
    assert_eq!(
        Chain::of_listener(&host),
        Ok(Chain::Tcp),
        "without a word, nobody looks at requests"
    );
}

#[test]
fn only_an_absent_source_is_no_source() {
    let host = host();
    for text in [&b"\xff\xfe"[..], b"/tmp/socket", b"10.0.0.2:port", b""] {
        host.0.set("source.address", text);
        let facts = ConnectionFacts::gather(&host, Settings::default());
        assert_eq!(facts, Err(Refusal::UnknownAddress), "{text:?}: present, but no address");
    }
    host.0.unset("source.address");
    assert_eq!(
        ConnectionFacts::gather(&host, Settings::default()).map(|facts| facts.source),
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
        let facts = ConnectionFacts::gather(&host, Settings::default());
        assert_eq!(facts, Err(want), "{text}");
    }
    host.0.unset("destination.address");
    let facts = ConnectionFacts::gather(&host, Settings::default());
    assert_eq!(facts, Err(Refusal::UnknownDestination), "absent");
}

#[test]
fn facts_are_for_policies_with_the_same_settings() {
    let host = host();
    let settings = |direction, destination| Settings { direction, destination };
    let mine = settings(DirectionSetting::Ingress, DestinationSetting::Address);
    let facts = ConnectionFacts::gather(&host, mine).expect("facts");
    facts.hand_over(&host);
    for direction in DIRECTIONS {
        for destination in DESTINATIONS {
            let theirs = settings(direction, destination);
            let want = if theirs == mine {
                Ok(facts)
            } else {
                Err(Refusal::OutdatedConnectionFacts)
            };
            assert_eq!(ConnectionFacts::take_over(&host, theirs), want, "{theirs:?}");
        }
    }
}

#[test]
fn a_host_without_answers_gives_no_facts() {
    let host = host();
    for mood in [Mood::Absent, Mood::Failing] {
        host.0.mood.set(mood);
        assert!(ConnectionFacts::gather(&host, Settings::default()).is_err());
        assert_eq!(
            ConnectionFacts::take_over(&host, Settings::default()),
            Err(Refusal::NoConnectionFacts)
        );
    }
}

fn facts() -> impl Strategy<Value = ConnectionFacts> {
    let address = || any::<IpAddr>().prop_map(|address| address.to_canonical());
    let destination = prop_oneof![
        address().prop_map(ConnectionDestination::Address),
        Just(ConnectionDestination::Authority),
    ];
    let settings = (
        prop::sample::select(&DIRECTIONS[..]),
        prop::sample::select(&DESTINATIONS[..]),
    )
        .prop_map(|(direction, destination)| Settings { direction, destination });
    let lists = (
        settings,
        prop::sample::select(&SCOPES[..]),
        prop::sample::select(&TRANSPORTS[..]),
    );
    (
        lists,
        prop::option::of(address()),
        destination,
        any::<u16>(),
        any::<bool>(),
    )
        .prop_map(
            |((settings, scope, transport), source, destination, port, authenticated)| ConnectionFacts {
                settings,
                scope,
                source,
                destination,
                transport,
                port,
                authenticated,
            },
        )
}

proptest! {
    #[test]
    fn what_is_handed_over_is_taken_over(facts in facts()) {
        let host = FakeHost(Rc::new(World::default()));
        facts.hand_over(&host);
        prop_assert_eq!(ConnectionFacts::take_over(&host, facts.settings), Ok(facts));
    }

    #[test]
    fn other_bytes_are_not_facts(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Some(facts) = ConnectionFacts::decode(&bytes) {
            prop_assert_eq!(bytes[0], VERSION);
            prop_assert_eq!(bytes.len(), facts.encode().len());
        }
    }
}

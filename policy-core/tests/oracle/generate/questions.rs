//! Questions about the endpoints of the world and everybody they might meet.

use policy_core::{Direction, HttpRequest, Protocol};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::evaluator::{KafkaFact, Message, PeerFact, Question};

/// Those that rules select come up more often.
const SUBJECTS: [&str; 12] = [
    "shop/web",
    "shop/web",
    "shop/web",
    "shop/web",
    "shop/web",
    "shop/web",
    "shop/db",
    "shop/db-2",
    "ops/mon",
    "far/web",
    "kube/health",
    "shop/new",
];

const ADDRESSES: [&str; 18] = [
    "10.0.0.1",
    "fd00::1",
    "10.0.0.2",
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.4",
    "10.0.1.1",
    "10.0.0.9",
    "10.0.0.10",
    "10.0.9.1",
    "10.0.9.2",
    "10.0.9.3",
    "203.0.113.10",
    "198.51.100.7",
    "198.51.1.1",
    "93.184.216.34",
    "192.0.2.1",
    "2001:db8::1",
];

const NAMES: [&str; 5] = ["example.com", "A.Example.COM.", "a.b.example.com", "cdn.test", "other"];
const SERVER_NAMES: [&str; 6] = ["a.com", "A.COM", "x.a.com", "x.y.a.com", "b.org", "a.com."];

/// Every endpoint, once.
pub(crate) fn all_subjects() -> impl Iterator<Item = &'static str> {
    SUBJECTS.into_iter().skip(5)
}

pub(crate) fn question() -> impl Strategy<Value = Question> {
    let direction = select(&[Direction::Ingress, Direction::Egress][..]);
    (
        select(&SUBJECTS[..]),
        direction,
        peer(),
        port(),
        sni(),
        message(),
        any::<bool>(),
    )
        .prop_map(
            |(subject, direction, peer, (protocol, port), sni, message, authenticated)| Question {
                subject,
                direction,
                peer,
                protocol,
                port,
                // Who asks for a name speaks no TLS.
                sni: if matches!(message, Some(Message::Dns(_))) {
                    None
                } else {
                    sni
                },
                message,
                authenticated,
            },
        )
}

fn peer() -> impl Strategy<Value = PeerFact> {
    prop_oneof![
        12 => select(&ADDRESSES[..]).prop_map(|text| PeerFact::Address(text.parse().expect("an address"))),
        1 => select(&NAMES[..]).prop_map(PeerFact::Name),
        1 => Just(PeerFact::Unknown),
    ]
}

/// Ports that rules are for, and types of messages.
fn port() -> impl Strategy<Value = (Protocol, u16)> {
    prop_oneof![
        12 => (Just(Protocol::Tcp), select(&[80, 80, 81, 443, 443, 53][..])),
        3 => (Just(Protocol::Udp), select(&[53, 53, 80, 81][..])),
        1 => select(&[
            (Protocol::Sctp, 80),
            (Protocol::Sctp, 53),
            (Protocol::Icmp, 8),
            (Protocol::Icmp, 0),
            (Protocol::IcmpV6, 80),
            (Protocol::IcmpV6, 8),
        ][..]),
    ]
}

fn sni() -> impl Strategy<Value = Option<Option<&'static str>>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(None)),
        5 => select(&SERVER_NAMES[..]).prop_map(|name| Some(Some(name))),
    ]
}

fn message() -> impl Strategy<Value = Option<Message>> {
    prop_oneof![
        3 => Just(None),
        5 => http().prop_map(Some),
        2 => select(&NAMES[..]).prop_map(|name| Some(Message::Dns(name))),
        2 => kafka().prop_map(Some),
    ]
}

fn http() -> impl Strategy<Value = Message> {
    let header = (select(&["x-key", "X-Key", "other"][..]), select(&["1", "2", ""][..]));
    let text =
        |texts: &'static [&'static str]| option::weighted(0.9, select(texts).prop_map(|text| text.as_bytes().to_vec()));
    (
        text(&["GET", "GETX", "HEAD", "POST"]),
        text(&["/a", "/a?x=1", "/v12/a", "/v/a", "/b", "/a\n"]),
        text(&["foo.com", "fooXcom", "foo.com:80"]),
        vec(header, 0..3),
    )
        .prop_map(|(method, path, authority, headers)| {
            let headers = headers.into_iter();
            Message::Http(HttpRequest {
                method,
                path,
                authority,
                headers: headers.map(|(name, value)| (name.into(), value.into())).collect(),
            })
        })
}

fn kafka() -> impl Strategy<Value = Message> {
    let topics = vec(select(&["t1", "t2", "t3"][..]), 0..3);
    (
        select(&[0_i16, 1, 3, 18, 22][..]),
        0..2_i16,
        select(&["me", "you"][..]),
        topics,
    )
        .prop_map(|(api_key, api_version, client_id, topics)| {
            Message::Kafka(KafkaFact {
                api_key,
                api_version,
                client_id,
                topics,
            })
        })
}

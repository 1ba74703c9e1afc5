//! How peers must have proven who they are (semantics §7.7).

use crate::world::*;
use policy_core::{
    Direction, Engine, Flow, Peer, Protocol, Reason,
    bundle::{Authentication, Element, NamedPort, PortNumbers, PortPattern, PortRule},
};

fn asked(element: Element, mode: Authentication) -> Element {
    Element {
        authentication: Some(mode),
        ..element
    }
}

fn ask(engine: &Engine, source: &str, port: u16, authenticated: bool) -> policy_core::Verdict {
    let identity = |address: &str| engine.identity_of(address.parse().expect("address"));
    let flow = Flow {
        direction: Direction::Ingress,
        subject: identity(WEB),
        peer: Peer::Identity(identity(source)),
        protocol: Protocol::Tcp,
        port,
        authenticated,
    };
    engine.connection(&flow).verdict()
}

#[test]
fn a_mode_is_inherited_unless_one_is_set() {
    use Authentication::{Disabled, Required, TestAlwaysFail};
    let db_any = || from([db()]);
    let on_80 = |element| with(element, tcp(80, 80), PortRule::default());
    for (elements, port, want, why) in [
        (
            vec![asked(db_any(), Required), on_80(db_any())],
            80,
            Some(Required),
            "from the broader rule for the peer",
        ),
        (
            vec![asked(db_any(), Required), on_80(db_any())],
            81,
            Some(Required),
            "the broader rule itself",
        ),
        (
            vec![asked(db_any(), Required), asked(on_80(db_any()), Disabled)],
            80,
            Some(Disabled),
            "one that is set stays",
        ),
        (
            vec![asked(on_80(anyone()), Required), db_any()],
            80,
            Some(Required),
            "from the rule for any peer",
        ),
        (
            vec![asked(on_80(anyone()), Required), db_any()],
            81,
            None,
            "which is not for this port",
        ),
        (
            vec![asked(on_80(anyone()), TestAlwaysFail), asked(on_80(db_any()), Required)],
            80,
            Some(Required),
            "the peer before any",
        ),
        (
            vec![asked(on_80(anyone()), Required), asked(db_any(), TestAlwaysFail)],
            80,
            Some(TestAlwaysFail),
            "the peer before any, whatever the ports",
        ),
        (vec![on_80(db_any())], 80, None, "nobody asks"),
    ] {
        let engine = engine([ingress(elements)]);
        assert_eq!(ask(&engine, DB, port, true).authentication, want, "{why}");
    }
}

#[test]
fn a_peer_without_proof_is_refused_where_one_is_asked_for() {
    for (mode, proven, want) in [
        (Authentication::Disabled, false, true),
        (Authentication::Required, false, false),
        (Authentication::Required, true, true),
        (Authentication::TestAlwaysFail, true, false),
    ] {
        let engine = engine([ingress([asked(from([db()]), mode)])]);
        let verdict = ask(&engine, DB, 80, proven);
        assert_eq!(verdict.allows(), want, "{mode:?} {proven}");
        if !want {
            assert_eq!(verdict.reason, Reason::NotAuthenticated);
        }
    }
}

#[test]
fn a_port_name_is_as_wide_as_the_range_that_matches() {
    let mut bundle = world([ingress([
        asked(on_http(Some(443)), Authentication::Disabled),
        asked(
            with(anyone(), tcp(80, 81), PortRule::default()),
            Authentication::Required,
        ),
    ])]);
    let ports = &mut bundle.identities[0].ports;
    ports.push(NamedPort {
        port: 80,
        ..ports[0].clone()
    });
    let engine = Engine::new(bundle).expect("a good bundle");
    let verdict = ask(&engine, DB, 80, true);
    assert_eq!(
        verdict.authentication,
        Some(Authentication::Required),
        "80-443 is wider than 80-81"
    );
}

fn on_http(end: Option<u16>) -> Element {
    let numbers = PortNumbers::Named {
        name: "http".into(),
        end,
    };
    let protocol = Protocol::Tcp;
    with(anyone(), PortPattern::Port { protocol, numbers }, PortRule::default())
}

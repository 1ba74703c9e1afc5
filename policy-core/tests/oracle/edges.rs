//! Questions that chance alone meets rarely, answered by engine and oracle, with the rules in either order.

use policy_core::{
    Decision::{self, Allow, Deny},
    Direction, Protocol,
    bundle::{
        DefaultDeny, Element, Listener, PeerPattern, Peers, PortNumbers, PortPattern, PortRule, ReservedEntity, Rule,
    },
};

use crate::{
    agreement::{ask, engine, summary},
    evaluator::{PeerFact, Question, evaluate},
    generate,
};

/// A listener whose entry is for one server name. All have the same priority.
fn listener(peers: Peers, (first, last): (u16, u16), name: &str, server_name: &str) -> Element {
    let port = PortPattern::Port {
        protocol: Protocol::Tcp,
        numbers: PortNumbers::Range(first, last),
    };
    let rule = PortRule {
        ports: vec![port],
        server_names: vec![server_name.into()],
        listener: Some(Listener {
            name: name.into(),
            priority: Some(5),
        }),
        ..PortRule::default()
    };
    Element {
        ports: Some(vec![rule]),
        ..everything(peers)
    }
}

fn everything(peers: Peers) -> Element {
    Element {
        peers,
        ports: None,
        authentication: None,
    }
}

fn check(egress: [Element; 2], denies: &[Element], asked: (PeerFact, &'static str), want: Decision, why: &str) {
    for turns in 0..2 {
        let mut egress = egress.to_vec();
        egress.rotate_left(turns);
        let default_deny = DefaultDeny {
            ingress: false,
            egress: true,
        };
        let bundle = generate::bundle_of(vec![Rule {
            default_deny,
            egress,
            egress_deny: denies.to_vec(),
            ..Rule::new("spec", 0)
        }]);
        let question = Question {
            subject: "shop/web",
            direction: Direction::Egress,
            peer: asked.0,
            protocol: Protocol::Tcp,
            port: 80,
            sni: Some(Some(asked.1)),
            message: None,
            authenticated: false,
        };
        let answer = evaluate(&bundle, &question);
        assert_eq!(answer.decision, want, "the oracle: {why}");
        assert_eq!(summary(&ask(&engine(bundle), &question)), answer, "the engine: {why}");
    }
}

#[test]
fn one_of_several_listeners_takes_the_connection() {
    let db = PeerFact::Address("10.0.0.2".parse().expect("an address"));
    let app = || Peers::OneOf(vec![PeerPattern::Selector(1)]);
    let namespace = || Peers::OneOf(vec![PeerPattern::Selector(2)]);
    for (one, other, why) in [
        (
            listener(Peers::Any, (80, 80), "l2", "a.com"),
            listener(namespace(), (80, 443), "l1", "b.org"),
            "of two with one priority, that for fewer ports",
        ),
        (
            listener(namespace(), (80, 80), "l2", "a.com"),
            listener(Peers::Any, (80, 80), "l1", "b.org"),
            "then that for this peer",
        ),
        (
            listener(app(), (80, 80), "l1", "a.com"),
            listener(namespace(), (80, 80), "l2", "b.org"),
            "then that of the first name",
        ),
    ] {
        check([one.clone(), other.clone()], &[], (db, "a.com"), Allow, why);
        check([one, other], &[], (db, "b.org"), Deny, why);
    }
}

#[test]
fn nobody_is_not_anybody_who_is_not_known() {
    let peers = |pattern| everything(Peers::OneOf(vec![pattern]));
    let nobody = peers(PeerPattern::Entity(ReservedEntity::None));
    let somebody = peers(PeerPattern::Entity(ReservedEntity::World));
    for peer in [PeerFact::Unknown, PeerFact::Name("example.com")] {
        let allows = || [everything(Peers::Any), nobody.clone()];
        let why = "a deny of nobody denies nobody";
        check(allows(), std::slice::from_ref(&nobody), (peer, "a.com"), Allow, why);
        let why = "a deny of somebody may mean this one";
        check(allows(), std::slice::from_ref(&somebody), (peer, "a.com"), Deny, why);
    }
}

//! What one more element may change, and what it may not.
//!
//! All laws are about an element that joins a rule with an element in the same direction: the first one of a rule may
//! isolate an endpoint, and with that it may do anything.

use policy_core::{
    Bundle, Decision, Direction, Protocol,
    bundle::{Authentication, DefaultDeny, Element, PeerPattern, Peers, PortNumbers, PortPattern, PortRule, Rule},
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{
    agreement::{ask, case, engine},
    evaluator::{PeerFact, Question},
    generate::{self, Features},
    runner::check,
};

/// Where an element can join: policy, rule and direction.
type Place = (usize, usize, Direction);

/// A deny only takes away. It may end a contradiction, though, by leaving nothing of what was contradicted.
#[test]
fn one_more_deny_allows_nothing_and_contradicts_nothing() {
    let cases = (
        generate::bundle(),
        any::<Index>(),
        generate::deny(),
        vec(generate::question(), 40),
    );
    check(150, cases, |(bundle, at, deny, questions)| {
        let places = places(&bundle);
        prop_assume!(!places.is_empty());
        let mut more = bundle.clone();
        let (policy, rule, direction) = *at.get(&places);
        let rule = &mut more.policies[policy].rules[rule];
        match direction {
            Direction::Ingress => rule.ingress_deny.push(deny),
            Direction::Egress => rule.egress_deny.push(deny),
        }
        let [before, after] = [bundle.clone(), more].map(engine);
        for question in &questions {
            let [was, is] = [&before, &after].map(|engine| ask(engine, question).decision);
            let fine = match was {
                Decision::Allow => is != Decision::Conflict,
                Decision::Deny => is == Decision::Deny,
                Decision::Conflict => true,
            };
            prop_assert!(fine, "{was:?} became {is:?}: {}", case(&bundle, question));
        }
        Ok(())
    });
}

/// An allow without any settings only adds, if no rule asks for authentication: merging it with an entry that has
/// settings leaves these as they were, and lifts what the entry says about messages.
#[test]
fn one_more_plain_allow_denies_nothing_and_contradicts_nothing() {
    let features = Features {
        http: true,
        dns: true,
        kafka: false,
        tls: true,
        listener: false,
        authentication: false,
    };
    let others = Features {
        dns: false,
        kafka: true,
        listener: true,
        ..features
    };
    let bundle = prop_oneof![generate::bundle_with(features), generate::bundle_with(others)];
    let cases = (
        bundle,
        any::<Index>(),
        generate::plain_allow(false),
        vec(generate::question(), 40),
    );
    check(150, cases, |(bundle, at, allow, questions)| {
        let places = places(&bundle);
        prop_assume!(!places.is_empty());
        let more = one_more(&bundle, *at.get(&places), allow);
        let [before, after] = [bundle.clone(), more].map(engine);
        for question in &questions {
            let [was, is] = [&before, &after].map(|engine| ask(engine, question).decision);
            let fine = match was {
                Decision::Allow => is == Decision::Allow,
                Decision::Deny => is != Decision::Conflict,
                Decision::Conflict => is == Decision::Conflict,
            };
            prop_assert!(fine, "{was:?} became {is:?}: {}", case(&bundle, question));
        }
        Ok(())
    });
}

/// Why the law above is about allows without settings, in sets without authentication.
#[test]
fn one_more_allow_may_deny() {
    let on_port = |server_names| {
        Some(vec![PortRule {
            ports: vec![PortPattern::Port {
                protocol: Protocol::Tcp,
                numbers: PortNumbers::Range(443, 443),
            }],
            server_names,
            ..PortRule::default()
        }])
    };
    let element = |peers, ports, authentication| Element {
        peers,
        ports,
        authentication,
    };
    let db = || Peers::OneOf(vec![PeerPattern::Selector(1)]);
    let plain = || on_port(Vec::new());
    for (before, more, why) in [
        (
            vec![element(db(), plain(), None)],
            element(db(), on_port(vec!["a.com".into()]), None),
            "server names narrow what is allowed to the same peers on the same port",
        ),
        (
            vec![
                element(db(), None, Some(Authentication::Disabled)),
                element(Peers::Any, plain(), Some(Authentication::Required)),
            ],
            element(db(), plain(), None),
            "a more specific rule that says nothing inherits what a less specific one had switched off",
        ),
    ] {
        let bundle = generate::bundle_of(vec![Rule {
            default_deny: DefaultDeny {
                ingress: false,
                egress: true,
            },
            egress: before,
            ..Rule::new("spec", 0)
        }]);
        let question = Question {
            subject: "shop/web",
            direction: Direction::Egress,
            peer: PeerFact::Address("10.0.0.2".parse().expect("an address")),
            protocol: Protocol::Tcp,
            port: 443,
            sni: Some(None),
            message: None,
            authenticated: false,
        };
        let after = one_more(&bundle, (0, 0, Direction::Egress), more);
        let [was, is] = [bundle, after].map(|bundle| ask(&engine(bundle), &question).decision);
        assert_eq!([was, is], [Decision::Allow, Decision::Deny], "{why}");
    }
}

fn places(bundle: &Bundle) -> Vec<Place> {
    let mut places = Vec::new();
    for (i, policy) in bundle.policies.iter().enumerate() {
        for (j, rule) in policy.rules.iter().enumerate() {
            if !(rule.ingress.is_empty() && rule.ingress_deny.is_empty()) {
                places.push((i, j, Direction::Ingress));
            }
            if !(rule.egress.is_empty() && rule.egress_deny.is_empty()) {
                places.push((i, j, Direction::Egress));
            }
        }
    }
    places
}

fn one_more(bundle: &Bundle, (policy, rule, direction): Place, allow: Element) -> Bundle {
    let mut bundle = bundle.clone();
    let rule = &mut bundle.policies[policy].rules[rule];
    match direction {
        Direction::Ingress => rule.ingress.push(allow),
        Direction::Egress => rule.egress.push(allow),
    }
    bundle
}

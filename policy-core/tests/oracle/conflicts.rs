//! Rules that contradict each other refuse everything to the endpoints they select, and nothing to others.

use policy_core::{
    Bundle, Decision, Direction, Protocol,
    bundle::{
        Authentication, DefaultDeny, DnsRule, Element, Enforcement, HttpRule, KafkaRule, L7Rules, Listener, Mode,
        Peers, Policy, PortNumbers, PortPattern, PortRule, Rule,
    },
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    agreement::{ask, case, engine},
    generate,
    runner::check,
};

/// A port that no generated rule is for by itself, so that nothing merges with the contradiction.
const PORT: PortPattern = PortPattern::Port {
    protocol: Protocol::Tcp,
    numbers: PortNumbers::Range(7777, 7777),
};
/// The selector `app=web`, and who it selects.
const SUBJECT: u32 = 0;
const SELECTED: [&str; 2] = ["shop/web", "far/web"];

#[test]
fn a_contradiction_refuses_everything_to_whom_it_selects_and_changes_nothing_else() {
    let direction = select(vec![Direction::Ingress, Direction::Egress]);
    let contradiction = (select(contradictions()), direction).prop_map(|(pair, direction)| policy(pair, direction));
    let cases = (generate::bundle(), contradiction, vec(generate::question(), 40));
    check(150, cases, |(bundle, contradiction, questions)| {
        let before = engine(bundle.clone());
        let after = engine(with(&bundle, contradiction));
        for question in &questions {
            let [was, is] = [&before, &after].map(|engine| ask(engine, question));
            let concerned = SELECTED.contains(&question.subject) && bundle.options.enforcement != Enforcement::Never;
            if !concerned {
                prop_assert_eq!(was, is, "{}", case(&bundle, question));
                continue;
            }
            prop_assert_eq!(is.decision, Decision::Conflict, "{}", case(&bundle, question));
            prop_assert!(!is.allows() && !is.proxied);
            let named = [is.rule, is.conflicts_with].map(|rule| rule.map(|rule| rule.object().to_owned()));
            if was.decision != Decision::Conflict {
                let both = [(); 2].map(|()| Some("CiliumNetworkPolicy/contradiction".to_owned()));
                prop_assert_eq!(named, both, "both rules are named");
            }
        }
        Ok(())
    });
}

#[test]
fn a_deny_of_the_same_peers_and_port_leaves_nothing_to_contradict() {
    let cases = (
        generate::bundle(),
        select(contradictions()),
        vec(generate::question(), 20),
    );
    check(60, cases, |(bundle, pair, questions)| {
        let mut denied = policy(pair, Direction::Egress);
        let plain = PortRule {
            ports: vec![PORT],
            ..PortRule::default()
        };
        denied.rules[0].egress_deny = vec![element(plain, None)];
        let [before, after] = [bundle.clone(), with(&bundle, denied)].map(engine);
        for question in &questions {
            let [was, is] = [&before, &after].map(|engine| ask(engine, question).decision);
            prop_assert_eq!(
                was == Decision::Conflict,
                is == Decision::Conflict,
                "{}",
                case(&bundle, question)
            );
        }
        Ok(())
    });
}

/// Pairs of elements that cannot both hold.
fn contradictions() -> Vec<[Element; 2]> {
    let plain = || PortRule {
        ports: vec![PORT],
        ..PortRule::default()
    };
    let http = || PortRule {
        rules: Some(L7Rules::Http(vec![HttpRule::default()])),
        ..plain()
    };
    let kafka = PortRule {
        rules: Some(L7Rules::Kafka(vec![KafkaRule::default()])),
        ..plain()
    };
    let names = PortRule {
        server_names: vec!["a.com".into()],
        ..plain()
    };
    let terminating = |secret: &str| PortRule {
        terminating_tls: Some(secret.into()),
        ..plain()
    };
    let originating = |secret: &str| PortRule {
        originating_tls: Some(secret.into()),
        ..plain()
    };
    let open = |rule| element(rule, None);
    vec![
        [open(http()), open(kafka)],
        [open(http()), open(names)],
        [open(terminating("a")), open(terminating("b"))],
        [open(originating("a")), open(originating("b"))],
        [
            element(plain(), Some(Authentication::Required)),
            element(plain(), Some(Authentication::Disabled)),
        ],
    ]
}

/// These are for egress only.
fn egress_contradictions() -> Vec<[Element; 2]> {
    let on_port = |rules, listener| PortRule {
        ports: vec![PORT],
        rules,
        listener,
        ..PortRule::default()
    };
    let http = || on_port(Some(L7Rules::Http(vec![HttpRule::default()])), None);
    let dns = on_port(Some(L7Rules::Dns(vec![DnsRule::MatchName("a.com".into())])), None);
    let listener = |name: &str, priority| {
        let name = name.into();
        on_port(None, Some(Listener { name, priority }))
    };
    [
        [http(), dns],
        [http(), listener("l1", Some(1))],
        [listener("l1", Some(7)), listener("l2", Some(7))],
        [listener("l1", None), listener("l2", None)],
    ]
    .map(|pair| pair.map(|rule| element(rule, None)))
    .into()
}

#[test]
fn every_contradiction_of_egress_is_one() {
    for pair in egress_contradictions().into_iter().chain(contradictions()) {
        let bundle = with(
            &generate::bundle_of(Vec::new()),
            policy(pair.clone(), Direction::Egress),
        );
        let engine = engine(bundle);
        for name in generate::all_subjects() {
            let flow = policy_core::Flow {
                direction: Direction::Ingress,
                subject: engine.endpoint(name).expect("a subject"),
                peer: policy_core::Peer::Unknown,
                protocol: Protocol::Tcp,
                port: 80,
                authenticated: true,
            };
            let conflicts = engine.connection(&flow).verdict().decision == Decision::Conflict;
            assert_eq!(conflicts, SELECTED.contains(&name), "{name}: {pair:?}");
        }
    }
}

fn element(rule: PortRule, authentication: Option<Authentication>) -> Element {
    Element {
        peers: Peers::Any,
        ports: Some(vec![rule]),
        authentication,
    }
}

/// A policy of these elements that isolates nobody.
fn policy(elements: [Element; 2], direction: Direction) -> Policy {
    let mut rule = Rule {
        default_deny: DefaultDeny::default(),
        ..Rule::new("spec", SUBJECT)
    };
    match direction {
        Direction::Ingress => rule.ingress = elements.into(),
        Direction::Egress => rule.egress = elements.into(),
    }
    Policy {
        kind: "CiliumNetworkPolicy".into(),
        namespace: None,
        name: "contradiction".into(),
        mode: Mode::Enforce,
        rules: vec![rule],
    }
}

fn with(bundle: &Bundle, policy: Policy) -> Bundle {
    let mut bundle = bundle.clone();
    bundle.policies.push(policy);
    bundle
}

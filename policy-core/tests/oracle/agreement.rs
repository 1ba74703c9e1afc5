//! Engine and oracle answer every question alike, and so do the engine's other ways to answer.

use policy_core::{
    Bundle, Carried, Decision, Engine, Explanation, Flow, KafkaRequest, Peer, Reason, Verdict, View, bundle::Policy,
};
use proptest::{collection::vec, prelude::*};

use crate::{
    evaluator::{self, Answer, Message, PeerFact, Question},
    generate,
    runner::check,
};

/// How often the interesting answers came up, so that a generator that no longer meets its rules is noticed.
#[derive(Default, Debug)]
struct Seen {
    allowed: u32,
    denied: u32,
    conflicts: u32,
    proxied: u32,
    refused_inside: u32,
    not_authenticated: u32,
}

#[test]
fn engine_and_oracle_agree() {
    let seen = std::cell::RefCell::new(Seen::default());
    check(
        1000,
        (generate::bundle(), vec(generate::question(), 50)),
        |(bundle, questions)| {
            let engine = engine(bundle.clone());
            for question in &questions {
                let verdict = ask(&engine, question);
                let answer = evaluator::evaluate(&bundle, question);
                prop_assert_eq!(summary(&verdict), answer, "{} {:?}", case(&bundle, question), verdict);
                prop_assert_eq!(
                    &explain(&engine, question).verdict,
                    &verdict,
                    "{}",
                    case(&bundle, question)
                );
                seen.borrow_mut().count(&verdict);
            }
            Ok(())
        },
    );
    seen.borrow().expect_variety();
}

#[test]
fn the_order_of_policies_rules_elements_and_ports_does_not_matter() {
    let shuffled = generate::bundle().prop_flat_map(|bundle| {
        let policies = Just(bundle.policies.clone()).prop_shuffle();
        (Just(bundle), policies, any::<u64>())
    });
    check(
        300,
        (shuffled, vec(generate::question(), 40)),
        |((bundle, policies, seed), questions)| {
            let policies = policies.into_iter().map(|policy| turned(policy, seed)).collect();
            let other = engine(Bundle {
                policies,
                ..bundle.clone()
            });
            let one = engine(bundle.clone());
            for question in &questions {
                let verdicts = [&one, &other].map(|engine| ask(engine, question));
                let [one, two] = verdicts.map(|verdict| (summary(&verdict), verdict.reason, verdict.layer));
                prop_assert_eq!(one, two, "{}", case(&bundle, question));
            }
            Ok(())
        },
    );
}

#[test]
fn a_bundle_decides_the_same_after_the_wire() {
    check(
        150,
        (generate::bundle(), vec(generate::question(), 20)),
        |(bundle, questions)| {
            let read = Bundle::from_json(&bundle.to_json()).expect("our own bytes");
            prop_assert_eq!(
                &Bundle {
                    digest: None,
                    ..read.clone()
                },
                &bundle
            );
            let [sent, read] = [bundle.clone(), read].map(engine);
            for question in &questions {
                prop_assert_eq!(
                    ask(&sent, question),
                    ask(&read, question),
                    "{}",
                    case(&bundle, question)
                );
            }
            Ok(())
        },
    );
}

/// Every list in another order, depending on the seed.
fn turned(mut policy: Policy, seed: u64) -> Policy {
    rotate(&mut policy.rules, seed);
    for rule in &mut policy.rules {
        for elements in [
            &mut rule.ingress,
            &mut rule.ingress_deny,
            &mut rule.egress,
            &mut rule.egress_deny,
        ] {
            rotate(elements, seed / 3);
            for ports in elements.iter_mut().filter_map(|element| element.ports.as_mut()) {
                rotate(ports, seed / 5);
                ports.iter_mut().for_each(|rule| rotate(&mut rule.ports, seed / 7));
            }
        }
    }
    policy
}

fn rotate<T>(list: &mut [T], seed: u64) {
    if seed % 2 == 1 {
        list.reverse();
    }
    let length = u64::try_from(list.len()).expect("a length").max(1);
    list.rotate_left(usize::try_from(seed % length).expect("less than a length"));
}

/// A question and what of the bundle is not the same in all of them, for people.
pub(crate) fn case(bundle: &Bundle, question: &Question) -> String {
    let varying = Bundle {
        options: bundle.options.clone(),
        policies: bundle.policies.clone(),
        ..Bundle::default()
    };
    format!("{}\n{question:?}", String::from_utf8_lossy(&varying.to_json()))
}

pub(crate) fn engine(bundle: Bundle) -> Engine {
    Engine::new(bundle).expect("a good bundle")
}

/// What the engine says to a question.
pub(crate) fn ask(engine: &Engine, question: &Question) -> Verdict {
    ask_as(View::Enforced, engine, question)
}

/// What it says in one view.
pub(crate) fn ask_as(view: View, engine: &Engine, question: &Question) -> Verdict {
    let sni = question.sni.map(|sni| sni.map(str::as_bytes));
    with_carried(question, |carried| {
        engine.connection_as(view, &flow(engine, question)).judge(sni, carried)
    })
}

fn explain(engine: &Engine, question: &Question) -> Explanation {
    let sni = question.sni.map(|sni| sni.map(str::as_bytes));
    with_carried(question, |carried| {
        engine.explain(&flow(engine, question), sni, carried)
    })
}

pub(crate) fn flow<'a>(engine: &Engine, question: &Question) -> Flow<'a> {
    Flow {
        direction: question.direction,
        subject: engine.endpoint(question.subject).expect("a known subject"),
        peer: match question.peer {
            PeerFact::Address(address) => Peer::Identity(engine.identity_of(address)),
            PeerFact::Name(name) => Peer::Name(name.as_bytes()),
            PeerFact::Unknown => Peer::Unknown,
        },
        protocol: question.protocol,
        port: question.port,
        authenticated: question.authenticated,
    }
}

pub(crate) fn with_carried<T>(question: &Question, ask: impl FnOnce(Option<Carried<'_>>) -> T) -> T {
    match &question.message {
        None => ask(None),
        Some(Message::Http(request)) => ask(Some(Carried::Http(request))),
        Some(Message::Dns(name)) => ask(Some(Carried::Dns(name.as_bytes()))),
        Some(Message::Kafka(fact)) => ask(Some(Carried::Kafka(&KafkaRequest {
            api_key: fact.api_key,
            api_version: fact.api_version,
            client_id: fact.client_id.as_bytes(),
            topics: fact.topics.iter().map(|topic| topic.as_bytes()).collect(),
        }))),
    }
}

pub(crate) fn summary(verdict: &Verdict) -> Answer {
    Answer {
        decision: verdict.decision,
        proxied: verdict.proxied,
        authentication: verdict.authentication,
    }
}

impl Seen {
    fn count(&mut self, verdict: &Verdict) {
        *match verdict.decision {
            Decision::Allow => &mut self.allowed,
            Decision::Deny => &mut self.denied,
            Decision::Conflict => &mut self.conflicts,
        } += 1;
        self.proxied += u32::from(verdict.proxied);
        self.refused_inside += u32::from(verdict.proxied && !verdict.allows());
        self.not_authenticated += u32::from(verdict.reason == Reason::NotAuthenticated);
    }

    fn expect_variety(&self) {
        let Self {
            allowed,
            denied,
            conflicts,
            proxied,
            refused_inside,
            not_authenticated,
        } = *self;
        let rarest = [allowed, denied, conflicts, proxied, refused_inside, not_authenticated];
        assert!(rarest.iter().all(|count| *count >= 300), "{self:?}");
    }
}

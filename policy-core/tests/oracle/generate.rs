//! Policy sets and questions, small enough that they meet often.

mod elements;
mod ports;
mod questions;
mod world;

use policy_core::{
    Bundle,
    bundle::{DefaultDeny, Mode, Options, Policy, Rule},
};
use proptest::{collection::vec, prelude::*};

pub(crate) use elements::{deny, plain_allow};
pub(crate) use questions::{all_subjects, question};

/// Which of the harder features the rules of a set use. Each alone meets itself often; too many of them contradict
/// each other all the time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    pub(crate) http: bool,
    pub(crate) dns: bool,
    pub(crate) kafka: bool,
    pub(crate) tls: bool,
    pub(crate) listener: bool,
    pub(crate) authentication: bool,
}

/// A policy set over the one world.
pub(crate) fn bundle() -> impl Strategy<Value = Bundle> {
    features().prop_flat_map(bundle_with)
}

/// A policy set that uses these features only.
pub(crate) fn bundle_with(features: Features) -> impl Strategy<Value = Bundle> {
    (world::options(), vec(policy(features), 0..5)).prop_map(|(options, policies)| {
        // A name of its own for each, as the compiler sees to it.
        let policies = policies.into_iter().enumerate().map(|(i, policy)| Policy {
            name: format!("p{i}"),
            ..policy
        });
        Bundle {
            policies: policies.collect(),
            ..world::world(options)
        }
    })
}

/// A policy set with policies in audit mode; now and then with all of them.
pub(crate) fn audited_bundle() -> impl Strategy<Value = Bundle> {
    let mode = prop_oneof![2 => Just(Mode::Enforce), 1 => Just(Mode::Audit)];
    (bundle(), vec(mode, 5), prop::bool::weighted(0.1)).prop_map(|(mut bundle, modes, all)| {
        bundle.options.audit = all;
        for (policy, mode) in bundle.policies.iter_mut().zip(modes) {
            policy.mode = mode;
        }
        bundle
    })
}

/// A policy set of one policy with these rules, or none.
pub(crate) fn bundle_of(rules: Vec<Rule>) -> Bundle {
    let policies = match rules.is_empty() {
        true => Vec::new(),
        false => vec![policy_of(rules)],
    };
    let options = Options {
        cluster: "here".into(),
        ..Options::default()
    };
    Bundle {
        policies,
        ..world::world(options)
    }
}

/// One alone, mostly, and now and then any of them together.
fn features() -> impl Strategy<Value = Features> {
    const NONE: Features = Features {
        http: false,
        dns: false,
        kafka: false,
        tls: false,
        listener: false,
        authentication: false,
    };
    const ALONE: [Features; 6] = [
        Features { http: true, ..NONE },
        Features { dns: true, ..NONE },
        Features { kafka: true, ..NONE },
        Features { tls: true, ..NONE },
        Features { listener: true, ..NONE },
        Features {
            authentication: true,
            ..NONE
        },
    ];
    let any = || prop::bool::weighted(0.4);
    let together =
        (any(), any(), any(), any(), any(), any()).prop_map(|(http, dns, kafka, tls, listener, authentication)| {
            Features {
                http,
                dns,
                kafka,
                tls,
                listener,
                authentication,
            }
        });
    prop_oneof![3 => prop::sample::select(&ALONE[..]), 2 => together]
}

fn policy(features: Features) -> impl Strategy<Value = Policy> {
    vec(rule(features), 1..3).prop_map(policy_of)
}

fn policy_of(rules: Vec<Rule>) -> Policy {
    let rules = rules.into_iter().enumerate().map(|(i, rule)| Rule {
        path: format!("specs[{i}]").into(),
        ..rule
    });
    Policy {
        kind: "CiliumNetworkPolicy".into(),
        namespace: Some("shop".into()),
        name: "p".into(),
        mode: Mode::Enforce,
        rules: rules.collect(),
    }
}

/// Any of its lists may be empty, all of them too.
fn rule(features: Features) -> impl Strategy<Value = Rule> {
    let strict = || prop::bool::weighted(0.75);
    let allows = |egress| vec(elements::allow(features, egress), 0..5);
    let denies = || prop_oneof![3 => Just(Vec::new()), 1 => vec(deny(), 1..3)];
    (
        prop::sample::select(&world::SUBJECT_SELECTORS[..]),
        (strict(), strict()),
        (allows(false), denies()),
        (allows(true), denies()),
    )
        .prop_map(|(subject, (ingress, egress), incoming, outgoing)| Rule {
            default_deny: DefaultDeny { ingress, egress },
            ingress: incoming.0,
            ingress_deny: incoming.1,
            egress: outgoing.0,
            egress_deny: outgoing.1,
            ..Rule::new("spec", subject)
        })
}

//! The parts of a rule, to be changed.

use policy_core::{
    Bundle, RuleRef,
    bundle::{Element, HttpRule, KafkaRule, L7Rules},
};

/// The element that a reference is about, or is a part of.
pub(super) fn element<'b>(bundle: &'b mut Bundle, reference: &RuleRef) -> &'b mut Element {
    let path = reference.path();
    let policies = bundle.policies.iter_mut().filter(|policy| {
        let name = match &policy.namespace {
            Some(namespace) => format!("{}/{namespace}/{}", policy.kind, policy.name),
            None => format!("{}/{}", policy.kind, policy.name),
        };
        name == reference.object()
    });
    let mut rules = policies.flat_map(|policy| &mut policy.rules);
    let rule = rules
        .find(|rule| path.starts_with(&format!("{}.", rule.path)))
        .expect("the rule");
    let rest = path
        .strip_prefix(&*rule.path)
        .expect("its path")
        .trim_start_matches('.');
    let (section, _) = rest.split_once('[').expect("a list");
    let list = match section {
        "ingress" => &mut rule.ingress,
        "ingressDeny" => &mut rule.ingress_deny,
        "egress" => &mut rule.egress,
        "egressDeny" => &mut rule.egress_deny,
        _ => panic!("no list of a rule: {section}"),
    };
    list.get_mut(index(rest, section)).expect("the element")
}

/// The HTTP rule of a reference.
pub(super) fn http<'b>(bundle: &'b mut Bundle, reference: &RuleRef) -> &'b mut HttpRule {
    match rules(bundle, reference) {
        L7Rules::Http(rules) => rules.get_mut(index(reference.path(), "http")).expect("the rule"),
        _ => panic!("no HTTP rules: {reference}"),
    }
}

/// The Kafka rule of a reference.
pub(super) fn kafka<'b>(bundle: &'b mut Bundle, reference: &RuleRef) -> &'b mut KafkaRule {
    match rules(bundle, reference) {
        L7Rules::Kafka(rules) => rules.get_mut(index(reference.path(), "kafka")).expect("the rule"),
        _ => panic!("no Kafka rules: {reference}"),
    }
}

fn rules<'b>(bundle: &'b mut Bundle, reference: &RuleRef) -> &'b mut L7Rules {
    let lists = element(bundle, reference).ports.as_mut().expect("ports");
    let list = lists.get_mut(index(reference.path(), "toPorts")).expect("the list");
    list.rules.as_mut().expect("its rules")
}

/// The number after a list of this name.
fn index(path: &str, list: &str) -> usize {
    let (_, rest) = path.rsplit_once(&format!("{list}[")).expect("the list");
    let (number, _) = rest.split_once(']').expect("its end");
    number.parse().expect("a number")
}

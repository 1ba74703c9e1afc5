//! Kubernetes `NetworkPolicy`, as Cilium reads it or as its specification says.

mod peer;
mod port;

use policy_core::{
    Direction,
    bundle::{DefaultDeny, PortRule},
};

use super::{Context, Cursor, cursor::closest, mode::mode, selector};
use crate::{
    diagnostic::Code,
    options::NetworkPolicyDialect,
    resource::{Element, LabelSelector, Peers, Policy, Rule},
};

/// The namespace of an object that does not say which.
const DEFAULT_NAMESPACE: &str = "default";
const POLICY_TYPES: [&str; 2] = ["Ingress", "Egress"];

/// The words of one direction.
struct Way {
    direction: Direction,
    policy_type: &'static str,
    rules: &'static str,
    peers: &'static str,
}

const INGRESS: Way = Way {
    direction: Direction::Ingress,
    policy_type: "Ingress",
    rules: "ingress",
    peers: "from",
};
const EGRESS: Way = Way {
    direction: Direction::Egress,
    policy_type: "Egress",
    rules: "egress",
    peers: "to",
};

/// Reads a `NetworkPolicy`: one rule that only ever allows, in the dialect of the options.
pub(super) fn network_policy(cx: &mut Context<'_>, root: &Cursor<'_>) -> Option<Policy> {
    root.fields(cx, &["apiVersion", "kind", "metadata", "spec", "status"]);
    let metadata = root.require(cx, "metadata", Code::A1)?;
    let name = metadata.text_of(cx, "name").filter(|name| !name.is_empty());
    if name.is_none() {
        cx.error(&metadata, Code::A1, "`metadata.name` is missing");
    }
    metadata.text_of(cx, "namespace");
    let mode = mode(cx, &metadata);
    let namespace = match cx.object().namespace.as_str() {
        "" => DEFAULT_NAMESPACE.to_owned(),
        namespace => namespace.to_owned(),
    };
    let spec = root.require(cx, "spec", Code::MISSING_FIELD)?;
    let rule = rule(cx, &spec, &namespace);
    Some(Policy {
        kind: "NetworkPolicy".to_owned(),
        namespace: Some(namespace),
        name: name?.to_owned(),
        mode,
        rules: vec![rule],
    })
}

fn rule(cx: &mut Context<'_>, spec: &Cursor<'_>, namespace: &str) -> Rule {
    spec.fields(cx, &["podSelector", "policyTypes", INGRESS.rules, EGRESS.rules]);
    let subject = subject(cx, spec);
    let types = PolicyTypes::read(cx, spec);
    let ingress = elements(cx, spec, &INGRESS, &types, namespace);
    let egress = elements(cx, spec, &EGRESS, &types, namespace);
    Rule {
        path: spec.path(),
        subject,
        default_deny: DefaultDeny {
            ingress: !ingress.is_empty(),
            egress: !egress.is_empty(),
        },
        ingress,
        ingress_deny: Vec::new(),
        egress,
        egress_deny: Vec::new(),
    }
}

fn subject(cx: &mut Context<'_>, spec: &Cursor<'_>) -> LabelSelector {
    let Some(at) = spec.get("podSelector") else {
        if spec.map(cx).is_some() {
            cx.warning(
                spec,
                Code::MATCHES_MORE,
                "without `podSelector` it applies to every pod of the namespace",
            )
            .help("write `podSelector: {}` if that is what you mean");
        }
        return LabelSelector::default();
    };
    selector::selector_over(cx, &at, selector::Over::Pods)
}

/// What `policyTypes` lists. A list that is missing or empty lists nothing, and the dialects agree on what that means.
struct PolicyTypes {
    ingress: bool,
    egress: bool,
}

impl PolicyTypes {
    fn read(cx: &mut Context<'_>, spec: &Cursor<'_>) -> Self {
        let items = spec.items_of(cx, "policyTypes");
        let mut types = Self {
            ingress: false,
            egress: false,
        };
        for item in &items {
            match item.text(cx) {
                Some("Ingress") => types.ingress = true,
                Some("Egress") => types.egress = true,
                // The agent looks for the types it knows and ignores the rest.
                Some(other) if cx.at_cluster() => {
                    let diagnostic = cx.error(item, Code::K2, format!("unknown policy type `{other}`"));
                    match closest(other, &POLICY_TYPES) {
                        Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
                        None => diagnostic.help("the policy types are Ingress and Egress"),
                    };
                }
                _ => {}
            }
        }
        if items.len() > POLICY_TYPES.len()
            && cx.at_cluster()
            && let Some(list) = spec.get("policyTypes")
        {
            let message = format!(
                "lists {} policy types, there are only {}",
                items.len(),
                POLICY_TYPES.len()
            );
            cx.error(&list, Code::K2, message);
        }
        types
    }

    fn is_missing(&self) -> bool {
        !self.ingress && !self.egress
    }

    fn lists(&self, direction: Direction) -> bool {
        match direction {
            Direction::Ingress => self.ingress,
            Direction::Egress => self.egress,
        }
    }

    /// Whether the policy isolates its subject in this direction.
    fn isolates(&self, direction: Direction, has_rules: bool, dialect: NetworkPolicyDialect) -> bool {
        match (dialect, direction) {
            // The API server completes a missing list: ingress always, egress if there is a rule for it.
            (NetworkPolicyDialect::Kubernetes, Direction::Ingress) => self.is_missing() || self.ingress,
            (NetworkPolicyDialect::Kubernetes, Direction::Egress) => self.egress || (self.is_missing() && has_rules),
            (NetworkPolicyDialect::Cilium, Direction::Ingress) => has_rules || self.ingress || !self.egress,
            (NetworkPolicyDialect::Cilium, Direction::Egress) => has_rules || self.egress,
        }
    }
}

/// The rules of one direction; a single element that matches nothing where the policy isolates without any rule.
fn elements(cx: &mut Context<'_>, spec: &Cursor<'_>, way: &Way, types: &PolicyTypes, namespace: &str) -> Vec<Element> {
    let items = spec.items_of(cx, way.rules);
    let elements: Vec<Element> = items.iter().map(|item| element(cx, item, way, namespace)).collect();
    let has_rules = !elements.is_empty();
    let dialect = cx.options.network_policy;
    if has_rules && !types.is_missing() && !types.lists(way.direction) {
        warn_about_types(cx, spec, way, dialect);
    }
    match types.isolates(way.direction, has_rules, dialect) {
        false => Vec::new(),
        true if has_rules => elements,
        true => vec![Element {
            peers: Peers::Nothing,
            ports: None,
            authentication: None,
        }],
    }
}

fn warn_about_types(cx: &mut Context<'_>, spec: &Cursor<'_>, way: &Way, dialect: NetworkPolicyDialect) {
    let Way { policy_type, rules, .. } = way;
    let at = spec.get(rules).unwrap_or_else(|| spec.clone());
    let message = match dialect {
        NetworkPolicyDialect::Cilium => format!(
            "these rules count although `policyTypes` does not list `{policy_type}`; Kubernetes would ignore them"
        ),
        NetworkPolicyDialect::Kubernetes => format!(
            "these rules are ignored because `policyTypes` does not list `{policy_type}`; Cilium would apply them"
        ),
    };
    cx.warning(&at, Code::DIALECT, message)
        .help(format!("add `{policy_type}` to `policyTypes`, or remove `{rules}`"));
}

fn element(cx: &mut Context<'_>, at: &Cursor<'_>, way: &Way, namespace: &str) -> Element {
    at.fields(cx, &["ports", way.peers]);
    let peers = at.items_of(cx, way.peers);
    let ports = at.items_of(cx, "ports");
    warn_about_all(cx, at, way, peers.is_empty(), ports.is_empty());
    let found = peers
        .iter()
        .filter_map(|item| peer::peer(cx, item, namespace))
        .collect();
    let patterns = ports
        .iter()
        .flat_map(|item| port::port(cx, item, way.direction))
        .collect();
    let rule = PortRule {
        ports: patterns,
        ..PortRule::default()
    };
    Element {
        peers: if peers.is_empty() {
            Peers::Any
        } else {
            Peers::OneOf(found)
        },
        ports: (!ports.is_empty()).then(|| vec![rule]),
        authentication: None,
    }
}

/// What is empty here is everything, the opposite of what it is in a `CiliumNetworkPolicy`.
fn warn_about_all(cx: &mut Context<'_>, at: &Cursor<'_>, way: &Way, any_peer: bool, any_port: bool) {
    let Way { peers, rules, .. } = way;
    if any_peer && any_port {
        cx.note(
            at,
            Code::MATCHES_MORE,
            format!("a rule without `{peers}` and `ports` allows all {rules}"),
        )
        .help(format!(
            "`{rules}: []` with `{}` in `policyTypes` allows none",
            way.policy_type
        ));
    } else if any_peer && let Some(list) = at.get(peers) {
        let message = format!("an empty `{peers}` is the same as none: any peer matches");
        cx.warning(&list, Code::MATCHES_MORE, message);
    } else if any_port && let Some(list) = at.get("ports") {
        cx.warning(
            &list,
            Code::MATCHES_MORE,
            "an empty `ports` is the same as none: every port matches",
        );
    }
}

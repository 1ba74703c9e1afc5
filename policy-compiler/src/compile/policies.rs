//! Policies to their wire form: selectors scoped and interned.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use policy_core::{
    FqdnPattern, Labels, Selector,
    bundle::{self, PeerPattern},
};

use crate::{
    options::{CompileOptions, UnresolvedServices},
    resource::{Element, Peer, Peers, Policy, Rule},
    scope::{self, Reach},
    world::World,
};

/// Policies and the selectors they refer to.
pub(super) struct Lowered {
    pub(super) policies: Vec<bundle::Policy>,
    pub(super) selectors: Vec<Selector>,
}

/// Lowers the rules that select one of `subjects`; all of them without.
pub(super) fn lower(world: &World, options: &CompileOptions, subjects: Option<&[Labels]>) -> Lowered {
    let cluster = options.policy_default_local_cluster.then_some(options.cluster.as_str());
    let mut lowering = Lowering {
        world,
        unresolved_services: options.unresolved_services,
        cluster,
        subjects,
        selectors: Interner::default(),
    };
    let policies = world
        .policies
        .iter()
        .filter_map(|policy| lowering.policy(policy))
        .collect();
    Lowered {
        policies,
        selectors: lowering.selectors.list,
    }
}

struct Lowering<'w> {
    world: &'w World,
    unresolved_services: UnresolvedServices,
    /// The local cluster, when selectors that do not mention a cluster mean that one.
    cluster: Option<&'w str>,
    subjects: Option<&'w [Labels]>,
    selectors: Interner,
}

/// Selectors in the order of their first use, which is that of the sorted policies.
#[derive(Default)]
struct Interner {
    list: Vec<Selector>,
    positions: HashMap<Selector, u32>,
}

impl Interner {
    fn add(&mut self, selector: Selector) -> u32 {
        // More selectors than a u32 counts do not fit in memory.
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        *self.positions.entry(selector).or_insert_with_key(|selector| {
            self.list.push(selector.clone());
            next
        })
    }
}

impl Lowering<'_> {
    /// `None` for a policy of which no rule is left.
    fn policy(&mut self, policy: &Policy) -> Option<bundle::Policy> {
        let rules: Vec<bundle::Rule> = policy
            .rules
            .iter()
            .filter_map(|rule| self.rule(rule, policy.namespace.as_deref()))
            .collect();
        (!rules.is_empty()).then(|| bundle::Policy {
            kind: policy.kind.clone(),
            namespace: policy.namespace.clone(),
            name: policy.name.clone(),
            mode: policy.mode,
            rules,
        })
    }

    fn rule(&mut self, rule: &Rule, namespace: Option<&str>) -> Option<bundle::Rule> {
        let subject = scope::subject(&rule.subject, namespace);
        if self
            .subjects
            .is_some_and(|subjects| !subjects.iter().any(|labels| subject.matches(labels)))
        {
            return None;
        }
        let reach = Reach::new(namespace, &rule.subject);
        let subject = self.selectors.add(subject);
        let mut elements = |list: &[Element]| list.iter().map(|element| self.element(element, reach)).collect();
        Some(bundle::Rule {
            path: rule.path.as_str().into(),
            subject,
            default_deny: rule.default_deny,
            ingress: elements(&rule.ingress),
            ingress_deny: elements(&rule.ingress_deny),
            egress: elements(&rule.egress),
            egress_deny: elements(&rule.egress_deny),
        })
    }

    fn element(&mut self, element: &Element, reach: Reach<'_>) -> bundle::Element {
        bundle::Element {
            peers: self.peers(element, reach),
            ports: element.ports.clone(),
            authentication: element.authentication,
        }
    }

    fn peers(&mut self, element: &Element, reach: Reach<'_>) -> bundle::Peers {
        // Without peers it is for any of them if it has ports; without either it is for nothing.
        let unspecified = match &element.ports {
            None => bundle::Peers::None,
            Some(_) => bundle::Peers::Any,
        };
        match &element.peers {
            Peers::Unspecified => unspecified,
            Peers::Any => bundle::Peers::Any,
            Peers::Nothing => bundle::Peers::None,
            Peers::OneOf(peers) => self.patterns(peers, reach),
            Peers::Services(services) => {
                let found = self.world.peers_behind(&services.wanted);
                match self.unresolved_services {
                    _ if !found.is_empty() => self.patterns(&found, reach),
                    UnresolvedServices::Nothing => bundle::Peers::None,
                    UnresolvedServices::Cilium => unspecified,
                }
            }
        }
    }

    fn patterns(&mut self, peers: &[Peer], reach: Reach<'_>) -> bundle::Peers {
        bundle::Peers::OneOf(peers.iter().map(|peer| self.pattern(peer, reach)).collect())
    }

    fn pattern(&mut self, peer: &Peer, reach: Reach<'_>) -> PeerPattern {
        match peer {
            Peer::Pattern(pattern) => pattern.clone(),
            Peer::Endpoints(selector) => {
                PeerPattern::Selector(self.selectors.add(scope::peer(selector, reach, self.cluster)))
            }
            Peer::Nodes(selector) => PeerPattern::Selector(self.selectors.add(scope::nodes(selector, self.cluster))),
            Peer::External { selector, except } => PeerPattern::External {
                selector: self.selectors.add(scope::as_written(selector)),
                except: except.clone(),
            },
        }
    }
}

/// The names of a bundle, in their canonical form. `trim` leaves out those that no policy asks for.
pub(super) fn names(
    known: &BTreeMap<String, Vec<IpAddr>>,
    policies: &[bundle::Policy],
    trim: bool,
) -> BTreeMap<String, Vec<IpAddr>> {
    let patterns = if trim { patterns(policies) } else { Vec::new() };
    let mut names: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for (name, addresses) in known {
        if !trim || patterns.iter().any(|pattern| pattern.matches(name.as_bytes())) {
            let canonical = format!("{}.", name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase());
            names.entry(canonical).or_default().extend(addresses);
        }
    }
    names
        .into_iter()
        .map(|(name, addresses)| (name, addresses.into_iter().collect()))
        .collect()
}

/// The DNS names and patterns of all policies. Only egress allows can have any.
fn patterns(policies: &[bundle::Policy]) -> Vec<FqdnPattern> {
    let rules = policies.iter().flat_map(|policy| &policy.rules);
    let peers = rules
        .flat_map(|rule| &rule.egress)
        .filter_map(|element| match &element.peers {
            bundle::Peers::OneOf(patterns) => Some(patterns),
            bundle::Peers::Any | bundle::Peers::None => None,
        });
    let parse = |pattern: &PeerPattern| match pattern {
        PeerPattern::MatchName(name) => FqdnPattern::name(name).ok(),
        PeerPattern::MatchPattern(pattern) => FqdnPattern::pattern(pattern).ok(),
        _ => None,
    };
    peers.flatten().filter_map(parse).collect()
}

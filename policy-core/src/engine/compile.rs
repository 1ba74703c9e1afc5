//! From wire rules to matchers: every index checked, every pattern compiled, every error collected.

mod checks;

use alloc::{boxed::Box, format, rc::Rc, string::String, vec::Vec};
use ipnet::IpNet;

use crate::{
    address::canonical_prefix,
    bundle::{BundleError, Element, PeerPattern, Peers, Policy, PortPattern, PortRule, ReservedEntity, Rule},
    flow::Direction,
    fqdn::FqdnPattern,
    http::{HttpPattern, PatternCache},
    selector::Selector,
    verdict::RuleRef,
};
use checks::{is_tcp, list_of, wrong_ports, wrong_source};

/// What an element asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Allow,
    Deny,
}

/// A rule, ready to be matched against subjects.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) rule: RuleRef,
    pub(crate) subject: u32,
    ingress: RuleSide,
    egress: RuleSide,
}

/// The elements of a rule in one direction.
#[derive(Debug)]
pub(crate) struct RuleSide {
    pub(crate) default_deny: bool,
    pub(crate) elements: Vec<Rc<CompiledElement>>,
}

/// An element, ready to be matched against peers and ports.
#[derive(Debug)]
pub(crate) struct CompiledElement {
    pub(crate) rule: RuleRef,
    pub(crate) action: Action,
    pub(crate) peers: PeerSet,
    pub(crate) ports: PortSet,
}

#[derive(Debug)]
pub(crate) enum PeerSet {
    Any,
    /// Possibly empty: then nobody.
    OneOf(Vec<PeerMatcher>),
}

#[derive(Debug)]
pub(crate) enum PeerMatcher {
    Selector(u32),
    Entity(ReservedEntity),
    Cidr { prefix: IpNet, except: Vec<IpNet> },
    Fqdn(FqdnPattern),
}

#[derive(Debug)]
pub(crate) enum PortSet {
    All,
    /// Possibly empty: then none.
    OneOf(Vec<CompiledPorts>),
}

#[derive(Debug)]
pub(crate) struct CompiledPorts {
    pub(crate) rule: RuleRef,
    pub(crate) patterns: Vec<PortPattern>,
    pub(crate) http: Option<Vec<HttpPattern>>,
}

impl CompiledRule {
    pub(crate) fn side(&self, direction: Direction) -> &RuleSide {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// Every prefix that the rule mentions.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        let elements = self.ingress.elements.iter().chain(&self.egress.elements);
        let matchers = elements.flat_map(|element| match &element.peers {
            PeerSet::Any => [].iter(),
            PeerSet::OneOf(matchers) => matchers.iter(),
        });
        matchers.flat_map(|matcher| match matcher {
            PeerMatcher::Cidr { prefix, except } => core::iter::once(*prefix).chain(except.iter().copied()).collect(),
            PeerMatcher::Selector(_) | PeerMatcher::Entity(_) | PeerMatcher::Fqdn(_) => Vec::new(),
        })
    }
}

/// Compiles all policies of a bundle.
pub(super) fn policies(
    policies: Vec<Policy>,
    selectors: &[Selector],
    errors: &mut Vec<BundleError>,
) -> Vec<CompiledRule> {
    errors.extend(
        selectors
            .iter()
            .enumerate()
            .filter_map(|(i, selector)| wrong_source(i, selector)),
    );
    let mut compiler = Compiler {
        selectors: selectors.len(),
        patterns: PatternCache::default(),
        errors,
    };
    policies
        .into_iter()
        .flat_map(|policy| compiler.policy(policy))
        .collect()
}

struct Compiler<'a> {
    selectors: usize,
    patterns: PatternCache,
    errors: &'a mut Vec<BundleError>,
}

impl Compiler<'_> {
    fn policy(&mut self, policy: Policy) -> Vec<CompiledRule> {
        let Policy {
            kind,
            namespace,
            name,
            rules,
        } = policy;
        let object = match namespace {
            Some(namespace) => format!("{kind}/{namespace}/{name}"),
            None => format!("{kind}/{name}"),
        };
        if rules.is_empty() {
            self.errors.push(BundleError::Invalid {
                at: object.clone(),
                reason: "a policy needs a rule",
            });
        }
        rules.into_iter().map(|rule| self.rule(&object, rule)).collect()
    }

    fn rule(&mut self, object: &str, rule: Rule) -> CompiledRule {
        let Rule {
            path,
            subject,
            default_deny,
            ingress,
            ingress_deny,
            egress,
            egress_deny,
        } = rule;
        let at = format!("{object} {path}");
        self.check_selector(subject, &at);
        let mut side = |default_deny, allow: (&str, Vec<Element>), deny: (&str, Vec<Element>)| {
            let mut elements = self.elements(Action::Allow, &at, allow);
            elements.extend(self.elements(Action::Deny, &at, deny));
            RuleSide { default_deny, elements }
        };
        let ingress = side(
            default_deny.ingress,
            ("ingress", ingress),
            ("ingressDeny", ingress_deny),
        );
        let egress = side(default_deny.egress, ("egress", egress), ("egressDeny", egress_deny));
        CompiledRule {
            rule: RuleRef::new(&at),
            subject,
            ingress,
            egress,
        }
    }

    fn elements(
        &mut self,
        action: Action,
        rule: &str,
        (section, elements): (&str, Vec<Element>),
    ) -> Vec<Rc<CompiledElement>> {
        let place = |i| format!("{rule}.{section}[{i}]");
        elements
            .into_iter()
            .enumerate()
            .map(|(i, element)| Rc::new(self.element(action, place(i), element)))
            .collect()
    }

    fn element(&mut self, action: Action, at: String, element: Element) -> CompiledElement {
        let Element { peers, ports } = element;
        let peers = match peers {
            Peers::Any => PeerSet::Any,
            Peers::None => PeerSet::OneOf(Vec::new()),
            Peers::OneOf(patterns) => PeerSet::OneOf(
                patterns
                    .into_iter()
                    .filter_map(|pattern| self.peer(pattern, &at))
                    .collect(),
            ),
        };
        let ports = match ports {
            None => PortSet::All,
            Some(rules) => {
                let rules = rules.into_iter().enumerate();
                let place = |i, rule: &PortRule| format!("{at}.{}[{i}]", list_of(rule));
                PortSet::OneOf(
                    rules
                        .map(|(i, rule)| self.ports(action, place(i, &rule), rule))
                        .collect(),
                )
            }
        };
        CompiledElement {
            rule: RuleRef::new(&at),
            action,
            peers,
            ports,
        }
    }

    fn peer(&mut self, pattern: PeerPattern, at: &str) -> Option<PeerMatcher> {
        let fqdn = |compiled: Result<_, crate::FqdnError>, input: Box<str>, errors: &mut Vec<BundleError>| {
            let refuse = |error| {
                errors.push(BundleError::Pattern {
                    at: at.into(),
                    input: input.into(),
                    reason: format!("{error}"),
                });
            };
            compiled.map_err(refuse).ok().map(PeerMatcher::Fqdn)
        };
        match pattern {
            PeerPattern::Selector(index) => {
                self.check_selector(index, at);
                Some(PeerMatcher::Selector(index))
            }
            PeerPattern::Entity(entity) => Some(PeerMatcher::Entity(entity)),
            PeerPattern::Cidr { prefix, except } => Some(PeerMatcher::Cidr {
                prefix: canonical_prefix(prefix),
                except: except.into_iter().map(canonical_prefix).collect(),
            }),
            PeerPattern::MatchName(name) => fqdn(FqdnPattern::name(&name), name, self.errors),
            PeerPattern::MatchPattern(pattern) => fqdn(FqdnPattern::pattern(&pattern), pattern, self.errors),
        }
    }

    fn ports(&mut self, action: Action, at: String, rule: PortRule) -> CompiledPorts {
        let PortRule { ports, http } = rule;
        let invalid = |reason| BundleError::Invalid { at: at.clone(), reason };
        if http.as_ref().is_some_and(Vec::is_empty) {
            self.errors.push(invalid(
                "an empty list of HTTP rules: leave it out to allow every request",
            ));
        }
        if http.is_some() && action == Action::Deny {
            self.errors.push(invalid("a deny rule cannot look into HTTP"));
        }
        if http.is_some() && ports.iter().any(|port| !is_tcp(port)) {
            self.errors.push(invalid("HTTP rules need TCP"));
        }
        self.errors.extend(ports.iter().filter_map(wrong_ports).map(invalid));
        let http = http.map(|rules| {
            let rules = rules.into_iter().enumerate();
            let place = |i| RuleRef::new(&format!("{at}.rules.http[{i}]"));
            rules
                .map(|(i, rule)| HttpPattern::compile(rule, place(i), &mut self.patterns, self.errors))
                .collect()
        });
        CompiledPorts {
            rule: RuleRef::new(&at),
            patterns: ports,
            http,
        }
    }

    fn check_selector(&mut self, index: u32, at: &str) {
        if usize::try_from(index).is_ok_and(|index| index < self.selectors) {
            return;
        }
        self.errors.push(BundleError::Dangling {
            at: at.into(),
            what: "selector",
            index,
        });
    }
}

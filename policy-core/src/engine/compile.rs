//! From wire rules to matchers: every index checked, every pattern compiled, every error collected.

mod checks;
mod inside;

use alloc::{format, rc::Rc, string::String, vec::Vec};
use ipnet::IpNet;

use super::entities::Selectors;
use crate::{
    address::canonical_prefix,
    bundle::{Authentication, BundleError, Element, Mode, PeerPattern, Peers, PortRule, ReservedEntity, Rule},
    flow::Direction,
    fqdn::{FqdnError, FqdnPattern},
    http::PatternCache,
    labels::Labels,
    verdict::RuleRef,
};
use checks::list_of;

pub(crate) use inside::{CompiledPorts, DnsPattern, L7, Settings};

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
    /// That of its policy.
    pub(crate) mode: Mode,
    /// The selector of its subjects. `None`: everybody, for a rule that nobody can read.
    subject: Option<u32>,
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
    pub(crate) authentication: Option<Authentication>,
}

#[derive(Debug)]
pub(crate) enum PeerSet {
    Any,
    /// Possibly empty: then nobody.
    OneOf(Vec<PeerMatcher>),
}

/// A way to name peers. Two that are equal are for the same peers and may be merged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum PeerMatcher {
    Selector(u32),
    Entity(ReservedEntity),
    Cidr { prefix: IpNet, except: Vec<IpNet> },
    External { selector: u32, except: Vec<IpNet> },
    Address { prefix: IpNet, except: Vec<IpNet> },
    Fqdn(FqdnPattern),
}

#[derive(Debug)]
pub(crate) enum PortSet {
    All,
    /// Possibly empty: then none.
    OneOf(Vec<CompiledPorts>),
}

impl CompiledRule {
    /// In the place of a rule that cannot be read: nothing passes where it might have been.
    pub(super) fn unreadable() -> Self {
        let rule = RuleRef::new("unreadable");
        let side = || {
            let element = CompiledElement {
                rule: rule.clone(),
                action: Action::Deny,
                peers: PeerSet::Any,
                ports: PortSet::All,
                authentication: None,
            };
            RuleSide {
                default_deny: true,
                elements: alloc::vec![Rc::new(element)],
            }
        };
        Self {
            mode: Mode::Enforce,
            subject: None,
            ingress: side(),
            egress: side(),
            rule,
        }
    }

    /// Whether subjects with these labels are its subjects.
    pub(super) fn selects(&self, labels: &Labels, selectors: &Selectors) -> bool {
        let selector = self.subject.and_then(|subject| selectors.get(subject));
        selector.is_none_or(|selector| selector.matches(labels))
    }

    pub(crate) fn side(&self, direction: Direction) -> &RuleSide {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// Every way to name peers that the rule uses.
    pub(crate) fn matchers(&self) -> impl Iterator<Item = &PeerMatcher> {
        let elements = self.ingress.elements.iter().chain(&self.egress.elements);
        elements.flat_map(|element| match &element.peers {
            PeerSet::Any => [].iter(),
            PeerSet::OneOf(matchers) => matchers.iter(),
        })
    }
}

impl PeerMatcher {
    /// The pattern of DNS names that it is, if it is one.
    pub(crate) fn fqdn(&self) -> Option<&FqdnPattern> {
        match self {
            Self::Fqdn(pattern) => Some(pattern),
            _ => None,
        }
    }

    /// Every prefix that it mentions.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        let (prefix, except) = match self {
            Self::Cidr { prefix, except } | Self::Address { prefix, except } => (Some(*prefix), &**except),
            Self::External { except, .. } => (None, &**except),
            Self::Selector(_) | Self::Entity(_) | Self::Fqdn(_) => (None, [].as_slice()),
        };
        prefix.into_iter().chain(except.iter().copied())
    }
}

/// Compiles rules. A rule with errors is good for nothing but finding more of them.
pub(crate) struct Compiler<'a> {
    /// Whether there is a selector with this position.
    has_selector: &'a dyn Fn(u32) -> bool,
    patterns: &'a mut PatternCache,
    pub(crate) errors: Vec<BundleError>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(has_selector: &'a dyn Fn(u32) -> bool, patterns: &'a mut PatternCache) -> Self {
        Self {
            has_selector,
            patterns,
            errors: Vec::new(),
        }
    }
}

impl Compiler<'_> {
    /// Of the policy object with this name.
    pub(crate) fn rule(&mut self, object: &str, mode: Mode, rule: Rule) -> CompiledRule {
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
            mode,
            subject: Some(subject),
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
        let Element {
            peers,
            ports,
            authentication,
        } = element;
        if action == Action::Deny && authentication.is_some() {
            self.errors.push(BundleError::Invalid {
                at: at.clone(),
                reason: "a deny rule cannot ask for authentication",
            });
        }
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
            authentication,
        }
    }

    fn peer(&mut self, pattern: PeerPattern, at: &str) -> Option<PeerMatcher> {
        match pattern {
            PeerPattern::Selector(index) => {
                self.check_selector(index, at);
                Some(PeerMatcher::Selector(index))
            }
            PeerPattern::Entity(entity) => Some(PeerMatcher::Entity(entity)),
            PeerPattern::Cidr { prefix, except } => Some(PeerMatcher::Cidr {
                prefix: canonical_prefix(prefix),
                except: canonical(except),
            }),
            PeerPattern::External { selector, except } => {
                self.check_selector(selector, at);
                Some(PeerMatcher::External {
                    selector,
                    except: canonical(except),
                })
            }
            PeerPattern::Address { prefix, except } => Some(PeerMatcher::Address {
                prefix: canonical_prefix(prefix),
                except: canonical(except),
            }),
            PeerPattern::MatchName(name) => self.fqdn(FqdnPattern::name(&name), &name, at),
            PeerPattern::MatchPattern(pattern) => self.fqdn(FqdnPattern::pattern(&pattern), &pattern, at),
        }
    }

    fn fqdn(&mut self, compiled: Result<FqdnPattern, FqdnError>, input: &str, at: &str) -> Option<PeerMatcher> {
        let compiled = compiled.map_err(|error| self.refuse_pattern(at, input, &error));
        compiled.ok().map(PeerMatcher::Fqdn)
    }

    fn invalid(&mut self, at: &str, reason: &'static str) {
        self.errors.push(BundleError::Invalid { at: at.into(), reason });
    }

    fn refuse_pattern(&mut self, at: &str, input: &str, error: &dyn core::fmt::Display) {
        self.errors.push(BundleError::Pattern {
            at: at.into(),
            input: input.into(),
            reason: format!("{error}"),
        });
    }

    fn check_selector(&mut self, index: u32, at: &str) {
        if (self.has_selector)(index) {
            return;
        }
        self.errors.push(BundleError::Dangling {
            at: at.into(),
            what: "selector",
            index,
        });
    }
}

fn canonical(prefixes: Vec<IpNet>) -> Vec<IpNet> {
    prefixes.into_iter().map(canonical_prefix).collect()
}

//! The items of `toPorts`: ports, and what a connection on them must show.

use alloc::{format, rc::Rc, string::String, vec::Vec};

use super::{
    Action, Compiler,
    checks::{is_single_port, is_tcp, wrong_ports},
};
use crate::{
    bundle::{BundleError, DnsRule, L7Rules, Listener, PortPattern, PortRule},
    fqdn::FqdnPattern,
    http::HttpPattern,
    kafka::KafkaPattern,
    sni::SniPattern,
    verdict::RuleRef,
};

#[derive(Debug)]
pub(crate) struct CompiledPorts {
    pub(crate) rule: RuleRef,
    pub(crate) patterns: Vec<PortPattern>,
    pub(crate) settings: Settings,
}

/// What a connection on some ports must show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) l7: Option<L7>,
    /// Empty: any, or none.
    pub(crate) server_names: Vec<SniPattern>,
    pub(crate) terminating_tls: Option<Rc<str>>,
    pub(crate) originating_tls: Option<Rc<str>>,
    pub(crate) listener: Option<Rc<Listener>>,
}

/// Rules on what a connection carries.
#[derive(Clone, Debug)]
pub(crate) enum L7 {
    Http(Vec<Rc<HttpPattern>>),
    Dns(Vec<Rc<DnsPattern>>),
    Kafka(Vec<Rc<KafkaPattern>>),
}

/// A name that may be asked for, and the place of the rule.
#[derive(Debug)]
pub(crate) struct DnsPattern {
    pub(crate) rule: RuleRef,
    pub(crate) name: FqdnPattern,
}

impl Compiler<'_> {
    pub(super) fn ports(&mut self, action: Action, at: String, rule: PortRule) -> CompiledPorts {
        let PortRule {
            ports,
            rules,
            server_names,
            terminating_tls,
            originating_tls,
            listener,
        } = rule;
        let invalid = |reason| BundleError::Invalid { at: at.clone(), reason };
        let looks_inside = rules.is_some()
            || listener.is_some()
            || !server_names.is_empty()
            || terminating_tls.is_some()
            || originating_tls.is_some();
        if looks_inside && action == Action::Deny {
            self.errors.push(invalid("a deny rule cannot look into a connection"));
        }
        if rules.is_some() && listener.is_some() {
            self.errors.push(invalid("a listener takes no rules on requests"));
        }
        self.errors.extend(ports.iter().filter_map(wrong_ports).map(invalid));
        let server_names = server_names.into_iter().filter_map(|name| {
            let refuse = |error| self.refuse_pattern(&at, &name, &error);
            SniPattern::parse(&name).map_err(refuse).ok()
        });
        let server_names = server_names.collect();
        let settings = Settings {
            l7: rules.map(|rules| self.l7(&at, &ports, rules)),
            server_names,
            terminating_tls: terminating_tls.map(Rc::from),
            originating_tls: originating_tls.map(Rc::from),
            listener: listener.map(Rc::new),
        };
        CompiledPorts {
            rule: RuleRef::new(&at),
            patterns: ports,
            settings,
        }
    }

    fn l7(&mut self, at: &str, ports: &[PortPattern], rules: L7Rules) -> L7 {
        let place = |list: &str, i: usize| RuleRef::new(&format!("{at}.rules.{list}[{i}]"));
        let is_empty = match &rules {
            L7Rules::Http(list) => list.is_empty(),
            L7Rules::Kafka(list) => list.is_empty(),
            L7Rules::Dns(list) => list.is_empty(),
        };
        if is_empty {
            self.invalid(at, "an empty list of rules: leave it out to allow everything");
        }
        match rules {
            L7Rules::Http(rules) => {
                if !ports.iter().all(is_tcp) {
                    self.invalid(at, "HTTP rules need TCP");
                }
                let rules = rules.into_iter().enumerate();
                let compile = |(i, rule)| {
                    let compiled = HttpPattern::compile(rule, place("http", i), self.patterns, &mut self.errors);
                    Rc::new(compiled)
                };
                L7::Http(rules.map(compile).collect())
            }
            L7Rules::Kafka(rules) => {
                if !ports.iter().all(is_tcp) {
                    self.invalid(at, "Kafka rules need TCP");
                }
                let rules = rules.into_iter().enumerate();
                L7::Kafka(
                    rules
                        .map(|(i, rule)| Rc::new(KafkaPattern::new(rule, place("kafka", i))))
                        .collect(),
                )
            }
            L7Rules::Dns(rules) => {
                if !ports.iter().all(is_single_port) {
                    self.invalid(at, "DNS rules need single ports of TCP or UDP");
                }
                let rules = rules.into_iter().enumerate();
                let compile = |(i, rule)| {
                    let (compiled, input) = match rule {
                        DnsRule::MatchName(name) => (FqdnPattern::name(&name), name),
                        DnsRule::MatchPattern(pattern) => (FqdnPattern::pattern(&pattern), pattern),
                    };
                    let refuse = |error| self.refuse_pattern(at, &input, &error);
                    let name = compiled.map_err(refuse).ok()?;
                    Some(Rc::new(DnsPattern {
                        rule: place("dns", i),
                        name,
                    }))
                };
                L7::Dns(rules.filter_map(compile).collect())
            }
        }
    }
}

//! Coverage: the places of the policies, and which of them a question exercises.

use alloc::{rc::Rc, vec::Vec};

use super::{
    Engine, View,
    compile::{Action, CompiledElement, CompiledPorts, DnsPattern, L7, PeerSet, PortSet},
    matching::Match,
    resolve::Side,
};
use crate::{
    bundle::Enforcement,
    flow::{Carried, Direction, Flow},
    http::HttpPattern,
    kafka::KafkaPattern,
    verdict::RuleRef,
};

impl Engine {
    /// Every place of the policies that a question can match, in the order of the bundle: elements, their port lists,
    /// and their rules on what a connection carries. What is for no peer or no port matches nothing and is not in it.
    pub fn places(&self) -> Vec<RuleRef> {
        let mut places = Vec::new();
        for rule in self.rules.iter(&self.selectors) {
            for direction in [Direction::Ingress, Direction::Egress] {
                rule.side(direction)
                    .elements
                    .iter()
                    .for_each(|element| places_of(element, &mut places));
            }
        }
        places
    }

    /// The places of the subject's rules that match this question, whether or not they decide it.
    ///
    /// An element matches if its peers do and one of its port lists does. A port list matches if its ports do and, where
    /// the question goes beyond addresses, its TLS server names. A rule on requests, queries or messages matches if its
    /// port list does and all of its conditions hold for what is carried; one on Kafka topics, if it allows one of them.
    /// Nothing matches where nobody looks: when enforcement is switched off. Rules in audit mode match like all others.
    pub fn matching(
        &self,
        flow: &Flow<'_>,
        server_name: Option<Option<&[u8]>>,
        carried: Option<Carried<'_>>,
    ) -> Vec<RuleRef> {
        if self.options().enforcement == Enforcement::Never {
            return Vec::new();
        }
        let table = self.table_as(View::Would, flow.subject);
        let side = Side {
            engine: self,
            table: table.side(flow.direction),
            flow,
        };
        let beyond_addresses = server_name.is_some() || carried.is_some();
        let question = Question {
            side: &side,
            server_name: beyond_addresses.then(|| server_name.flatten()),
            carried,
        };
        let elements = side.table.elements.iter();
        elements.flat_map(|element| question.matching(element)).collect()
    }
}

fn places_of(element: &CompiledElement, places: &mut Vec<RuleRef>) {
    if matches!(&element.peers, PeerSet::OneOf(matchers) if matchers.is_empty()) {
        return;
    }
    match &element.ports {
        PortSet::All => places.push(element.rule.clone()),
        PortSet::OneOf(lists) => {
            let mut lists = lists.iter().filter(|list| !list.patterns.is_empty()).peekable();
            if lists.peek().is_some() {
                places.push(element.rule.clone());
            }
            for list in lists {
                places.push(list.rule.clone());
                places.extend(rules_inside(list).iter().map(|rule| rule.place().clone()));
            }
        }
    }
}

/// What is asked about: a flow, and what the connection shows.
struct Question<'a, 'f> {
    side: &'a Side<'a, 'f>,
    /// `None` if only addresses are asked about, `Some(None)` for a client that asks for no name.
    server_name: Option<Option<&'a [u8]>>,
    carried: Option<Carried<'a>>,
}

impl Question<'_, '_> {
    fn matching(&self, element: &CompiledElement) -> Vec<RuleRef> {
        let mut matching = Vec::new();
        if !self.side.peer(&element.peers).satisfies(element.action) {
            return matching;
        }
        match &element.ports {
            PortSet::All => matching.push(element.rule.clone()),
            PortSet::OneOf(lists) => {
                for list in lists.iter().filter(|list| self.list_matches(list, element.action)) {
                    matching.push(list.rule.clone());
                    let rules = rules_inside(list).into_iter();
                    let holding = rules.filter(|rule| self.carried.is_some_and(|carried| rule.matches(carried)));
                    matching.extend(holding.map(|rule| rule.place().clone()));
                }
                if !matching.is_empty() {
                    matching.insert(0, element.rule.clone());
                }
            }
        }
        matching
    }

    fn list_matches(&self, list: &CompiledPorts, action: Action) -> bool {
        let ports = Match::any(list.patterns.iter().map(|pattern| self.side.port(pattern)));
        let names = || {
            self.server_name
                .is_none_or(|name| list.settings.allows_server_name(name))
        };
        ports.satisfies(action) && names()
    }
}

/// A rule on what a connection carries.
enum RuleInside {
    Http(Rc<HttpPattern>),
    Dns(Rc<DnsPattern>),
    Kafka(Rc<KafkaPattern>),
}

fn rules_inside(list: &CompiledPorts) -> Vec<RuleInside> {
    match &list.settings.l7 {
        None => Vec::new(),
        Some(L7::Http(rules)) => rules.iter().cloned().map(RuleInside::Http).collect(),
        Some(L7::Dns(rules)) => rules.iter().cloned().map(RuleInside::Dns).collect(),
        Some(L7::Kafka(rules)) => rules.iter().cloned().map(RuleInside::Kafka).collect(),
    }
}

impl RuleInside {
    fn place(&self) -> &RuleRef {
        match self {
            Self::Http(rule) => &rule.rule,
            Self::Dns(rule) => &rule.rule,
            Self::Kafka(rule) => &rule.rule,
        }
    }

    fn matches(&self, carried: Carried<'_>) -> bool {
        match (self, carried) {
            (Self::Http(rule), Carried::Http(facts)) => rule.first_miss(facts).is_none(),
            (Self::Dns(rule), Carried::Dns(name)) => rule.name.matches(name),
            (Self::Kafka(rule), Carried::Kafka(request)) => rule.allows_a_part(request),
            (Self::Http(_) | Self::Dns(_) | Self::Kafka(_), _) => false,
        }
    }
}

//! The evaluator: one question to one bundle, answered by reading every rule.

mod authentication;
mod carried;
mod entries;
mod kafka;
mod merge;
mod names;
mod parties;
mod patterns;
mod peers;
mod ports;

use std::net::IpAddr;

use policy_core::{
    Bundle, Decision, Direction, HttpRequest, Protocol, View,
    bundle::{AllowLocalhost, Authentication, Enforcement, Mode},
};

use carried::Carriage;
use entries::{Entry, PortKey};
use merge::Allow;
use parties::Party;
use peers::PeerKey;
use ports::Reach;

/// A question to the policy of one endpoint, with everything that anybody could know about the flow.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The name of the endpoint.
    pub(crate) subject: &'static str,
    pub(crate) direction: Direction,
    pub(crate) peer: PeerFact,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    /// `None`: nobody asked for TLS. `Some(None)`: no TLS, or no server name.
    pub(crate) sni: Option<Option<&'static str>>,
    pub(crate) message: Option<Message>,
    pub(crate) authenticated: bool,
}

/// What is known of the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PeerFact {
    Address(IpAddr),
    Name(&'static str),
    Unknown,
}

/// What the connection carries.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Http(HttpRequest),
    Dns(&'static str),
    Kafka(KafkaFact),
}

/// A Kafka request.
#[derive(Clone, Debug)]
pub(crate) struct KafkaFact {
    pub(crate) api_key: i16,
    pub(crate) api_version: i16,
    pub(crate) client_id: &'static str,
    pub(crate) topics: Vec<&'static str>,
}

/// What the oracle says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) decision: Decision,
    /// Whether a proxy takes the connection. Never for what peer and port refuse.
    pub(crate) proxied: bool,
    /// The mode that applies to what peer and port allow.
    pub(crate) authentication: Option<Authentication>,
}

impl Answer {
    const fn plain(decision: Decision) -> Self {
        Self {
            decision,
            proxied: false,
            authentication: None,
        }
    }
}

/// Answers a question by the policies that have an effect.
pub(crate) fn evaluate(bundle: &Bundle, question: &Question) -> Answer {
    evaluate_as(View::Enforced, bundle, question)
}

/// Answers a question in one view, §3 to §7 of the semantics from top to bottom.
pub(crate) fn evaluate_as(view: View, bundle: &Bundle, question: &Question) -> Answer {
    if view == View::Enforced && bundle.options.audit {
        return Answer::plain(Decision::Allow);
    }
    if bundle.options.enforcement == Enforcement::Never {
        return Answer::plain(Decision::Allow);
    }
    let subject = Party::named(bundle, question.subject);
    let sides = [Direction::Ingress, Direction::Egress].map(|direction| Side::read(view, bundle, &subject, direction));
    let [Some(ingress), Some(egress)] = sides else {
        return Answer::plain(Decision::Conflict);
    };
    let side = match question.direction {
        Direction::Ingress => ingress,
        Direction::Egress => egress,
    };
    side.answer(bundle, &subject, question)
}

/// The rules that select an endpoint, in one direction.
struct Side {
    allows: Vec<Allow>,
    denies: Vec<Entry>,
    policed: bool,
    default_deny: bool,
}

impl Side {
    /// `None` if they contradict each other.
    fn read(view: View, bundle: &Bundle, subject: &Party<'_>, direction: Direction) -> Option<Self> {
        let policies = bundle.policies.iter();
        let counting = policies.filter(|policy| view == View::Would || policy.mode != Mode::Audit);
        let rules = counting.flat_map(|policy| &policy.rules);
        let selected = |rule: &&_| entries::selects(bundle, rule, subject);
        let sections: Vec<_> = rules
            .filter(selected)
            .map(|rule| entries::Section::of(rule, direction))
            .filter(|section| !section.is_empty())
            .collect();
        let (denies, allows) = sections
            .iter()
            .flat_map(|section| section.entries(bundle))
            .partition(|entry: &Entry| entry.settings.is_none());
        let always = bundle.options.enforcement == Enforcement::Always || subject.is("init");
        Some(Self {
            allows: merge::merge(allows, &denies)?,
            denies,
            policed: !sections.is_empty(),
            default_deny: always || sections.iter().any(|section| section.default_deny),
        })
    }

    /// §7.2.
    fn answer(&self, bundle: &Bundle, subject: &Party<'_>, question: &Question) -> Answer {
        let peer = Party::of(bundle, question.peer);
        let destination = match question.direction {
            Direction::Ingress => Some(subject),
            Direction::Egress => peer.as_ref(),
        };
        let reach = |port: &PortKey| ports::reach(port, question, destination);
        let meets = |key: &PeerKey| peers::matches(bundle, key, question.peer, peer.as_ref());
        // What is not known satisfies a deny.
        let denied = |deny: &Entry| meets(&deny.peer) != Some(false) && reach(&deny.port) != Reach::No;
        if self.denies.iter().any(denied) {
            return Answer::plain(Decision::Deny);
        }
        let matching: Vec<(&Allow, u32)> = self
            .allows
            .iter()
            .filter(|allow| meets(&allow.peer) == Some(true))
            .filter_map(|allow| match reach(&allow.port) {
                Reach::Within(width) => Some((allow, width)),
                Reach::No | Reach::Unknown => None,
            })
            .collect();
        let implied = !self.default_deny || self.accepts_host(bundle, question, peer.as_ref());
        if matching.is_empty() {
            return Answer::plain(if implied { Decision::Allow } else { Decision::Deny });
        }
        let authentication = authentication::mode(&matching);
        let proven = match authentication {
            None | Some(Authentication::Disabled) => true,
            Some(Authentication::Required) => question.authenticated,
            Some(Authentication::TestAlwaysFail) => false,
        };
        let carriage = Carriage::new(&matching, implied);
        let passes = proven && carriage.allows(question);
        Answer {
            decision: if passes { Decision::Allow } else { Decision::Deny },
            proxied: carriage.is_proxied(),
            authentication,
        }
    }

    /// §3.5: the host, on ingress, as soon as any rule of the direction selects the endpoint.
    fn accepts_host(&self, bundle: &Bundle, question: &Question, peer: Option<&Party<'_>>) -> bool {
        question.direction == Direction::Ingress
            && bundle.options.allow_localhost == AllowLocalhost::Always
            && self.policed
            && peer.is_some_and(|peer| peer.is("host"))
    }
}

//! Policies and identities of any number, the same ones on every machine.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use policy_core::bundle::{
    Bundle, DefaultDeny, Element, Endpoint, HttpRule, Identity, L7Rules, Mode, PeerPattern, Peers, Policy, PortNumbers,
    PortPattern, PortRule, Rule, VERSION,
};
use policy_core::{HttpRequest, Label, Labels, Protocol, Requirement, Selector, SelectorKey};

/// The port that every policy is about.
pub(crate) const PORT: u16 = 8080;
/// Pods in one namespace.
const NAMESPACE: u32 = 50;

/// How many policies and identities there are, and how they belong together.
///
/// Policy `p` allows one peer to reach one subject. Every identity has one pod with one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// How many policies.
    pub(crate) policies: u32,
    /// How many identities, at least 10.
    pub(crate) identities: u32,
    /// Whose policies they are.
    pub(crate) subjects: Subjects,
    /// What they look at.
    pub(crate) carries: Carries,
}

/// Whose policies there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// Half of the identities have policies, as in a cluster.
    Many,
    /// One identity has all of them. Whoever keeps a list for each workload has the longest one here.
    One,
}

/// What the policies look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// Addresses and ports.
    Connections,
    /// `GET` of paths with one prefix: what every peer can express.
    Prefixes,
    /// `GET` of a literal path, of a prefix and of a regular expression.
    Patterns,
}

/// The ways in which a rule of [`Carries::Patterns`] names paths, and a path that none of them names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// Character by character.
    Literal,
    /// By how it begins.
    Prefix,
    /// By a regular expression.
    Regex,
    /// Not at all.
    Miss,
}

impl Shape {
    /// A cluster: many subjects, all ways to name paths.
    pub(crate) fn cluster(policies: u32, identities: u32) -> Self {
        Self {
            policies,
            identities,
            subjects: Subjects::Many,
            carries: Carries::Patterns,
        }
    }

    /// One subject with all policies, and as many identities as it has peers.
    pub(crate) fn workload(policies: u32, carries: Carries) -> Self {
        Self {
            policies,
            identities: policies.max(8) + 2,
            subjects: Subjects::One,
            carries,
        }
    }

    /// Its size, for tables.
    pub(crate) fn name(self) -> String {
        format!("{} / {}", short(self.policies), short(self.identities))
    }

    /// The policy that questions are about: one in the middle.
    pub(crate) fn asked(self) -> u32 {
        self.policies / 2
    }

    /// The identity that has policy `p`.
    pub(crate) fn subject(self, policy: u32) -> u32 {
        match self.subjects {
            Subjects::Many => policy % self.with_policies(),
            Subjects::One => 0,
        }
    }

    /// The identity that policy `p` lets in.
    pub(crate) fn peer(self, policy: u32) -> u32 {
        let first = self.with_policies();
        match self.subjects {
            Subjects::Many => first + policy / first % (self.identities - first),
            Subjects::One => first + policy % (self.identities - 2),
        }
    }

    /// An identity that no policy of the asked subject lets in.
    pub(crate) fn stranger(self) -> u32 {
        match self.subjects {
            Subjects::Many => (self.subject(self.asked()) + 1) % self.with_policies(),
            Subjects::One => self.identities - 1,
        }
    }

    /// The first so many identities may have policies.
    fn with_policies(self) -> u32 {
        match self.subjects {
            Subjects::Many => self.identities / 2,
            Subjects::One => 1,
        }
    }

    /// A request that policy `p` allows, unless it is a miss.
    pub(crate) fn request(self, policy: u32, path: Path) -> HttpRequest {
        HttpRequest {
            method: Some(b"GET".to_vec()),
            path: Some(request_path(policy, path).into_bytes()),
            authority: Some(b"web.example".to_vec()),
            headers: vec![
                (b"user-agent".to_vec(), b"bench/1".to_vec()),
                (b"accept".to_vec(), b"*/*".to_vec()),
            ],
        }
    }

    /// The whole world as a bundle.
    pub(crate) fn bundle(self) -> Bundle {
        // As the compiler does it: only selectors that some rule has, each of them once.
        let named = (0..self.policies).flat_map(|policy| [self.subject(policy), self.peer(policy)]);
        let named: BTreeSet<u32> = named.collect();
        let positions: BTreeMap<u32, u32> = named.iter().copied().zip(0..).collect();
        let policies = (0..self.policies).filter_map(|policy| self.policy(policy, &positions));
        Bundle {
            version: VERSION,
            policies: policies.collect(),
            selectors: named.into_iter().map(selector).collect(),
            identities: (0..self.identities).map(identity).collect(),
            endpoints: (0..self.identities).map(endpoint).collect(),
            ..Bundle::default()
        }
    }

    /// Policy `number`, with the positions of the selectors for identities. It has both of them.
    fn policy(self, number: u32, positions: &BTreeMap<u32, u32>) -> Option<Policy> {
        let subject = *positions.get(&self.subject(number))?;
        let peer = *positions.get(&self.peer(number))?;
        let ports = PortRule {
            ports: vec![PortPattern::Port {
                protocol: Protocol::Tcp,
                numbers: PortNumbers::Range(PORT, PORT),
            }],
            rules: self.rules(number).map(L7Rules::Http),
            ..PortRule::default()
        };
        let mut rule = Rule::new("spec", subject);
        rule.default_deny = DefaultDeny {
            ingress: true,
            egress: false,
        };
        rule.ingress = vec![Element {
            peers: Peers::OneOf(vec![PeerPattern::Selector(peer)]),
            ports: Some(vec![ports]),
            authentication: None,
        }];
        Some(Policy {
            kind: "CiliumNetworkPolicy".into(),
            namespace: Some(namespace(self.subject(number))),
            name: format!("p{number}"),
            mode: Mode::Enforce,
            rules: vec![rule],
        })
    }

    fn rules(self, number: u32) -> Option<Vec<HttpRule>> {
        let get = |path: String| HttpRule {
            method: Some("GET".into()),
            path: Some(path.into()),
            ..HttpRule::default()
        };
        let prefix = format!("{}.*", prefix(number));
        match self.carries {
            Carries::Connections => None,
            Carries::Prefixes => Some(vec![get(prefix)]),
            Carries::Patterns => Some(vec![
                get(request_path(number, Path::Literal)),
                get(prefix),
                get(format!("/p{number}/v[0-9]+/items/[a-f0-9]{{8}}")),
            ]),
        }
    }
}

/// What the paths that policy `p` allows begin with.
pub(crate) fn prefix(policy: u32) -> String {
    format!("/p{policy}/api/")
}

/// A path that policy `p` allows, unless it is a miss.
pub(crate) fn request_path(policy: u32, path: Path) -> String {
    match path {
        Path::Literal => format!("/p{policy}/health"),
        Path::Prefix => format!("{}orders/1007/lines", prefix(policy)),
        Path::Regex => format!("/p{policy}/v2/items/00c0ffee"),
        Path::Miss => format!("/p{policy}/admin/orders/1007"),
    }
}

/// The address of an identity's pod.
pub(crate) fn address(identity: u32) -> IpAddr {
    let [_, b, c, d] = identity.to_be_bytes();
    Ipv4Addr::new(10, b, c, d).into()
}

/// The application that an identity is.
pub(crate) fn app(identity: u32) -> String {
    format!("app-{identity}")
}

/// The namespace of an identity.
pub(crate) fn namespace(identity: u32) -> String {
    format!("team-{}", identity / NAMESPACE)
}

fn selector(of: u32) -> Selector {
    let equals = |key, value: String| {
        SelectorKey::parse(key).map(|key| Requirement::Equals {
            key,
            value: value.into(),
        })
    };
    let requirements = [
        equals("any:app", app(of)),
        equals("k8s:io.kubernetes.pod.namespace", namespace(of)),
    ];
    Selector::new(requirements.into_iter().flatten().collect())
}

fn identity(number: u32) -> Identity {
    let labels = [
        ("app", app(number)),
        ("io.kubernetes.pod.namespace", namespace(number)),
        ("io.cilium.k8s.policy.serviceaccount", "default".into()),
        ("tier", format!("tier-{}", number % 7)),
    ];
    Identity {
        labels: Labels::new(
            labels
                .iter()
                .filter_map(|(key, value)| Label::new("k8s", key, value).ok()),
        ),
        ports: Vec::new(),
    }
}

fn endpoint(number: u32) -> Endpoint {
    Endpoint {
        name: format!("{}/{}", namespace(number), app(number)),
        identity: number,
        addresses: vec![address(number)],
    }
}

/// `10k` for 10,000.
fn short(number: u32) -> String {
    match number {
        0..1000 => number.to_string(),
        _ if number.is_multiple_of(1000) => format!("{}k", number / 1000),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use policy_core::{AddressFacts, Engine, Scope};

    use super::*;

    #[test]
    fn the_asked_peer_may_do_what_its_policy_says_and_the_stranger_nothing() {
        let shapes = [
            (Shape::cluster(1, 10), "the smallest"),
            (Shape::cluster(10, 10), "two policies for each subject"),
            (Shape::cluster(100, 10), "many policies for each pair"),
            (Shape::cluster(100, 1000), "more identities than policies"),
            (Shape::workload(1, Carries::Patterns), "one policy"),
            (Shape::workload(100, Carries::Patterns), "one subject"),
        ];
        for (shape, why) in shapes {
            let engine = Engine::new(shape.bundle()).expect(why);
            let asked = shape.asked();
            let to = Some(address(shape.subject(asked)));
            let admit = |from| {
                let facts = AddressFacts::new(Some(address(from)), to, Protocol::Tcp, PORT);
                engine.admit(&facts, Scope::Ingress)
            };
            let peer = admit(shape.peer(asked));
            assert!(peer.verdict().allows(), "{why}");
            assert!(!admit(shape.stranger()).verdict().allows(), "{why}");
            for (path, allowed) in [
                (Path::Literal, true),
                (Path::Prefix, true),
                (Path::Regex, true),
                (Path::Miss, false),
            ] {
                let verdict = peer.request(None, &shape.request(asked, path));
                assert_eq!(verdict.allows(), allowed, "{why}: {path:?}");
            }
        }
    }
}

//! §7.1, first paragraph: from elements to entries, one for each peer selector and port.

use policy_core::{
    Bundle, Direction, Requirement, SelectorKey,
    bundle::{
        Authentication, Element, L7Rules, Listener, PeerPattern, Peers, PortPattern, PortRule, ReservedEntity, Rule,
    },
};

use super::{
    parties::Party,
    peers::{self, PeerKey},
};

/// What one element says about one peer selector on one port pattern.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) peer: PeerKey,
    pub(super) port: PortKey,
    /// `None`: a deny, which has no settings.
    pub(super) settings: Option<Settings>,
}

/// A port pattern; `None` is every protocol and port.
pub(super) type PortKey = Option<PortPattern>;

/// What an allow asks for.
#[derive(Clone, Default, Debug)]
pub(super) struct Settings {
    pub(super) authentication: Option<Authentication>,
    pub(super) rules: Option<L7Rules>,
    pub(super) server_names: Vec<Box<str>>,
    pub(super) terminating_tls: Option<Box<str>>,
    pub(super) originating_tls: Option<Box<str>>,
    pub(super) listener: Option<Listener>,
}

/// The elements of a rule in one direction.
pub(super) struct Section<'a> {
    allow: &'a [Element],
    deny: &'a [Element],
    pub(super) default_deny: bool,
}

/// Rules are for endpoints: never for the host, never for another node.
pub(super) fn selects(bundle: &Bundle, rule: &Rule, subject: &Party<'_>) -> bool {
    let is_node = subject.is("host") || subject.is("remote-node");
    !is_node && peers::labels_meet(&requirements(bundle, rule.subject), &subject.labels)
}

impl<'a> Section<'a> {
    pub(super) fn of(rule: &'a Rule, direction: Direction) -> Self {
        match direction {
            Direction::Ingress => Self {
                allow: &rule.ingress,
                deny: &rule.ingress_deny,
                default_deny: rule.default_deny.ingress,
            },
            Direction::Egress => Self {
                allow: &rule.egress,
                deny: &rule.egress_deny,
                default_deny: rule.default_deny.egress,
            },
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    pub(super) fn entries(&self, bundle: &Bundle) -> Vec<Entry> {
        let of = |elements: &[Element], allow| -> Vec<Entry> {
            let entries = elements
                .iter()
                .flat_map(|element| element_entries(bundle, element, allow));
            entries.collect()
        };
        [of(self.allow, true), of(self.deny, false)].concat()
    }
}

fn element_entries(bundle: &Bundle, element: &Element, allow: bool) -> Vec<Entry> {
    let plain = PortRule::default();
    let ports: Vec<(PortKey, &PortRule)> = match &element.ports {
        None => vec![(None, &plain)],
        Some(rules) => {
            let of = |rule| {
                PortRule::clone(rule)
                    .ports
                    .into_iter()
                    .map(move |port| (Some(port), rule))
            };
            rules.iter().flat_map(of).collect()
        }
    };
    let mut entries = Vec::new();
    for peer in peer_keys(bundle, &element.peers) {
        for (port, rule) in &ports {
            entries.push(Entry {
                peer: peer.clone(),
                port: port.clone(),
                settings: allow.then(|| settings(element, rule)),
            });
        }
    }
    entries
}

fn settings(element: &Element, rule: &PortRule) -> Settings {
    let PortRule {
        ports: _,
        rules,
        server_names,
        terminating_tls,
        originating_tls,
        listener,
    } = rule.clone();
    Settings {
        authentication: element.authentication,
        rules,
        server_names,
        terminating_tls,
        originating_tls,
        listener,
    }
}

fn peer_keys(bundle: &Bundle, peers: &Peers) -> Vec<PeerKey> {
    match peers {
        Peers::Any => vec![PeerKey::Selector(Vec::new())],
        Peers::None => Vec::new(),
        Peers::OneOf(patterns) => patterns
            .iter()
            .flat_map(|pattern| pattern_keys(bundle, pattern))
            .collect(),
    }
}

fn pattern_keys(bundle: &Bundle, pattern: &PeerPattern) -> Vec<PeerKey> {
    vec![match pattern.clone() {
        PeerPattern::Entity(entity) => return entity_keys(bundle, entity),
        PeerPattern::Selector(index) => PeerKey::Selector(requirements(bundle, index)),
        PeerPattern::Cidr { prefix, except } => PeerKey::Cidr(prefix.trunc(), except),
        PeerPattern::External { selector, except } => PeerKey::External(requirements(bundle, selector), except),
        PeerPattern::Address { prefix, except } => PeerKey::Address(prefix.trunc(), except),
        PeerPattern::MatchName(name) => PeerKey::MatchName(name),
        PeerPattern::MatchPattern(pattern) => PeerKey::MatchPattern(pattern),
    }]
}

/// §4.2.
fn entity_keys(bundle: &Bundle, entity: ReservedEntity) -> Vec<PeerKey> {
    let reserved = |names: &[&str]| {
        names
            .iter()
            .map(|name| equals(&format!("reserved:{name}"), ""))
            .collect()
    };
    match entity {
        ReservedEntity::None => Vec::new(),
        ReservedEntity::ClusterMesh => vec![PeerKey::OtherCluster],
        ReservedEntity::World => reserved(&["world", "world-ipv4", "world-ipv6"]),
        ReservedEntity::Cluster => {
            let parts = "host remote-node init ingress health unmanaged kube-apiserver";
            let mut keys: Vec<_> = reserved(&parts.split(' ').collect::<Vec<_>>());
            keys.push(equals(peers::CLUSTER, &bundle.options.cluster));
            keys
        }
        ReservedEntity::WorldIpv4
        | ReservedEntity::WorldIpv6
        | ReservedEntity::Host
        | ReservedEntity::Init
        | ReservedEntity::Ingress
        | ReservedEntity::Unmanaged
        | ReservedEntity::RemoteNode
        | ReservedEntity::Health
        | ReservedEntity::KubeApiserver => reserved(&[entity.as_str()]),
    }
}

fn equals(key: &str, value: &str) -> PeerKey {
    PeerKey::Selector(vec![Requirement::Equals {
        key: SelectorKey::parse(key).expect("a key"),
        value: value.into(),
    }])
}

fn requirements(bundle: &Bundle, index: u32) -> Vec<Requirement> {
    bundle.selectors[usize::try_from(index).expect("an index")]
        .requirements()
        .to_vec()
}

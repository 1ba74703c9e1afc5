//! The world that the engine tests ask about, and short ways to write rules and questions.
//!
//! Endpoints `shop/web`, `shop/db` and `ops/mon`; the host and a remote node; everything else is outside.

use policy_core::{
    AddressFacts, Admission, Bundle, Engine, HttpRequest, Protocol, Requirement, Scope, Selector, SelectorKey,
    bundle::{
        AddressEntry, DefaultDeny, Element, Endpoint, HttpRule, Identity, L7Rules, Mode, NamedPort, PeerPattern, Peers,
        Policy, PortNumbers, PortPattern, PortRule, Rule,
    },
};

pub(crate) const WEB: &str = "10.0.0.1";
pub(crate) const DB: &str = "10.0.0.2";
pub(crate) const MON: &str = "10.0.0.3";
pub(crate) const HOST: &str = "10.0.9.1";
pub(crate) const NODE: &str = "10.0.9.2";
pub(crate) const WORLD: &str = "198.51.100.7";
pub(crate) const LEARNED: &str = "93.184.216.34";

pub(crate) const SEL_WEB: u32 = 0;
pub(crate) const SEL_DB: u32 = 1;

/// A bundle of the world with these rules, all in one policy.
pub(crate) fn world(rules: impl IntoIterator<Item = Rule>) -> Bundle {
    let equals = |key: &str, value: &str| {
        let key = SelectorKey::parse(key).expect("key");
        Selector::new(vec![Requirement::Equals {
            key,
            value: value.into(),
        }])
    };
    let identity = |labels: &[&str], ports: &[(&str, u16)]| Identity {
        labels: labels.iter().map(|label| label.parse().expect("label")).collect(),
        ports: ports
            .iter()
            .map(|(name, port)| NamedPort {
                name: (*name).into(),
                protocol: Protocol::Tcp,
                port: *port,
            })
            .collect(),
    };
    let endpoint = |name: &str, identity, address: &str| Endpoint {
        name: name.into(),
        identity,
        addresses: vec![address.parse().expect("address")],
    };
    let node = |address: &str, identity| AddressEntry {
        prefix: format!("{address}/32").parse().expect("prefix"),
        identity,
    };
    let cluster = "k8s:io.cilium.k8s.policy.cluster=default";
    let rules: Vec<Rule> = rules.into_iter().collect();
    let policy = Policy {
        kind: "CiliumNetworkPolicy".into(),
        namespace: Some("shop".into()),
        name: "p".into(),
        mode: Mode::Enforce,
        rules,
    };
    Bundle {
        version: 1,
        selectors: vec![equals("app", "web"), equals("app", "db"), equals("k8s:ns", "shop")],
        policies: if policy.rules.is_empty() { vec![] } else { vec![policy] },
        identities: vec![
            identity(&["k8s:app=web", "k8s:ns=shop", cluster], &[("http", 8080)]),
            identity(&["k8s:app=db", "k8s:ns=shop", cluster], &[("pg", 5432)]),
            identity(&["k8s:app=mon", "k8s:ns=ops", cluster], &[]),
            identity(&["reserved:host"], &[]),
            identity(&["reserved:remote-node"], &[]),
        ],
        endpoints: vec![
            endpoint("shop/web", 0, WEB),
            endpoint("shop/db", 1, DB),
            endpoint("ops/mon", 2, MON),
        ],
        addresses: vec![node(HOST, 3), node(NODE, 4)],
        names: [("example.com.".to_owned(), vec![LEARNED.parse().expect("address")])].into(),
        ..Bundle::default()
    }
}

pub(crate) fn engine(rules: impl IntoIterator<Item = Rule>) -> Engine {
    Engine::new(world(rules)).expect("a good bundle")
}

/// A rule for `web` that isolates it in the directions it has elements for.
pub(crate) fn web_rule() -> Rule {
    let default_deny = DefaultDeny {
        ingress: true,
        egress: true,
    };
    Rule {
        default_deny,
        ..Rule::new("spec", SEL_WEB)
    }
}

pub(crate) fn ingress(elements: impl IntoIterator<Item = Element>) -> Rule {
    Rule {
        ingress: elements.into_iter().collect(),
        ..web_rule()
    }
}

pub(crate) fn egress(elements: impl IntoIterator<Item = Element>) -> Rule {
    Rule {
        egress: elements.into_iter().collect(),
        ..web_rule()
    }
}

pub(crate) fn from(patterns: impl IntoIterator<Item = PeerPattern>) -> Element {
    Element {
        peers: Peers::OneOf(patterns.into_iter().collect()),
        ports: None,
        authentication: None,
    }
}

pub(crate) fn anyone() -> Element {
    Element {
        peers: Peers::Any,
        ports: None,
        authentication: None,
    }
}

pub(crate) fn db() -> PeerPattern {
    PeerPattern::Selector(SEL_DB)
}

pub(crate) fn cidr(prefix: &str, except: &[&str]) -> PeerPattern {
    PeerPattern::Cidr {
        prefix: prefix.parse().expect("prefix"),
        except: except.iter().map(|prefix| prefix.parse().expect("prefix")).collect(),
    }
}

pub(crate) fn tcp(first: u16, last: u16) -> PortPattern {
    PortPattern::Port {
        protocol: Protocol::Tcp,
        numbers: PortNumbers::Range(first, last),
    }
}

pub(crate) trait ElementExt {
    /// The same element on these ports only.
    fn on(self, ports: impl IntoIterator<Item = PortPattern>) -> Element;
    /// The same element on TCP port 80, for these requests only: `METHOD path` patterns.
    fn http(self, port: PortPattern, requests: &[(&str, &str)]) -> Element;
}

impl ElementExt for Element {
    fn on(mut self, ports: impl IntoIterator<Item = PortPattern>) -> Element {
        let rule = PortRule {
            ports: ports.into_iter().collect(),
            ..PortRule::default()
        };
        self.ports.get_or_insert_default().push(rule);
        self
    }

    fn http(mut self, port: PortPattern, requests: &[(&str, &str)]) -> Element {
        let pattern = |(method, path): &(&str, &str)| HttpRule {
            method: Some((*method).into()),
            path: Some((*path).into()),
            ..HttpRule::default()
        };
        let rules = Some(L7Rules::Http(requests.iter().map(pattern).collect()));
        self.ports.get_or_insert_default().push(PortRule {
            ports: vec![port],
            rules,
            ..PortRule::default()
        });
        self
    }
}

pub(crate) fn facts(source: &str, destination: &str, port: u16) -> AddressFacts<'static> {
    let address = |text: &str| Some(text.parse().expect("address"));
    AddressFacts::new(address(source), address(destination), Protocol::Tcp, port)
}

/// TCP to `web`, asking its ingress policy.
pub(crate) fn to_web(engine: &Engine, source: &str, port: u16) -> Admission {
    engine.admit(&facts(source, WEB, port), Scope::Ingress)
}

/// TCP from `web`, asking its egress policy.
pub(crate) fn from_web(engine: &Engine, destination: &str, port: u16) -> Admission {
    engine.admit(&facts(WEB, destination, port), Scope::Egress)
}

pub(crate) fn request(method: &str, path: &str) -> HttpRequest {
    HttpRequest {
        method: Some(method.into()),
        path: Some(path.into()),
        authority: Some(b"web".to_vec()),
        headers: vec![],
    }
}

pub(crate) fn allows(admission: &Admission) -> bool {
    admission.verdict().allows()
}

/// Every peer there is.
pub(crate) const ALL: [&str; 7] = [WEB, DB, MON, HOST, NODE, WORLD, LEARNED];

/// Who of all peers may connect to port 80 of `web`.
pub(crate) fn accepted(engine: &Engine) -> Vec<&'static str> {
    ALL.into_iter()
        .filter(|peer| allows(&to_web(engine, peer, 80)))
        .collect()
}

/// The same element with these settings on what a connection on the port must show.
pub(crate) fn with(element: Element, port: PortPattern, settings: PortRule) -> Element {
    let mut element = element;
    element.ports.get_or_insert_default().push(PortRule {
        ports: vec![port],
        ..settings
    });
    element
}

pub(crate) fn server_names(names: &[&str]) -> PortRule {
    PortRule {
        server_names: names.iter().map(|name| (*name).into()).collect(),
        ..PortRule::default()
    }
}

pub(crate) fn rules(rules: L7Rules) -> PortRule {
    PortRule {
        rules: Some(rules),
        ..PortRule::default()
    }
}

pub(crate) fn udp(port: u16) -> PortPattern {
    PortPattern::Port {
        protocol: Protocol::Udp,
        numbers: PortNumbers::Range(port, port),
    }
}

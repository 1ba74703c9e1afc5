//! HTTP requests by which rules can be told apart.

use std::collections::BTreeMap;

use policy_core::{
    HttpRequest,
    bundle::{ExpectedHeader, HttpRule, L7Rules, PortRule},
    re2::Pattern,
};

use super::{
    super::{
        describe,
        outside::example_of,
        sample::{self, HOST, METHOD, PATH},
    },
    Kind, Probe, handshake,
};
use crate::judge::{Content, Message};

/// Above so many rules, every rule has one request, and no variations of it.
const MAX_VARIED: usize = 48;

/// Requests for all rules, and variations of them by which similar rules can be told apart.
pub(super) fn probes(rules: &[&PortRule]) -> Vec<Probe> {
    // With the server names of the same item: both conditions must hold.
    let mut of_rules: Vec<(Option<&str>, &HttpRule)> = Vec::new();
    for rule in rules {
        if let Some(L7Rules::Http(requests)) = &rule.rules {
            let name = rule.server_names.first().map(|name| &**name);
            let new = requests.iter().map(|request| (name, request));
            of_rules.extend(new.filter(|new| !of_rules.contains(new)).collect::<Vec<_>>());
        }
    }
    if of_rules.is_empty() {
        return Vec::new();
    }
    let field = |field, of: fn(&HttpRule) -> Option<&str>| {
        sample::texts(field, of_rules.iter().filter_map(|(_, rule)| of(rule)))
    };
    let pools = Pools {
        methods: field(&METHOD, |rule| rule.method.as_deref()),
        paths: field(&PATH, |rule| rule.path.as_deref()),
        hosts: field(&HOST, |rule| rule.host.as_deref()),
        hosts_matter: of_rules
            .iter()
            .any(|(_, rule)| rule.host.as_deref().is_some_and(|host| !host.is_empty())),
    };
    let varied = of_rules.len() <= MAX_VARIED;
    let mut probes = Vec::new();
    for (name, rule) in of_rules {
        let handshake = name.and_then(|name| handshake(Some(example_of(name))));
        let show = |request| {
            let message = Some(Message::Http(request));
            Probe::new(
                Kind::Http,
                Content {
                    handshake: handshake.clone(),
                    message,
                },
            )
        };
        let Some(request) = pools.example(rule) else { continue };
        if varied {
            probes.extend(pools.variations(&request).into_iter().map(show));
        }
        probes.push(show(request).of_rule(describe::http(rule)));
    }
    // What speaks for a rule comes first, so that it survives among equal ones.
    probes.sort_by_key(|probe| probe.rule.is_none());
    probes.extend(pools.other().map(|request| {
        Probe::new(
            Kind::Http,
            Content {
                handshake: None,
                message: Some(Message::Http(request)),
            },
        )
    }));
    probes
}

/// Values that tell the rules of all fields apart. The first of each is in no rule, if there is such a value.
struct Pools {
    methods: Vec<String>,
    paths: Vec<String>,
    hosts: Vec<String>,
    hosts_matter: bool,
}

impl Pools {
    /// A request that the rule allows; `None` if none was found.
    fn example(&self, rule: &HttpRule) -> Option<HttpRequest> {
        let pick = |pool: &[String], source: &Option<Box<str>>, usual: &str| {
            let Some(source) = source.as_deref().filter(|source| !source.is_empty()) else {
                return Some(usual.to_owned());
            };
            let pattern = Pattern::parse(source).ok()?;
            pool.iter().find(|text| pattern.is_match(text.as_bytes())).cloned()
        };
        let host = match self.hosts_matter {
            true => Some(pick(&self.hosts, &rule.host, "example.com")?.into_bytes()),
            false => None,
        };
        Some(HttpRequest {
            method: Some(pick(&self.methods, &rule.method, "GET")?.into_bytes()),
            path: Some(pick(&self.paths, &rule.path, "/")?.into_bytes()),
            authority: host,
            headers: headers(rule)?,
        })
    }

    /// The same request with one field after the other changed, and without its headers.
    fn variations(&self, request: &HttpRequest) -> Vec<HttpRequest> {
        let value = |text: &String| Some(text.clone().into_bytes());
        let methods = self.methods.iter().map(|text| HttpRequest {
            method: value(text),
            ..request.clone()
        });
        let paths = self.paths.iter().map(|text| HttpRequest {
            path: value(text),
            ..request.clone()
        });
        let hosts = self.hosts.iter().filter(|_| self.hosts_matter);
        let hosts = hosts.map(|text| HttpRequest {
            authority: value(text),
            ..request.clone()
        });
        let bare = HttpRequest {
            headers: Vec::new(),
            ..request.clone()
        };
        methods.chain(paths).chain(hosts).chain([bare]).collect()
    }

    /// A request whose every field is in no rule, as far as there is such a value.
    fn other(&self) -> Option<HttpRequest> {
        let value = |pool: &[String]| pool.first().map(|text| text.clone().into_bytes());
        Some(HttpRequest {
            method: value(&self.methods),
            path: value(&self.paths),
            authority: value(&self.hosts).filter(|_| self.hosts_matter),
            headers: Vec::new(),
        })
    }
}

/// The headers that the rule wants; `None` if it wants one that nobody can send.
fn headers(rule: &HttpRule) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut headers = BTreeMap::new();
    for header in &rule.headers {
        headers.insert(header.name.clone(), header.value.as_deref().unwrap_or("x").to_owned());
    }
    for header in rule.header_matches.iter().filter(|header| header.mismatch.is_none()) {
        let value = match &header.expected {
            ExpectedHeader::Present => "x",
            ExpectedHeader::Value(value) => value,
            ExpectedHeader::Unobtainable => return None,
        };
        headers.insert(header.name.clone(), value.to_owned());
    }
    let bytes = |(name, value): (Box<str>, String)| (name.as_bytes().to_vec(), value.into_bytes());
    Some(headers.into_iter().map(bytes).collect())
}

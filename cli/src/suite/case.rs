//! A case: a question and the answer that is expected.

use std::fmt::Write as _;

use policy_compiler::{Code, Location};
use policy_core::Direction;

use super::{
    content::read_content,
    read::{Located, Place, Reader},
};
use crate::{
    args::{Peer, Port},
    judge::Content,
};

/// The keys of a question without its source.
pub(super) const FLOW_KEYS: [&str; 10] = [
    "to",
    "port",
    "direction",
    "authenticated",
    "http",
    "host",
    "headers",
    "sni",
    "kafka",
    "dns",
];
const CASE_KEYS: [&str; 5] = ["name", "from", "expect", "would", "because"];

/// One question, and what is expected of its answer.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) at: Location,
    pub(super) from: Located<Peer>,
    pub(super) flow: Flow,
    pub(super) expect: Expect,
    /// What would be the verdict if audit were off; `None` if that does not matter.
    pub(super) would: Option<Expect>,
    /// A part of the deciding rule, or the code of the reason.
    pub(super) because: Option<String>,
}

/// What is asked, but for who asks.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) to: Located<Peer>,
    pub(super) port: Port,
    /// Whose policy is asked; `None` for both sides.
    pub(super) direction: Option<Direction>,
    pub(super) authenticated: bool,
    pub(super) content: Content,
    /// The content in words, each as in the suite; empty if only addresses are asked about.
    shown: String,
}

/// The expected verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expect {
    Allow,
    /// A conflict of rules denies too.
    Deny,
}

impl Expect {
    /// The verdict of this word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word {
            "allow" => Some(Self::Allow),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Case {
    /// `shop/db → shop/web 8080/TCP GET /metrics`.
    pub(super) fn question(&self) -> String {
        let Flow {
            to,
            port,
            direction,
            authenticated,
            content: _,
            shown,
        } = &self.flow;
        let mut text = format!(
            "{} → {} {}/{}{shown}",
            self.from.value, to.value, port.number, port.protocol
        );
        if !authenticated {
            text.push_str(" unauthenticated");
        }
        if let Some(direction) = direction {
            // Writing to a string cannot fail.
            let _ = write!(text, " {direction} only");
        }
        text
    }
}

/// The cases of an item of `cases`: one for each combination of its sources, destinations and ports.
pub(super) fn read_cases(reader: &mut Reader, place: &Place<'_>) -> Vec<Case> {
    let known = [&CASE_KEYS[..], &FLOW_KEYS[..]].concat();
    if !reader.is_map_of(place, &known) {
        return Vec::new();
    }
    let name = place.get("name").and_then(|name| reader.text(&name));
    let because = place.get("because").and_then(|because| reader.text(&because));
    let sources = reader.require(place, "from");
    let sources = sources.map(|sources| read_peers(reader, &sources)).unwrap_or_default();
    let flows = read_flows(reader, place);
    let expect = reader.require(place, "expect");
    let Some(expect) = expect.and_then(|expect| read_expect(reader, &expect)) else {
        return Vec::new();
    };
    let would = place.get("would").and_then(|would| read_expect(reader, &would));
    let many = sources.len() * flows.len() > 1;
    let at = reader.location(place.node);
    let mut cases = Vec::new();
    for from in &sources {
        for flow in &flows {
            let mut case = Case {
                name: String::new(),
                at: at.clone(),
                from: from.clone(),
                flow: flow.clone(),
                expect,
                would,
                because: because.map(str::to_owned),
            };
            case.name = match name {
                Some(name) if many => format!("{name}: {}", case.question()),
                Some(name) => name.to_owned(),
                None => case.question(),
            };
            cases.push(case);
        }
    }
    cases
}

/// Everything about a question but its source: one flow for each combination of destinations and ports.
pub(super) fn read_flows(reader: &mut Reader, place: &Place<'_>) -> Vec<Flow> {
    let destinations = reader.require(place, "to");
    let destinations = destinations.map(|to| read_peers(reader, &to)).unwrap_or_default();
    let ports = reader.require(place, "port");
    let ports = ports.map(|ports| reader.one_or_many(&ports)).unwrap_or_default();
    let ports: Vec<Port> = ports.iter().filter_map(|port| reader.parse(port)).collect();
    let direction = place
        .get("direction")
        .and_then(|direction| read_direction(reader, &direction));
    let authenticated = place.get("authenticated").and_then(|value| reader.boolean(&value));
    let (content, shown) = read_content(reader, place);
    let mut flows = Vec::new();
    for to in &destinations {
        for port in &ports {
            flows.push(Flow {
                to: to.clone(),
                port: *port,
                direction,
                authenticated: authenticated.unwrap_or(true),
                content: content.clone(),
                shown: shown.clone(),
            });
        }
    }
    flows
}

fn read_peers(reader: &mut Reader, place: &Place<'_>) -> Vec<Located<Peer>> {
    let places = reader.one_or_many(place);
    let peers = places.iter().filter_map(|place| {
        let peer = reader.parse(place)?;
        Some(reader.locate(place, peer))
    });
    peers.collect()
}

fn read_expect(reader: &mut Reader, place: &Place<'_>) -> Option<Expect> {
    let word = reader.text(place)?;
    let expect = Expect::from_word(word);
    if expect.is_none() {
        reader.error(place, Code::VALUE, format!("`{word}` is neither `allow` nor `deny`"));
    }
    expect
}

fn read_direction(reader: &mut Reader, place: &Place<'_>) -> Option<Direction> {
    let word = reader.text(place)?;
    let known = [Direction::Ingress, Direction::Egress];
    let direction = known.into_iter().find(|direction| direction.as_str() == word);
    if direction.is_none() {
        let message = format!("`{word}` is neither `ingress` nor `egress`");
        reader
            .error(place, Code::VALUE, message)
            .help("leave `direction` out to ask both sides");
    }
    direction
}

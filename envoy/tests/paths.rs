//! Paths that got around somebody's rules, against the listener as it is shipped: whatever reaches the application is
//! allowed in every way in which it could be read. `testdata/paths.toml` has the paths and where they come from.

mod common;

use std::collections::BTreeSet;

use common::h2_wire::{Exchange, Field, Frame, Outcome};
use common::policy::Configuration;
use common::{World, readings, start_plugin, translating};
use envoy_e2e::world::client::Request;
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::json;

/// What people write who do not think of any of these paths.
const OTHERS: [&str; 4] = ["/public/.*", "/[^a].*", r"/.*\.(css|js|png)", "/(a|b|c|d|e)[^.]*"];

/// How many paths are mixed.
const MIXTURES: usize = 300;

#[derive(Deserialize)]
struct Corpus {
    paths: Vec<Entry>,
}

/// A path, see the head of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    sent: String,
    allow: String,
    reaches: String,
    source: String,
    server: String,
    #[serde(default)]
    case: bool,
    beyond: Option<String>,
}

fn corpus() -> Vec<Entry> {
    toml::from_str::<Corpus>(include_str!("../testdata/paths.toml"))
        .unwrap()
        .paths
}

/// The patterns of a bundle, each behind a host of its own: `p0`, `p1`, …
struct Patterns(Vec<String>);

impl Patterns {
    fn new(entries: &[Entry]) -> Self {
        let all = entries.iter().map(|entry| entry.allow.as_str()).chain(OTHERS);
        let all: BTreeSet<_> = all.map(str::to_owned).collect();
        Self(all.into_iter().collect())
    }

    fn configuration(&self, world: &World) -> Configuration {
        let rules = self.0.iter().enumerate();
        let rules = rules.map(|(n, pattern)| json!({ "host": format!("p{n}"), "path": pattern }));
        Configuration::requests(world, rules.collect())
    }

    fn host(&self, pattern: &str) -> String {
        format!("p{}", self.0.iter().position(|known| known == pattern).unwrap())
    }
}

/// Each path with the pattern that it is known to get around, and with the others.
fn asked(entries: &[Entry]) -> Vec<(&Entry, &str)> {
    let mut all = Vec::new();
    for entry in entries.iter().filter(|entry| entry.beyond.is_none() && !entry.case) {
        let patterns = OTHERS.into_iter().chain([entry.allow.as_str()]);
        all.extend(patterns.map(|pattern| (entry, pattern)));
    }
    all
}

/// Whether the pattern matches all of it; any byte is a character.
fn allows(pattern: &str, target: &[u8]) -> bool {
    let target: String = target.iter().map(|byte| char::from(*byte)).collect();
    Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(&target)
}

/// The path of a target without its query.
fn path(target: &[u8]) -> &[u8] {
    target.split(|byte| *byte == b'?').next().unwrap()
}

#[test]
fn the_paths_are_what_they_say() {
    let entries = corpus();
    let within = entries.iter().filter(|entry| entry.beyond.is_none()).count();
    assert!(within >= 80, "{within}");
    let distinct: BTreeSet<_> = entries.iter().map(|entry| (&entry.sent, &entry.allow)).collect();
    assert_eq!(distinct.len(), entries.len(), "one is there twice");
    for Entry {
        sent,
        allow,
        reaches,
        source,
        server,
        case,
        beyond,
    } in entries
    {
        assert!(!source.is_empty() && !server.is_empty(), "{sent}");
        assert!(allows(&allow, sent.as_bytes()), "{sent}: nobody would let it pass");
        assert!(!allows(&allow, reaches.as_bytes()), "{sent}: {reaches} is allowed");
        let all = readings::of(sent.as_bytes(), case);
        let reached = |reading: &&Vec<u8>| path(reading) == reaches.as_bytes() && !allows(&allow, reading);
        let found = all.iter().any(|reading| reached(&reading));
        assert_eq!(found, beyond.is_none(), "{sent} leads to {reaches}");
    }
}

/// What became of a request: nothing, or how its target reached the application.
fn send(world: &World, target: &str, host: &str) -> Option<Vec<u8>> {
    let before = world.app.requests().len();
    let answer = world.http_client().send(&Request::new("GET", target, host)).unwrap();
    let seen = world.app.requests().split_off(before);
    match (answer.status, &seen[..]) {
        (200, [request]) => Some(request.target.clone().into_bytes()),
        (400 | 403 | 404 | 307, []) => None,
        other => panic!("{target} to {host}: {other:?}"),
    }
}

/// The readings of a target that the pattern does not allow, although the target reached the application.
fn misread(sent: &str, reached: &[u8], pattern: &str, caseless: bool) -> Option<String> {
    let all = readings::of(reached, caseless);
    let denied: Vec<_> = all.iter().filter(|reading| !allows(pattern, reading)).collect();
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let denied: Vec<_> = denied.into_iter().map(|reading| text(reading)).collect();
    (!denied.is_empty()).then(|| format!("{sent} with {pattern} reached as {}: {denied:?}", text(reached)))
}

fn assert_none(misread: &[String]) {
    assert!(
        misread.is_empty(),
        "{} got through\n{}",
        misread.len(),
        misread.join("\n")
    );
}

#[test]
fn no_path_gets_around_a_pattern() {
    let entries = corpus();
    let patterns = Patterns::new(&entries);
    let Some((world, _envoy)) = start_plugin(|world| patterns.configuration(world)) else {
        return;
    };
    let mut wrong = Vec::new();
    for (entry, pattern) in asked(&entries) {
        let reached = send(&world, &entry.sent, &patterns.host(pattern));
        wrong.extend(reached.and_then(|reached| misread(&entry.sent, &reached, pattern, false)));
    }
    assert_none(&wrong);
}

#[test]
fn no_path_gets_around_a_pattern_over_http_2() {
    let entries = corpus();
    let patterns = Patterns::new(&entries);
    let Some((world, _envoy)) = translating::start(|world| patterns.configuration(world)) else {
        return;
    };
    let asked = asked(&entries);
    let started: Vec<_> = asked
        .iter()
        .map(|(entry, pattern)| {
            let (host, mark) = (patterns.host(pattern), format!("{} {pattern}", entry.sent));
            let line: [Field; 4] = [
                (b":method", b"GET"),
                (b":scheme", b"http"),
                (b":authority", host.as_bytes()),
                (b":path", entry.sent.as_bytes()),
            ];
            Exchange::start(
                &world,
                &[Frame::request(&[&line[..], &[(b"x-mark", mark.as_bytes())]].concat())],
            )
        })
        .collect();
    let outcomes: Vec<_> = started.into_iter().map(Exchange::outcome).collect();
    let passed = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Status(200))
        .count();
    let refused = [
        Outcome::Status(400),
        Outcome::Status(403),
        Outcome::Status(404),
        Outcome::Gone(None),
    ];
    let others = outcomes.iter().filter(|outcome| !refused.contains(outcome)).count();
    assert_eq!(passed, others, "{outcomes:?}");
    let seen = world.app.requests();
    assert_eq!(seen.len(), passed);
    let mut wrong = Vec::new();
    for request in seen {
        let mark = request.header("x-mark").unwrap();
        let (entry, pattern) = asked
            .iter()
            .find(|(entry, pattern)| mark == format!("{} {pattern}", entry.sent))
            .unwrap();
        wrong.extend(misread(&entry.sent, request.target.as_bytes(), pattern, false));
    }
    assert_none(&wrong);
}

/// What paths are mixed from that mean more than one thing.
const PIECES: [&str; 30] = [
    "/", "/", "/", "//", "\\", "%2f", "%252F", "%5c", "%255c", ".", "..", "%2e", "%252e%2e", ".%252e", "%25u002e",
    "%c0%ae", ";", ";a=b", "%3b", "%253b", "%00", "%0d", "%250a", "%3f", "%2523", "public", "admin", "%61dmin",
    "%2561", "a",
];

/// Paths that begin as the patterns do and go on with so many pieces, always the same ones.
fn mixtures(count: usize) -> impl Iterator<Item = String> {
    // The generator of Park and Miller.
    let mut state: u64 = 1;
    let mut below = move |bound: u64| {
        state = state * 48_271 % 0x7fff_ffff;
        usize::try_from(state % bound).unwrap()
    };
    (0..count).map(move |_| {
        let mut path = ["/public/", "/x", "/"][below(3)].to_owned();
        for _ in 0..2 + below(8) {
            path.push_str(PIECES[below(30)]);
        }
        path
    })
}

#[test]
fn no_mixture_gets_around_a_pattern() {
    let patterns = Patterns::new(&[]);
    let Some((world, _envoy)) = start_plugin(|world| patterns.configuration(world)) else {
        return;
    };
    let (mut wrong, mut passed) = (Vec::new(), 0);
    for sent in mixtures(MIXTURES) {
        for pattern in OTHERS {
            if let Some(reached) = send(&world, &sent, &patterns.host(pattern)) {
                passed += 1;
                wrong.extend(misread(&sent, &reached, pattern, false));
            }
        }
    }
    assert_none(&wrong);
    assert!(passed > MIXTURES / 20, "{passed}");
}

#[test]
fn the_readings_are_what_stops_some_of_them() {
    // If nothing got through without them, the other tests would show little.
    let entries = corpus();
    let patterns = Patterns::new(&entries);
    let Some((world, _envoy)) = start_plugin(|world| patterns.configuration(world).reading(&[])) else {
        return;
    };
    let through = |entry: &&Entry| send(&world, &entry.sent, &patterns.host(&entry.allow)).is_some();
    let within = entries.iter().filter(|entry| entry.beyond.is_none() && !entry.case);
    let through: Vec<_> = within.filter(through).map(|entry| entry.sent.as_str()).collect();
    for sent in [
        "/resin-doc/;/WEB-INF/resin-web.xml",
        "/jkstatus;",
        "/%2577ebui_wsma_http",
    ] {
        assert!(through.contains(&sent), "{sent}: {through:?}");
    }
}

#[test]
fn whoever_ignores_the_case_can_have_that_read_too() {
    let entries = corpus();
    let patterns = Patterns::new(&entries);
    let all = ["decoded", "parameters", "slashes", "case"];
    let Some((world, _envoy)) = start_plugin(|world| patterns.configuration(world).reading(&all)) else {
        return;
    };
    let mut wrong = Vec::new();
    for entry in entries.iter().filter(|entry| entry.case) {
        let reached = send(&world, &entry.sent, &patterns.host(&entry.allow));
        wrong.extend(reached.and_then(|reached| misread(&entry.sent, &reached, &entry.allow, true)));
    }
    assert_none(&wrong);
}

#[test]
fn paths_without_a_second_reading_pass() {
    let entries = corpus();
    let patterns = Patterns::new(&entries);
    let Some((world, _envoy)) = start_plugin(|world| patterns.configuration(world)) else {
        return;
    };
    for (sent, why) in [
        ("/public/", "the folder itself"),
        ("/public/a%20b", "an encoded blank"),
        ("/public/caf%C3%A9", "an encoded letter"),
        ("/public/100%25", "an encoded percent sign"),
        ("/public/a;v=1/b;w=2", "parameters whose name is allowed, too"),
        ("/public/a+b~c.d-e_f", "all that is never encoded"),
        ("/public/..a/.well-known/...", "names that begin with dots"),
        ("/public/a?b=/../../admin&c=%2e%2e;//", "a query is not a path"),
        ("/public/a%3Fb", "an encoded question mark in an allowed folder"),
        ("/public/a:b@c,d$e!f*(g)", "signs that mean nothing"),
    ] {
        assert_eq!(
            send(&world, sent, &patterns.host("/public/.*")).as_deref(),
            Some(sent.as_bytes()),
            "{why}"
        );
    }
}

//! Patterns from policies and bytes from clients: the first line is an RE2 pattern, the rest what it is matched with.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_core::{
    AddressFacts, Bundle, Engine, HttpRequest, Label, Labels, Protocol, Scope, Selector,
    bundle::{
        DefaultDeny, Element, Endpoint, HeaderRule, HttpRule, Identity, L7Rules, Mode, Peers, Policy, PortNumbers,
        PortPattern, PortRule, Rule,
    },
    re2::Pattern,
};

/// Longer texts make the simulation give up, which is a denial and no mistake.
const LONGEST: usize = 48;

const ADDRESS: [u8; 4] = [10, 0, 0, 1];

fuzz_target!(|bytes: &[u8]| {
    let (source, input) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let Ok(source) = std::str::from_utf8(source) else {
        return;
    };
    let input = input.get(1..).unwrap_or_default();
    let input = &input[..input.len().min(LONGEST)];
    if let Ok(pattern) = Pattern::parse(source) {
        let matches = pattern.is_match(input);
        assert!(
            !matches || std::str::from_utf8(input).is_ok(),
            "{pattern:?} matches what is not text"
        );
        same_language(source, &pattern, input);
        rules(source, input, matches);
    }
    header(source, input);
});

/// Other ways to write a pattern, which are compiled in other ways.
fn same_language(source: &str, pattern: &Pattern, input: &[u8]) {
    let matches = pattern.is_match(input);
    for other in [
        format!("(?:{source})"),
        format!("(?:{source})|(?:{source})"),
        format!("(?:{source}){{1}}"),
        // The second branch matches nothing, but keeps the first from being compared as a text.
        format!(r"(?:{source})|[^\x00-\x{{10FFFF}}]+"),
    ] {
        // Some do not compile: an open `\Q` quotes what was added, and twice the pattern may be too large.
        if let Ok(other) = Pattern::parse(&other) {
            assert_eq!(other.is_match(input), matches, "{other:?} and {pattern:?} on {input:?}");
        }
    }
}

/// The engine asks the pattern and nothing else, for each part of a request that a rule can name.
fn rules(source: &str, input: &[u8], matches: bool) {
    // An empty pattern is no condition.
    let expected = matches || source.is_empty();
    let (pattern, value) = (Some(source.into()), Some(input.to_vec()));
    let cases = [
        (
            HttpRule {
                method: pattern.clone(),
                ..HttpRule::default()
            },
            HttpRequest {
                method: value.clone(),
                ..HttpRequest::default()
            },
        ),
        (
            HttpRule {
                path: pattern.clone(),
                ..HttpRule::default()
            },
            HttpRequest {
                path: value.clone(),
                ..HttpRequest::default()
            },
        ),
        (
            HttpRule {
                host: pattern,
                ..HttpRule::default()
            },
            HttpRequest {
                authority: value,
                ..HttpRequest::default()
            },
        ),
    ];
    for (rule, asked) in cases {
        assert_eq!(allows(rule.clone(), &asked), expected, "{rule:?} on {asked:?}");
        if !source.is_empty() {
            assert!(
                !allows(rule, &HttpRequest::default()),
                "what is missing matches nothing"
            );
        }
    }
}

/// A header is compared as all of its values, joined by commas.
fn header(value: &str, input: &[u8]) {
    let rule = HttpRule {
        headers: vec![HeaderRule {
            name: "x-token".into(),
            value: Some(value.into()),
        }],
        ..HttpRule::default()
    };
    let values = input.split(|byte| *byte == b',');
    let asked = HttpRequest {
        headers: values.map(|value| (b"X-Token".to_vec(), value.to_vec())).collect(),
        ..HttpRequest::default()
    };
    assert_eq!(
        allows(rule, &asked),
        value.as_bytes() == input,
        "{value:?} with {asked:?}"
    );
}

/// What an endpoint says that allows nothing but this.
fn allows(rule: HttpRule, asked: &HttpRequest) -> bool {
    let engine = Engine::new(bundle(rule)).expect("the pattern compiles");
    let address = Some(ADDRESS.into());
    let admission = engine.admit(&AddressFacts::new(address, address, Protocol::Tcp, 80), Scope::Ingress);
    admission.request(None, asked).allows()
}

fn bundle(rule: HttpRule) -> Bundle {
    let on_http = PortRule {
        ports: vec![PortPattern::Port {
            protocol: Protocol::Tcp,
            numbers: PortNumbers::Range(80, 80),
        }],
        rules: Some(L7Rules::Http(vec![rule])),
        ..PortRule::default()
    };
    let element = Element {
        peers: Peers::Any,
        ports: Some(vec![on_http]),
        authentication: None,
    };
    let rule = Rule {
        default_deny: DefaultDeny {
            ingress: true,
            egress: false,
        },
        ingress: vec![element],
        ..Rule::new("spec", 0)
    };
    let label = Label::new("k8s", "app", "web").expect("a label");
    Bundle {
        version: 1,
        selectors: vec![Selector::new(Vec::new())],
        policies: vec![Policy {
            kind: "CiliumNetworkPolicy".into(),
            namespace: Some("shop".into()),
            name: "web".into(),
            mode: Mode::Enforce,
            rules: vec![rule],
        }],
        identities: vec![Identity {
            labels: Labels::new([label]),
            ports: Vec::new(),
        }],
        endpoints: vec![Endpoint {
            name: "shop/web".into(),
            identity: 0,
            addresses: vec![ADDRESS.into()],
        }],
        ..Bundle::default()
    }
}

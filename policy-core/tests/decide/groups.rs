//! Labels of addresses outside the cluster, and prefixes that are for addresses everywhere.

use crate::world::*;
use policy_core::{
    Bundle, Engine, Requirement, Selector, SelectorKey,
    bundle::{CidrGroup, PeerPattern},
};

const INNER: &str = "10.1.2.3";
const OUTER: &str = "10.2.0.1";

fn requirement(key: &str, value: Option<&str>) -> Requirement {
    let key = SelectorKey::parse(key).expect("key");
    match value {
        Some(value) => Requirement::Equals {
            key,
            value: value.into(),
        },
        None => Requirement::Exists { key },
    }
}

/// The addresses that may connect to `web`, when its only peers are these.
fn allowed(requirements: Vec<Requirement>, pattern: impl Fn(u32) -> PeerPattern) -> Vec<&'static str> {
    let group = |label: &str, prefix: &str| CidrGroup {
        labels: [label, "cidrgroup:both=x"]
            .iter()
            .map(|label| label.parse().expect("label"))
            .collect(),
        prefixes: vec![prefix.parse().expect("prefix")],
    };
    let mut bundle: Bundle = world([ingress([from([pattern(3)])])]);
    bundle.selectors.push(Selector::new(requirements));
    bundle.groups = vec![
        group("cidrgroup:env=prod", "10.0.0.0/8"),
        group("cidrgroup:env=dev", "10.1.0.0/16"),
    ];
    // The world of the tests has its endpoints in 10.0.0.0/16.
    let engine = Engine::new(bundle).expect("a good bundle");
    let sources = [DB, NODE, INNER, OUTER, WORLD];
    sources
        .into_iter()
        .filter(|source| allows(&to_web(&engine, source, 80)))
        .collect()
}

#[test]
fn groups_label_addresses_outside() {
    let external = |except: &[&str]| {
        let except: Vec<_> = except.iter().map(|prefix| prefix.parse().expect("prefix")).collect();
        move |selector| PeerPattern::External {
            selector,
            except: except.clone(),
        }
    };
    let label = |key: &str, value: &str| vec![requirement(key, Some(value))];
    let not = |value: &str| {
        vec![Requirement::NotIn {
            key: SelectorKey::parse("cidrgroup:env").expect("key"),
            values: vec![value.into()],
        }]
    };
    assert_eq!(
        allowed(label("cidrgroup:env", "prod"), external(&[])),
        [INNER, OUTER],
        "both values match"
    );
    assert_eq!(allowed(label("cidrgroup:env", "dev"), external(&[])), [INNER]);
    assert_eq!(
        allowed(label("cidrgroup:env", "prod"), external(&["10.1.0.0/16"])),
        [OUTER],
        "an exception"
    );
    assert_eq!(
        allowed(not("dev"), external(&[])),
        [OUTER, WORLD],
        "never endpoints or nodes"
    );
    assert_eq!(
        allowed(label("any:both", "x"), PeerPattern::Selector),
        [INNER, OUTER],
        "like any label"
    );
    let dev_and_prod = [label("cidrgroup:env", "dev"), label("cidrgroup:env", "prod")].concat();
    assert_eq!(
        allowed(dev_and_prod, external(&[])),
        [INNER],
        "labels of all groups together"
    );
}

#[test]
fn prefixes_are_labels_too() {
    let key = |key: &str| vec![requirement(key, None)];
    assert_eq!(
        allowed(key("cidr:10.0.0.0/8"), PeerPattern::Selector),
        [INNER, OUTER],
        "every prefix inside"
    );
    assert_eq!(allowed(key("cidr:10.1.0.0/16"), PeerPattern::Selector), [INNER]);
    assert_eq!(
        allowed(key("cidr:10.1.0.0/24"), PeerPattern::Selector),
        [""; 0],
        "a prefix that nobody knows"
    );
}

#[test]
fn a_prefix_may_be_for_addresses_everywhere() {
    let anywhere = |prefix: &str, except: &[&str]| {
        let prefix = prefix.parse().expect("prefix");
        let except: Vec<_> = except.iter().map(|prefix| prefix.parse().expect("prefix")).collect();
        move |_| PeerPattern::Address {
            prefix,
            except: except.clone(),
        }
    };
    assert_eq!(allowed(vec![], anywhere("10.0.0.0/8", &[])), [DB, NODE, INNER, OUTER]);
    assert_eq!(
        allowed(vec![], anywhere("10.0.0.0/8", &["10.0.0.0/24"])),
        [NODE, INNER, OUTER]
    );
    assert_eq!(allowed(vec![], anywhere("10.0.0.2/32", &[])), [DB]);
    assert_eq!(allowed(vec![], anywhere("::/0", &[])), [""; 0]);
}

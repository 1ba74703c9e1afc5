//! By which label each rule is found.

use alloc::{borrow::ToOwned, collections::BTreeMap, vec, vec::Vec};
use hashbrown::HashMap;

use crate::{
    engine::{NO_ANCHOR, anchor},
    labels::Source,
    selector::{Requirement, Selector, SelectorKey},
};

/// The rules, by position, of each anchor; a rule that has none is under [`NO_ANCHOR`].
///
/// Of several labels that a selector requires, the one counts that the fewest rules do: `app=web` rather than the
/// namespace.
pub(super) fn of_rules(subjects: &[u32], selectors: &[Selector]) -> BTreeMap<Vec<u8>, Vec<u32>> {
    let selector = |subject: u32| usize::try_from(subject).ok().and_then(|at| selectors.get(at));
    let required = |subject: u32| selector(subject).map(required).unwrap_or_default();
    let mut uses: HashMap<Vec<u8>, usize> = HashMap::new();
    for anchor in subjects.iter().flat_map(|subject| required(*subject)).flatten() {
        let uses = uses.entry(anchor).or_default();
        *uses = uses.saturating_add(1);
    }
    let cost = |ways: &Vec<Vec<u8>>| ways.iter().filter_map(|way| uses.get(way)).sum::<usize>();
    let mut rules: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
    for (number, subject) in (0..).zip(subjects) {
        let rarest = required(*subject).into_iter().min_by_key(cost);
        for anchor in rarest.unwrap_or_else(|| vec![NO_ANCHOR.to_owned()]) {
            rules.entry(anchor).or_default().push(number);
        }
    }
    rules
}

/// What a selector requires: for each requirement that only certain labels meet, these.
fn required(selector: &Selector) -> Vec<Vec<Vec<u8>>> {
    // A key of this source means labels with other keys, too.
    let usual = |key: &SelectorKey| key.source() != Some(Source::CIDR);
    let ways = selector
        .requirements()
        .iter()
        .filter_map(|requirement| match requirement {
            Requirement::Equals { key, value } if usual(key) => Some(vec![anchor(key.key(), value)]),
            Requirement::In { key, values } if usual(key) => {
                Some(values.iter().map(|value| anchor(key.key(), value)).collect())
            }
            _ => None,
        });
    ways.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_found_by_the_rarest_label_that_its_selector_requires() {
        let key = |text: &str| SelectorKey::parse(text).expect("key");
        let equals = |k: &str, v: &str| Requirement::Equals {
            key: key(k),
            value: v.into(),
        };
        let exists = Requirement::Exists { key: key("any:app") };
        let one_of = Requirement::In {
            key: key("any:app"),
            values: vec!["a".into(), "b".into()],
        };
        let cidr = equals("cidr:10.0.0.0/8", "");
        let selectors = [
            vec![equals("k8s:ns", "shop"), equals("any:app", "web")],
            vec![equals("k8s:ns", "shop"), exists.clone()],
            vec![one_of],
            vec![exists, cidr],
            vec![],
        ]
        .map(Selector::new);
        let found = of_rules(&[0, 1, 2, 3, 4, 0], &selectors);
        let want = [
            (anchor("app", "a"), vec![2]),
            (anchor("app", "b"), vec![2]),
            (anchor("app", "web"), vec![0, 5]),
            (anchor("ns", "shop"), vec![1]),
            (NO_ANCHOR.to_vec(), vec![3, 4]),
        ];
        assert_eq!(found, BTreeMap::from(want));
    }
}

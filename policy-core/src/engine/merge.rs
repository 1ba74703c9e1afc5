//! Merging (semantics §7.1): what rules say about the same peers on the same ports is one entry.
//!
//! Only what has *identical* peers and *identical* ports is merged. Everything else stays side by side, and is united
//! when a connection is decided. Merging does not depend on the order of rules.

mod entry;

use alloc::{rc::Rc, vec, vec::Vec};
use hashbrown::{HashMap, HashSet};

use super::{
    compile::{Action, CompiledElement, L7, PeerMatcher, PeerSet, PortSet, Settings},
    entities::Selectors,
};
use crate::{
    bundle::{Authentication, Listener, PortPattern},
    http::Finder,
    verdict::RuleRef,
};

pub(crate) use entry::{Entry, Key, Parser};

/// Two rules that contradict each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Conflict {
    pub(crate) rule: RuleRef,
    pub(crate) other: RuleRef,
}

/// The allow entries that the elements of a subject's rules make in one direction.
pub(crate) fn entries(elements: &[Rc<CompiledElement>], selectors: &Selectors) -> Result<Vec<Rc<Entry>>, Conflict> {
    let mut denied: HashSet<Key> = HashSet::new();
    for element in elements.iter().filter(|element| element.action == Action::Deny) {
        slots(element, selectors, &mut |key, _| {
            denied.insert(key);
        });
    }
    // In the order in which the keys come first.
    let mut groups: Vec<(Key, Vec<Slot<'_>>)> = Vec::new();
    let mut positions: HashMap<Key, usize> = HashMap::new();
    for element in elements.iter().filter(|element| element.action == Action::Allow) {
        slots(element, selectors, &mut |key, slot| {
            // A deny of the very same wins, and leaves nothing to contradict.
            if denied.contains(&key) {
                return;
            }
            let next = groups.len();
            let position = *positions.entry(key.clone()).or_insert(next);
            match groups.get_mut(position) {
                Some((_, group)) => group.push(slot),
                None => groups.push((key, vec![slot])),
            }
        });
    }
    groups
        .into_iter()
        .filter_map(|(key, slots)| merge(key, &slots))
        .collect()
}

/// What one element says about one key.
struct Slot<'e> {
    rule: &'e RuleRef,
    authentication: Option<Authentication>,
    settings: &'e Settings,
}

/// Calls `each` for every pair of peers and ports of the element.
fn slots<'e>(element: &'e CompiledElement, selectors: &Selectors, each: &mut dyn FnMut(Key, Slot<'e>)) {
    const PLAIN: &Settings = &Settings {
        l7: None,
        server_names: Vec::new(),
        terminating_tls: None,
        originating_tls: None,
        listener: None,
    };
    for peer in peers(&element.peers, selectors) {
        let mut add = |port: Option<&PortPattern>, rule, settings| {
            let key = Key {
                port: port.cloned(),
                peer: peer.clone(),
            };
            let authentication = element.authentication;
            let slot = Slot {
                rule,
                authentication,
                settings,
            };
            each(key, slot);
        };
        match &element.ports {
            PortSet::All => add(None, &element.rule, PLAIN),
            PortSet::OneOf(items) => {
                for item in items {
                    let patterns = item.patterns.iter();
                    patterns.for_each(|pattern| add(Some(pattern), &item.rule, &item.settings));
                }
            }
        }
    }
}

/// Each way to name peers by itself: an entity by its selectors, a selector without conditions as every peer.
fn peers(peers: &PeerSet, selectors: &Selectors) -> Vec<Option<PeerMatcher>> {
    let PeerSet::OneOf(matchers) = peers else {
        return vec![None];
    };
    let selector = |index: u32| {
        let is_wildcard = selectors
            .get(index)
            .is_some_and(|selector| selector.requirements().is_empty());
        (!is_wildcard).then(|| PeerMatcher::Selector(selectors.first_equal(index)))
    };
    let mut all = Vec::new();
    for matcher in matchers {
        match matcher {
            PeerMatcher::Selector(index) => all.push(selector(*index)),
            PeerMatcher::Entity(entity) => all.extend(selectors.of_entity(*entity).iter().copied().map(selector)),
            PeerMatcher::External { selector, except } => all.push(Some(PeerMatcher::External {
                selector: selectors.first_equal(*selector),
                except: except.clone(),
            })),
            PeerMatcher::Cidr { .. } | PeerMatcher::Address { .. } | PeerMatcher::Fqdn(_) => {
                all.push(Some(matcher.clone()));
            }
        }
    }
    all
}

/// One entry of all slots with the same key; `None` if there are none.
fn merge(key: Key, slots: &[Slot<'_>]) -> Option<Result<Rc<Entry>, Conflict>> {
    let first = slots.first()?;
    Some(merged(key, first, slots).map(Rc::new))
}

fn merged(key: Key, first: &Slot<'_>, slots: &[Slot<'_>]) -> Result<Entry, Conflict> {
    check_parsers(first, slots)?;
    let settings = Settings {
        l7: unite_l7(slots),
        server_names: unite_server_names(slots),
        terminating_tls: agreed(slots, |slot| slot.settings.terminating_tls.clone())?,
        originating_tls: agreed(slots, |slot| slot.settings.originating_tls.clone())?,
        listener: first_listener(slots)?,
    };
    // Whatever the order: a name that is asked for and requests that are looked at need TLS to end here.
    if settings.terminating_tls.is_none()
        && let Some(with_rules) = slots.iter().find(|slot| slot.settings.l7.is_some())
        && let Some(with_names) = slots.iter().find(|slot| !slot.settings.server_names.is_empty())
    {
        return Err(conflict(with_rules, with_names));
    }
    let unrestricted = slots.iter().find(|slot| slot.settings.l7.is_none());
    Ok(Entry {
        rule: first.rule.clone(),
        key,
        authentication: agreed(slots, |slot| slot.authentication)?,
        unrestricted: unrestricted
            .filter(|_| settings.l7.is_some())
            .map(|slot| slot.rule.clone()),
        changes_headers: settings.http().iter().any(|rule| rule.has_actions()),
        finder: Finder::default(),
        settings,
    })
}

fn conflict(one: &Slot<'_>, other: &Slot<'_>) -> Conflict {
    Conflict {
        rule: one.rule.clone(),
        other: other.rule.clone(),
    }
}

/// A connection goes through one parser only: plain gives way to any, TLS to HTTP and Kafka, and no other pair agrees.
fn check_parsers(first: &Slot<'_>, slots: &[Slot<'_>]) -> Result<(), Conflict> {
    let parser = |slot: &Slot<'_>| slot.settings.parser();
    let strongest = slots.iter().fold(
        first,
        |best, slot| {
            if parser(slot) > parser(best) { slot } else { best }
        },
    );
    let gives_way = |weak: Parser, strong: Parser| match (weak, strong) {
        (Parser::None, _) | (Parser::Tls, Parser::Http | Parser::Kafka) => true,
        (weak, strong) => weak == strong,
    };
    let stubborn = slots.iter().find(|slot| !gives_way(parser(slot), parser(strongest)));
    stubborn.map_or(Ok(()), |slot| Err(conflict(slot, strongest)))
}

/// The value that all slots with a value have.
fn agreed<T: PartialEq>(slots: &[Slot<'_>], value: impl Fn(&Slot<'_>) -> Option<T>) -> Result<Option<T>, Conflict> {
    let mut seen: Option<(T, &Slot<'_>)> = None;
    for slot in slots {
        match (value(slot), &seen) {
            (Some(new), Some((old, other))) if new != *old => return Err(conflict(other, slot)),
            (Some(new), None) => seen = Some((new, slot)),
            (Some(_) | None, _) => {}
        }
    }
    Ok(seen.map(|(value, _)| value))
}

/// The listener with the smallest priority number; two of the same number contradict each other.
fn first_listener(slots: &[Slot<'_>]) -> Result<Option<Rc<Listener>>, Conflict> {
    let priority = |slot: &Slot<'_>| slot.settings.listener.as_ref().map(|listener| order(listener));
    let Some(smallest) = slots.iter().filter_map(priority).min() else {
        return Ok(None);
    };
    agreed(slots, |slot| {
        slot.settings
            .listener
            .clone()
            .filter(|listener| order(listener) == smallest)
    })
}

/// Without a priority, or with 0, a listener comes last.
pub(crate) fn order(listener: &Listener) -> u8 {
    listener.priority.filter(|priority| *priority > 0).unwrap_or(u8::MAX)
}

/// Those of all slots. A slot without any takes on those of the others.
fn unite_server_names(slots: &[Slot<'_>]) -> Vec<crate::sni::SniPattern> {
    let mut all: Vec<_> = slots
        .iter()
        .flat_map(|slot| slot.settings.server_names.iter().cloned())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Those of all slots, which are of one kind.
fn unite_l7(slots: &[Slot<'_>]) -> Option<L7> {
    let mut united: Option<L7> = None;
    for slot in slots {
        match (&mut united, &slot.settings.l7) {
            (None, rules) => united.clone_from(rules),
            (Some(L7::Http(all)), Some(L7::Http(more))) => all.extend(more.iter().cloned()),
            (Some(L7::Dns(all)), Some(L7::Dns(more))) => all.extend(more.iter().cloned()),
            (Some(L7::Kafka(all)), Some(L7::Kafka(more))) => all.extend(more.iter().cloned()),
            (Some(_), _) => {}
        }
    }
    united
}

//! Every flow that either policy set can tell apart, asked of both.

use std::collections::{BTreeMap, HashMap};

use policy_core::Direction;

use crate::args::FailOn;
use crate::reach::{Asked, Kind, Space, Why};

/// Which way a difference goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Change {
    /// It was denied and is allowed.
    Opened,
    /// It was allowed and is denied.
    Closed,
}

impl Change {
    /// `opened` or `closed`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
        }
    }

    /// Whether it makes the exit status 1.
    pub(crate) fn counts(self, fail_on: FailOn) -> bool {
        match fail_on {
            FailOn::Any => true,
            FailOn::Widening => self == Self::Opened,
            FailOn::Narrowing => self == Self::Closed,
        }
    }
}

/// What one side says to a flow, before and after.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct ChangedSide {
    pub(super) direction: Direction,
    pub(super) old: Why,
    pub(super) new: Why,
}

/// Flows that changed in the same way for the same reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Difference {
    pub(super) change: Change,
    /// Positions of parties: from each of these …
    pub(super) from: Vec<usize>,
    /// … to each of these.
    pub(super) to: Vec<usize>,
    /// Positions of ports.
    pub(super) ports: Vec<usize>,
    /// Positions of what connections must show; the first one is an example of the others.
    pub(super) probes: Vec<usize>,
    /// Whether everything changed that a connection may show, and not the probes alone.
    pub(super) everything: bool,
    /// The sides that changed their mind.
    pub(super) sides: Vec<ChangedSide>,
}

/// What is the same in all flows of a difference, but for the parties.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Effect {
    change: Change,
    probes: Vec<usize>,
    everything: bool,
    sides: Vec<ChangedSide>,
}

/// An effect, and the positions of the ports that have it.
type OnPorts = (Effect, Vec<usize>);

/// All differences, the openings first. Each flow is in one of them.
pub(super) fn differences(space: &Space) -> Vec<Difference> {
    let mut order: Vec<OnPorts> = Vec::new();
    let mut found: HashMap<OnPorts, Vec<(usize, usize)>> = HashMap::new();
    let parties = 0..space.parties.len();
    for (from, to) in parties
        .clone()
        .flat_map(|from| parties.clone().map(move |to| (from, to)))
    {
        for effect in of_pair(space, from, to) {
            let pairs = found.entry(effect.clone()).or_default();
            if pairs.is_empty() {
                order.push(effect);
            }
            pairs.push((from, to));
        }
    }
    let mut differences = Vec::new();
    for key in order {
        let pairs = found.remove(&key).unwrap_or_default();
        let (
            Effect {
                change,
                probes,
                everything,
                sides,
            },
            ports,
        ) = key;
        differences.extend(rectangles(&pairs).into_iter().map(|(from, to)| Difference {
            change,
            from,
            to,
            ports: ports.clone(),
            probes: probes.clone(),
            everything,
            sides: sides.clone(),
        }));
    }
    differences.sort_by_key(|difference| difference.change);
    differences
}

/// What changed between two parties, with the ports on which it did.
fn of_pair(space: &Space, from: usize, to: usize) -> Vec<OnPorts> {
    let mut effects: Vec<OnPorts> = Vec::new();
    for (port, class) in space.ports.iter().enumerate() {
        let (Some(old), Some(new)) = (space.ask(0, from, to, class), space.ask(1, from, to, class)) else {
            continue;
        };
        for effect in of_flow(space, &old, &new) {
            match effects.iter_mut().find(|(known, _)| *known == effect) {
                Some((_, ports)) => ports.push(port),
                None => effects.push((effect, vec![port])),
            }
        }
    }
    effects
}

fn of_flow(space: &Space, old: &Asked<'_>, new: &Asked<'_>) -> Vec<Effect> {
    let mut kinds = old.looks_into();
    kinds.extend(new.looks_into());
    if kinds.is_empty() {
        kinds.push(Kind::Connection);
    }
    let probes = space.probes.iter().enumerate();
    let relevant: Vec<usize> = probes
        .filter(|(_, probe)| kinds.contains(&probe.kind))
        .map(|(i, _)| i)
        .collect();
    let mut effects: Vec<Effect> = Vec::new();
    for i in &relevant {
        let Some((change, sides)) = space
            .probes
            .get(*i)
            .and_then(|probe| changed(&old.sides(probe), &new.sides(probe)))
        else {
            continue;
        };
        match effects
            .iter_mut()
            .find(|effect| effect.change == change && effect.sides == sides)
        {
            Some(effect) => effect.probes.push(*i),
            None => effects.push(Effect {
                change,
                probes: vec![*i],
                everything: false,
                sides,
            }),
        }
    }
    if let [effect] = effects.as_mut_slice() {
        effect.everything = effect.probes == relevant;
    }
    effects
}

/// Whether the flow changed, and which sides made it.
fn changed(old: &[(Direction, Why)], new: &[(Direction, Why)]) -> Option<(Change, Vec<ChangedSide>)> {
    let passes = |sides: &[(Direction, Why)]| !sides.is_empty() && sides.iter().all(|(_, why)| why.allows);
    let change = match (passes(old), passes(new)) {
        (false, true) => Change::Opened,
        (true, false) => Change::Closed,
        (true, true) | (false, false) => return None,
    };
    let sides = old.iter().filter_map(|(direction, old)| {
        let (_, new) = new
            .iter()
            .find(|(of, new)| of == direction && new.allows != old.allows)?;
        Some(ChangedSide {
            direction: *direction,
            old: old.clone(),
            new: new.clone(),
        })
    });
    Some((change, sides.collect()))
}

/// The same pairs as few products of sources and destinations.
fn rectangles(pairs: &[(usize, usize)]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let by_source = products(pairs.iter().copied());
    let by_destination = products(pairs.iter().map(|(from, to)| (*to, *from)));
    match by_destination.len() < by_source.len() {
        true => by_destination.into_iter().map(|(to, from)| (from, to)).collect(),
        false => by_source,
    }
}

fn products(pairs: impl Iterator<Item = (usize, usize)>) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, column) in pairs {
        rows.entry(row).or_default().push(column);
    }
    let mut products: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for (row, columns) in rows {
        match products.iter_mut().find(|(_, known)| *known == columns) {
            Some((rows, _)) => rows.push(row),
            None => products.push((vec![row], columns)),
        }
    }
    products
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_few_products() {
        for (pairs, want, why) in [
            (&[][..], vec![], "nothing"),
            (
                &[(0, 1), (0, 2), (1, 1), (1, 2)],
                vec![(vec![0, 1], vec![1, 2])],
                "a product",
            ),
            (
                &[(0, 1), (1, 2)],
                vec![(vec![0], vec![1]), (vec![1], vec![2])],
                "no product",
            ),
            (
                &[(0, 5), (1, 5), (1, 6), (2, 6)],
                vec![(vec![0, 1], vec![5]), (vec![1, 2], vec![6])],
                "fewer by destination",
            ),
        ] {
            assert_eq!(rectangles(pairs), want, "{why}");
        }
    }

    /// Every flow on which two random policy sets differ is in one difference, and no other flow is.
    #[test]
    fn differences_are_all_flows_that_differ() {
        use std::collections::BTreeSet;

        use crate::reach::tests::{compiled, pods, policies};

        let mut differing = 0;
        for seed in 0..20 {
            let bundle = |policies: String| compiled(&[], &format!("{}\n---\n{policies}", pods(seed)));
            let bundles = vec![bundle(policies(seed)), bundle(policies(seed + 1000))];
            let space = Space::new(bundles).expect("a space");
            let mut told = BTreeSet::new();
            for difference in differences(&space) {
                for (from, to) in difference
                    .from
                    .iter()
                    .flat_map(|from| difference.to.iter().map(move |to| (from, to)))
                {
                    for (port, probe) in difference
                        .ports
                        .iter()
                        .flat_map(|port| difference.probes.iter().map(move |probe| (port, probe)))
                    {
                        let flow = (*from, *to, *port, *probe, difference.change);
                        assert!(told.insert(flow), "seed {seed}: {flow:?} is told twice");
                    }
                }
            }
            let mut found = BTreeSet::new();
            let parties = 0..space.parties.len();
            for (from, to) in parties
                .clone()
                .flat_map(|from| parties.clone().map(move |to| (from, to)))
            {
                for (port, class) in space.ports.iter().enumerate() {
                    let [old, new] = [0, 1].map(|bundle| space.ask(bundle, from, to, class).expect("an answer"));
                    for (i, probe) in space.probes.iter().enumerate() {
                        let change = match (old.judge(probe).allows(), new.judge(probe).allows()) {
                            (false, true) => Change::Opened,
                            (true, false) => Change::Closed,
                            _ => continue,
                        };
                        found.insert((from, to, port, i, change));
                    }
                }
            }
            // What connections show is told only where somebody looks into them.
            assert!(told.is_subset(&found), "seed {seed}");
            let pairs = |flows: &BTreeSet<(usize, usize, usize, usize, Change)>| -> BTreeSet<_> {
                flows
                    .iter()
                    .map(|(from, to, port, _, change)| (*from, *to, *port, *change))
                    .collect()
            };
            assert_eq!(pairs(&told), pairs(&found), "seed {seed}");
            differing += told.len();
        }
        assert!(differing > 1000, "only {differing} flows differ");
    }
}

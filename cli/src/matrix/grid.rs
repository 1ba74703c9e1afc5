//! Every cell of the matrix, each distinct answer once.

use std::{collections::HashMap, hash::Hash};

use crate::reach::{Outcome, Party, PortClass, Reach, Space};

/// The answers for all pairs of parties on all ports.
pub(super) struct Grid<'a> {
    pub(super) parties: &'a [Party],
    pub(super) ports: &'a [PortClass],
    pub(super) outcomes: Vec<Outcome>,
    /// For each port the position of an outcome. Many pairs share a profile.
    pub(super) profiles: Vec<Vec<usize>>,
    /// By source, then destination, the position of a profile.
    pub(super) cells: Vec<Vec<usize>>,
}

impl<'a> Grid<'a> {
    /// Asks for all cells.
    pub(super) fn fill(space: &'a Space) -> Self {
        let mut outcomes = Interned::default();
        let mut profiles = Interned::default();
        let parties = 0..space.parties.len();
        let cells = parties
            .clone()
            .map(|from| {
                let row = parties.clone().map(|to| {
                    let asked = space.ports.iter().filter_map(|port| space.ask(0, from, to, port));
                    let profile = asked.map(|asked| outcomes.position(asked.outcome())).collect();
                    profiles.position(profile)
                });
                row.collect()
            })
            .collect();
        Self {
            parties: &space.parties,
            ports: &space.ports,
            outcomes: outcomes.list,
            profiles: profiles.list,
            cells,
        }
    }

    /// The answers for a pair, each with the port.
    pub(super) fn of_pair(&self, from: usize, to: usize) -> impl Iterator<Item = (&'a PortClass, &Outcome)> {
        let profile = self.cells.get(from).and_then(|row| row.get(to));
        let profile = profile.and_then(|profile| self.profiles.get(*profile));
        let outcomes = profile
            .into_iter()
            .flatten()
            .filter_map(|outcome| self.outcomes.get(*outcome));
        self.ports.iter().zip(outcomes)
    }

    /// How much passes between a pair on all ports together.
    pub(super) fn reach(&self, from: usize, to: usize) -> Reach {
        together(self.of_pair(from, to).map(|(_, outcome)| outcome.reach))
    }

    /// All pairs of which a policy was asked.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let parties = 0..self.parties.len();
        let pairs = parties
            .clone()
            .flat_map(move |from| parties.clone().map(move |to| (from, to)));
        pairs.filter(|(from, to)| self.reach(*from, *to) != Reach::Unasked)
    }
}

/// All, none, or some; what was not asked does not count.
pub(super) fn together(reaches: impl IntoIterator<Item = Reach>) -> Reach {
    let asked = reaches.into_iter().filter(|reach| *reach != Reach::Unasked);
    let same = |a, b| if a == b { a } else { Reach::Some };
    asked.reduce(same).unwrap_or(Reach::Unasked)
}

/// Values that are kept once, in the order in which they came.
pub(super) struct Interned<T> {
    pub(super) list: Vec<T>,
    positions: HashMap<T, usize>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            positions: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// The position of the value, which is added if it is new.
    pub(super) fn position(&mut self, value: T) -> usize {
        if let Some(position) = self.positions.get(&value) {
            return *position;
        }
        self.list.push(value.clone());
        self.positions.insert(value, self.list.len() - 1);
        self.list.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_answers_are_one() {
        use Reach::{All, None, Some, Unasked};
        for (reaches, want, why) in [
            (&[][..], Unasked, "nothing was asked"),
            (&[Unasked, All], All, "what was not asked does not count"),
            (&[All, All], All, "all of it"),
            (&[None, None], None, "none of it"),
            (&[All, None], Some, "not all of it"),
            (&[All, Some], Some, "nor this"),
            (&[Some, None], Some, "but something"),
        ] {
            assert_eq!(together(reaches.iter().copied()), want, "{why}");
        }
    }
}

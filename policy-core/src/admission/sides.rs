//! The answers of all sides, of which there is nearly always one, and hardly ever more than two.

use alloc::{vec, vec::Vec};
use core::slice;

use crate::engine::Connection;

/// A list that needs no memory of its own as long as it is short.
#[derive(Clone, Debug, Default)]
pub(super) enum Sides {
    #[default]
    None,
    One(Connection),
    Two([Connection; 2]),
    More(Vec<Connection>),
}

impl Sides {
    pub(super) fn push(&mut self, side: Connection) {
        *self = match core::mem::take(self) {
            Self::None => Self::One(side),
            Self::One(first) => Self::Two([first, side]),
            Self::Two([first, second]) => Self::More(vec![first, second, side]),
            Self::More(mut sides) => {
                sides.push(side);
                Self::More(sides)
            }
        };
    }

    pub(super) fn as_slice(&self) -> &[Connection] {
        match self {
            Self::None => &[],
            Self::One(side) => slice::from_ref(side),
            Self::Two(sides) => sides,
            Self::More(sides) => sides,
        }
    }
}

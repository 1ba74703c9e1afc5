//! Who has an address, and the names of those that have one.

use alloc::{rc::Rc, vec::Vec};

use crate::engine::IdentityId;

/// Who has an address: an identity and, if it is an endpoint, its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) identity: IdentityId,
    pub(super) name: Option<NameId>,
}

impl Owner {
    /// Somebody without a name of its own.
    pub(super) fn of(identity: IdentityId) -> Self {
        Self { identity, name: None }
    }

    pub(super) fn endpoint(identity: IdentityId, name: Option<NameId>) -> Self {
        Self { identity, name }
    }
}

/// A name among [`Names`].
#[derive(Clone, Copy, Debug)]
pub(super) struct NameId(pub(super) u32);

/// The names of endpoints.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Rc<str>>);

impl Names {
    /// `None` if there are too many, which no memory holds.
    pub(super) fn add(&mut self, name: &Rc<str>) -> Option<NameId> {
        let id = u32::try_from(self.0.len()).ok().map(NameId);
        self.0.push(Rc::clone(name));
        id
    }

    pub(super) fn get(&self, NameId(id): NameId) -> Option<&str> {
        self.0.get(usize::try_from(id).ok()?).map(|name| &**name)
    }

    /// Which of the two comes first in the order of names, whatever the order of the endpoints is.
    pub(super) fn first(&self, one: Option<NameId>, other: Option<NameId>) -> Option<NameId> {
        let name = |id: &NameId| self.get(*id);
        one.into_iter().chain(other).min_by_key(name)
    }
}

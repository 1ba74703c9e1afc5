//! Everything that is open in a VM, so that a new policy also reaches what the old one let in.

use core::cell::RefCell;
use std::{
    collections::BTreeMap,
    rc::{Rc, Weak},
};

/// A connection or a request that was allowed.
pub(crate) trait Open {
    /// Whether there is a newer policy than the one that allowed it.
    fn is_outdated(&self) -> bool;
    /// Asks the newest policy. The host must be told before on whose behalf.
    fn judge_again(&self);
}

/// All that is open, by the id that the host gave it.
#[derive(Default)]
pub(crate) struct Registry(RefCell<BTreeMap<u32, Weak<dyn Open>>>);

impl Registry {
    /// Should the registry be in use, which no callback of a host makes it, the newcomer is not revoked before its
    /// next byte.
    pub(crate) fn add(&self, id: u32, open: Weak<dyn Open>) {
        if let Ok(mut all) = self.0.try_borrow_mut() {
            all.insert(id, open);
        }
    }

    pub(crate) fn remove(&self, id: u32) {
        if let Ok(mut all) = self.0.try_borrow_mut() {
            all.remove(&id);
        }
    }

    /// The first of those that are outdated, so many at most.
    pub(crate) fn outdated(&self, most: usize) -> Vec<(u32, Rc<dyn Open>)> {
        let Ok(all) = self.0.try_borrow() else {
            return Vec::new();
        };
        all.iter()
            .filter_map(|(id, open)| Some((*id, open.upgrade()?)))
            .filter(|(_, open)| open.is_outdated())
            .take(most)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[derive(Default)]
    struct Stream(Cell<bool>);

    impl Open for Stream {
        fn is_outdated(&self) -> bool {
            self.0.get()
        }

        fn judge_again(&self) {
            self.0.set(false);
        }
    }

    fn ids(registry: &Registry, most: usize) -> Vec<u32> {
        registry.outdated(most).into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn finds_what_is_outdated_until_it_was_judged_again() {
        let registry = Registry::default();
        let streams: Vec<Rc<Stream>> = (0..4).map(|_| Rc::default()).collect();
        for (id, stream) in (10..).zip(&streams) {
            let stream: Rc<dyn Open> = Rc::<Stream>::clone(stream);
            registry.add(id, Rc::downgrade(&stream));
        }
        assert_eq!(ids(&registry, 9), [0_u32; 0], "nothing is");
        streams.iter().skip(1).for_each(|stream| stream.0.set(true));
        assert_eq!(ids(&registry, 9), [11, 12, 13]);
        assert_eq!(ids(&registry, 2), [11, 12], "not more than asked for");
        for (_, open) in registry.outdated(2) {
            open.judge_again();
        }
        assert_eq!(ids(&registry, 2), [13], "the rest");
    }

    #[test]
    fn forgets_what_is_gone() {
        let registry = Registry::default();
        let add = |id, stream: &Rc<Stream>| {
            stream.0.set(true);
            let stream: Rc<dyn Open> = Rc::<Stream>::clone(stream);
            registry.add(id, Rc::downgrade(&stream));
        };
        let (kept, dropped, removed) = (Rc::default(), Rc::default(), Rc::default());
        add(1, &kept);
        add(2, &dropped);
        add(3, &removed);
        drop(dropped);
        registry.remove(3);
        registry.remove(4);
        assert_eq!(ids(&registry, 9), [1]);
    }
}

//! How often a plugin called the host, for how much memory the host asked it, and what its callbacks cost.

use std::collections::HashMap;

/// Costs since the virtual machine started or [`Vm::take_counters`](crate::Vm::take_counters).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    calls: HashMap<(&'static str, &'static str), u64>,
    allocations: u64,
    allocated_bytes: u64,
    callbacks: HashMap<&'static str, Callback>,
}

/// What all calls of one callback cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Callback {
    calls: u64,
    fuel: u64,
    allocations: u64,
}

impl Counters {
    /// How often the plugin made the host call `name` during `callback`, for example
    /// `("proxy_on_request_headers", "proxy_get_property")`.
    #[must_use]
    pub fn calls(&self, callback: &str, name: &str) -> u64 {
        self.sum(|made| *made == (callback, name))
    }

    /// How many host calls the plugin made during `callback`.
    #[must_use]
    pub fn calls_in(&self, callback: &str) -> u64 {
        self.sum(|(made_in, _)| *made_in == callback)
    }

    /// How often the plugin made the host call `name` in any callback.
    #[must_use]
    pub fn calls_of(&self, name: &str) -> u64 {
        self.sum(|(_, made)| *made == name)
    }

    /// How often the host re-entered the plugin to allocate room for a result.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        self.allocations
    }

    /// How many bytes those allocations were for.
    #[must_use]
    pub fn allocated_bytes(&self) -> u64 {
        self.allocated_bytes
    }

    /// How often `callback` was called; not at all if the plugin does not export it.
    #[must_use]
    pub fn callbacks(&self, callback: &str) -> u64 {
        self.of(callback).calls
    }

    /// The fuel that `callback` burnt; 0 for a plugin without fuel.
    #[must_use]
    pub fn fuel_in(&self, callback: &str) -> u64 {
        self.of(callback).fuel
    }

    /// How often the plugin allocated during `callback`, those for results of the host included. Only for a plugin that
    /// counts, and exports where as [`ALLOCATIONS`](crate::ALLOCATIONS).
    #[must_use]
    pub fn allocations_in(&self, callback: &str) -> u64 {
        self.of(callback).allocations
    }

    pub(crate) fn callback(&mut self, name: &'static str, fuel: u64, allocations: u32) {
        let all = self.callbacks.entry(name).or_default();
        all.calls += 1;
        all.fuel += fuel;
        all.allocations += u64::from(allocations);
    }

    fn of(&self, callback: &str) -> Callback {
        self.callbacks.get(callback).copied().unwrap_or_default()
    }

    pub(crate) fn host_call(&mut self, callback: &'static str, name: &'static str) {
        *self.calls.entry((callback, name)).or_insert(0) += 1;
    }

    pub(crate) fn allocation(&mut self, bytes: u32) {
        self.allocations += 1;
        self.allocated_bytes += u64::from(bytes);
    }

    fn sum(&self, wanted: impl Fn(&(&'static str, &'static str)) -> bool) -> u64 {
        self.calls
            .iter()
            .filter(|(made, _)| wanted(made))
            .map(|(_, count)| count)
            .sum()
    }
}

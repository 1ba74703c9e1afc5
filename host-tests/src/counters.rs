//! How often a plugin called the host, and for how much memory the host asked it.

use std::collections::HashMap;

/// Costs since the virtual machine started or [`Vm::take_counters`](crate::Vm::take_counters).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    calls: HashMap<(&'static str, &'static str), u64>,
    allocations: u64,
    allocated_bytes: u64,
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

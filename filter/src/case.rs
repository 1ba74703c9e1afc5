//! What a verdict is about, and how it is told.

use policy_core::Destination;

use crate::{
    facts::ConnectionFacts, flow, headers::Headers, host::Host, metrics::Layer, policy::Policy, report::Outcome, vm::Vm,
};

/// A connection or a request, as far as it is known.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) layer: Layer,
    /// What was asked, if anything was.
    pub(crate) policy: Option<&'a Policy>,
    pub(crate) facts: Option<&'a ConnectionFacts>,
    pub(crate) destination: Option<(Destination<'a>, u16)>,
    pub(crate) request: Option<&'a Headers>,
}

impl<'a> Case<'a> {
    /// A connection; where it goes is known unless its requests say so.
    pub(crate) fn connection(policy: Option<&'a Policy>, facts: Option<&'a ConnectionFacts>) -> Self {
        Self {
            layer: Layer::L4,
            policy,
            facts,
            destination: facts.and_then(ConnectionFacts::address_and_port),
            request: None,
        }
    }

    /// A request of which nothing is known.
    pub(crate) fn request(policy: Option<&'a Policy>) -> Self {
        Self {
            layer: Layer::L7,
            policy,
            facts: None,
            destination: None,
            request: None,
        }
    }

    /// Writes what access logs show. Before the stream ends, or it is too late.
    pub(crate) fn show<H: Host>(&self, vm: &Vm<H>, outcome: &Outcome) {
        outcome.show(&vm.host);
        self.show_more(vm, outcome);
    }

    /// The same for an allowed request of which nothing was written before.
    pub(crate) fn show_allowed<H: Host>(&self, vm: &Vm<H>, outcome: &Outcome) {
        outcome.show_allowed(&vm.host);
        self.show_more(vm, outcome);
    }

    fn show_more<H: Host>(&self, vm: &Vm<H>, outcome: &Outcome) {
        if self.policy.is_some_and(Policy::has_audit) {
            outcome.show_would(&vm.host);
        }
        // Without a policy, nobody says whether there are logs of flows. A flow that cannot be written is missing.
        if self.policy.is_none_or(|policy| policy.settings.flow_log) {
            vm.shield(|| flow::log(vm, self, outcome));
        }
    }

    /// Counts the verdict, and the one that would be if that is another.
    pub(crate) fn count<H: Host>(&self, vm: &Vm<H>, outcome: &Outcome) {
        let scope = self.facts.map(|facts| facts.scope);
        vm.metrics.count_verdict(&vm.host, scope, self.layer, outcome);
        let would = outcome.as_if_enforced();
        if would.allows() != outcome.allows() {
            vm.metrics.count_audit(&vm.host, scope, self.layer, would);
        }
    }
}

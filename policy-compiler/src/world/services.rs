//! What stands behind services.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;
use policy_core::{SelectorKey, bundle::PeerPattern};

use super::World;
use crate::{
    diagnostic::{Diagnostic, ObjectRef},
    resource::{Backends, LabelSelector, Peer, Peers, Service, ServicePattern, ServiceQuery},
    scope::{self, NAMESPACE_KEY},
};

impl World {
    /// The peers behind all services that one of the queries names: the pods that the service selects, or else the
    /// addresses outside the cluster among its backends.
    pub(crate) fn peers_behind(&self, wanted: &[ServiceQuery]) -> Vec<Peer> {
        let is_wanted = |service: &&Service| wanted.iter().any(|query| query.matches(service));
        let services = self.services.iter().filter(is_wanted);
        services.flat_map(|service| self.peers_of(service)).collect()
    }

    fn peers_of(&self, service: &Service) -> Vec<Peer> {
        if service.selector.is_empty() {
            let prefix = |address| PeerPattern::Cidr {
                prefix: IpNet::from(address),
                except: Vec::new(),
            };
            let addresses = self.backend_addresses(service);
            return addresses
                .into_iter()
                .map(|address| Peer::Pattern(prefix(address)))
                .collect();
        }
        let labels = service
            .selector
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let conditions = labels.chain([(NAMESPACE_KEY, service.namespace.as_str())]);
        let conditions = conditions.filter_map(|(key, value)| {
            let key = SelectorKey::parse(&format!("k8s:{key}"))?;
            Some((key, Box::from(value)))
        });
        vec![Peer::Endpoints(LabelSelector {
            equals: conditions.collect(),
            expressions: Vec::new(),
        })]
    }

    /// The backends of a service that has no selector.
    pub(crate) fn backends(&self, service: &Service) -> &[Backends] {
        let name = (service.namespace.clone(), service.name.clone());
        self.backends.get(&name).map_or(&[], Vec::as_slice)
    }

    fn backend_addresses(&self, service: &Service) -> BTreeSet<IpAddr> {
        let subsets = self.backends(service).iter().flat_map(|backends| &backends.subsets);
        subsets.flat_map(|subset| subset.addresses.iter().copied()).collect()
    }

    /// What there is to say about objects that depends on others.
    pub(super) fn late_diagnostics(&self) -> HashMap<ObjectRef, Vec<Diagnostic>> {
        let mut late: HashMap<ObjectRef, Vec<Diagnostic>> = HashMap::new();
        let unresolved = self.unresolved().chain(self.unknown_backends());
        for diagnostic in unresolved {
            if let Some(object) = &diagnostic.object {
                late.entry(object.clone()).or_default().push(diagnostic.clone());
            }
        }
        late
    }

    fn unresolved(&self) -> impl Iterator<Item = &Diagnostic> {
        let rules = self.policies.iter().flat_map(|policy| &policy.rules);
        let elements = rules.flat_map(|rule| rule.egress.iter().chain(&rule.egress_deny));
        elements.filter_map(|element| match &element.peers {
            Peers::Services(services) => {
                let found = self.peers_behind(&services.wanted);
                found.is_empty().then_some(&*services.unresolved)
            }
            _ => None,
        })
    }

    /// About services whose backends are not all in the cluster: nobody knows as whom they would be met.
    fn unknown_backends(&self) -> impl Iterator<Item = &Diagnostic> {
        let pods = self.pods.iter().filter(|pod| pod.is_endpoint);
        let pods = pods.flat_map(|pod| &pod.addresses);
        let nodes = self.nodes.values().flat_map(|node| &node.addresses);
        let known: BTreeSet<IpAddr> = pods.chain(nodes).copied().collect();
        self.services.iter().filter_map(move |service| {
            let unknown = service.unknown_backends.as_deref()?;
            let addresses = self.backend_addresses(service);
            let is_known = !addresses.is_empty() && addresses.is_subset(&known);
            (!is_known).then_some(unknown)
        })
    }
}

impl ServiceQuery {
    fn matches(&self, service: &Service) -> bool {
        let in_namespace = self
            .namespace
            .as_ref()
            .is_none_or(|namespace| *namespace == service.namespace);
        in_namespace
            && match &self.service {
                ServicePattern::Name(name) => *name == service.name,
                ServicePattern::Labels(selector) => scope::as_written(selector).matches(&service.labels),
            }
    }
}

//! Addresses and groups of addresses.

use std::{collections::HashSet, net::IpAddr};

use ipnet::IpNet;
use policy_core::{
    Bundle, Labels, Requirement, Selector,
    bundle::{PeerPattern, Peers},
};

use super::{
    findings::Findings,
    site::{Site, is_network_policy},
};
use crate::{diagnostic::Code, options::NetworkPolicyDialect};

/// What the label for the name of a CIDR group starts with.
const GROUP_NAME_PREFIX: &str = "io.cilium.policy.cidrgroupname/";

pub(super) fn check(bundle: &Bundle, dialect: NetworkPolicyDialect, findings: &mut Findings<'_>) {
    let pods = PodAddresses::new(bundle);
    let groups = Groups::new(bundle);
    for site in Site::all(bundle) {
        let Peers::OneOf(patterns) = &site.element.peers else {
            continue;
        };
        for (item, pattern) in patterns.iter().enumerate() {
            let finding = match pattern {
                PeerPattern::Cidr { prefix, except } | PeerPattern::Address { prefix, except } => {
                    let pod = pods.first_in(*prefix, except);
                    pod.and_then(|pod| about_pod(&site, *prefix, pod, dialect))
                }
                PeerPattern::External { selector, .. } => groups.missing(bundle, *selector),
                _ => None,
            };
            if let Some((code, message, help)) = finding {
                let path = findings.peer_path(&site, item, patterns.len());
                if !findings.is_known(site.policy, &path) {
                    findings.warn(site.policy, path, code, message).help(help);
                }
            }
        }
    }
}

type Finding = (Code, String, &'static str);

/// A prefix that holds the address of a pod. In a Cilium policy only a prefix for that very address is a sign of a
/// misunderstanding: a wider one may well be meant for what is outside.
fn about_pod(site: &Site<'_>, prefix: IpNet, pod: &str, dialect: NetworkPolicyDialect) -> Option<Finding> {
    if is_network_policy(site.policy) {
        let message = match dialect {
            NetworkPolicyDialect::Cilium => format!("does not match the pod {pod} in `{prefix}`; Kubernetes would"),
            NetworkPolicyDialect::Kubernetes => format!("also matches the pod {pod} in `{prefix}`; Cilium would not"),
        };
        return Some((Code::DIALECT, message, "select pods by their labels"));
    }
    let is_single = prefix.prefix_len() == prefix.max_prefix_len();
    is_single.then(|| {
        let message = format!("`{prefix}` is the pod {pod}, and a CIDR never matches a pod");
        (Code::MATCHES_NOTHING, message, "select pods by their labels")
    })
}

/// The addresses of pods, in order.
struct PodAddresses<'b>(Vec<(IpAddr, &'b str)>);

impl<'b> PodAddresses<'b> {
    fn new(bundle: &'b Bundle) -> Self {
        let pods = bundle
            .endpoints
            .iter()
            .flat_map(|pod| pod.addresses.iter().map(|address| (*address, pod.name.as_str())));
        let mut addresses: Vec<_> = pods.collect();
        addresses.sort_unstable();
        Self(addresses)
    }

    /// The pod with the lowest address inside the prefix and outside its exceptions.
    fn first_in(&self, prefix: IpNet, except: &[IpNet]) -> Option<&'b str> {
        let start = self.0.partition_point(|(address, _)| *address < prefix.network());
        let inside = self
            .0
            .iter()
            .skip(start)
            .take_while(|(address, _)| prefix.contains(address));
        let mut wanted = inside.filter(|(address, _)| !except.iter().any(|part| part.contains(address)));
        wanted.next().map(|(_, pod)| *pod)
    }
}

/// The CIDR groups of the input.
struct Groups<'b> {
    names: HashSet<&'b str>,
    labels: Vec<&'b Labels>,
}

impl<'b> Groups<'b> {
    fn new(bundle: &'b Bundle) -> Self {
        let labels: Vec<&Labels> = bundle.groups.iter().map(|group| &group.labels).collect();
        let keys = labels
            .iter()
            .flat_map(|labels| labels.iter())
            .map(policy_core::Label::key);
        Self {
            names: keys.filter_map(|key| key.strip_prefix(GROUP_NAME_PREFIX)).collect(),
            labels,
        }
    }

    fn missing(&self, bundle: &Bundle, selector: u32) -> Option<Finding> {
        let selector = bundle.selectors.get(usize::try_from(selector).ok()?)?;
        let is_group = |requirement: &Requirement| requirement.key().source() == Some("cidrgroup");
        if !selector.requirements().iter().all(is_group) {
            return None;
        }
        match name_of(selector) {
            Some(name) if self.names.contains(name) => None,
            Some(name) => Some((
                Code::MATCHES_NOTHING,
                format!("no `CiliumCIDRGroup` of the input is named `{name}`"),
                "without the group it matches no address",
            )),
            None if self.labels.iter().any(|labels| selector.matches(labels)) => None,
            None => Some((
                Code::MATCHES_NOTHING,
                "selects no `CiliumCIDRGroup` of the input".to_owned(),
                "without a group it matches no address",
            )),
        }
    }
}

/// The group that a reference by name means.
fn name_of(selector: &Selector) -> Option<&str> {
    selector
        .requirements()
        .iter()
        .find_map(|requirement| match requirement {
            Requirement::Exists { key } => key.key().strip_prefix(GROUP_NAME_PREFIX),
            _ => None,
        })
}

//! Who the peers of a log are: pods of the world by their names, others by the labels that the log tells, the rest by
//! their addresses. The world grows with what the log tells.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
};

use anyhow::Result;
use policy_core::{Bundle, Engine, IdentityId, Label, Labels};

use super::{
    record::{End, Record, To},
    skip::{Skip, Why},
};
use crate::{
    args::{Peer, Reserved},
    judge::engine,
    placement::Placement,
};

/// How many label sets without an object, and how many addresses of names, are remembered.
const MAX_LEARNT: usize = 16_384;
/// The labels of what has no labels of its own: only its address says more.
const OUTSIDE: [&str; 4] = ["reserved:world", "reserved:unknown", "cidr:", "fqdn:"];
const NAMESPACE: &str = "k8s:io.kubernetes.pod.namespace";

/// The policies, and who is who.
pub(super) struct World {
    placement: Placement,
    pub(super) engine: Engine,
    pods: HashMap<String, IpAddr>,
    /// Label sets that only the log tells.
    labelled: HashMap<Vec<String>, IpAddr>,
    names: HashSet<(String, IpAddr)>,
    /// An address outside the cluster, for peers of which only that is known.
    outside: IpAddr,
    /// Whether the engine does not know yet what was learnt.
    is_stale: bool,
    groups: HashMap<IdentityId, Group>,
    services: HashMap<IpAddr, String>,
}

/// The endpoints of one identity.
struct Group {
    first: String,
    count: usize,
}

/// One side of a group of flows: all that have the same labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Party {
    pub(super) name: String,
    pub(super) labels: Vec<String>,
}

impl World {
    pub(super) fn new(bundle: Bundle) -> Result<Self> {
        let names: Vec<String> = bundle.endpoints.iter().map(|endpoint| endpoint.name.clone()).collect();
        let services = bundle.services.iter();
        let services = services
            .map(|service| (service.address, service.name.clone()))
            .collect();
        let mut placement = Placement::new(bundle, []);
        let mut pods = HashMap::new();
        for name in names {
            let peer: Result<Peer, _> = name.parse();
            if let Some(address) = peer.ok().and_then(|peer| placement.place(&peer).ok()) {
                pods.insert(name, address);
            }
        }
        let outside = Peer::Reserved(Reserved::World);
        let outside = placement.place(&outside).map_err(anyhow::Error::msg)?;
        let mut world = Self {
            engine: engine(placement.bundle().clone())?,
            placement,
            pods,
            labelled: HashMap::new(),
            names: HashSet::new(),
            outside,
            is_stale: false,
            groups: HashMap::new(),
            services,
        };
        world.group();
        Ok(world)
    }

    pub(super) fn bundle(&self) -> &Bundle {
        self.placement.bundle()
    }

    /// Remembers what a record tells that the world does not have. An error says that there is no room for it.
    pub(super) fn learn(&mut self, record: &Record) -> Result<(), Skip> {
        self.learn_labels(&record.source)?;
        let To::End(destination) = &record.destination else {
            return Ok(());
        };
        self.learn_labels(destination)?;
        let Some(address) = destination.address.filter(|_| destination.is_by_address(&self.pods)) else {
            return Ok(());
        };
        for name in &record.names {
            let name = format!("{}.", name.trim_end_matches('.').to_ascii_lowercase());
            let entry = (name, address);
            if self.names.contains(&entry) {
                continue;
            }
            if self.names.len() >= MAX_LEARNT {
                return Err(Skip::new(Why::TooManyPeers, "names of addresses"));
            }
            self.placement.add_name(&entry.0, address);
            self.names.insert(entry);
            self.is_stale = true;
        }
        Ok(())
    }

    fn learn_labels(&mut self, end: &End) -> Result<(), Skip> {
        if end.is_pod_of(&self.pods) || !end.has_labels() || self.labelled.contains_key(&end.labels) {
            return Ok(());
        }
        if self.labelled.len() >= MAX_LEARNT {
            return Err(Skip::new(Why::TooManyPeers, "sets of labels"));
        }
        let labels = end.labels.iter().map(|label| label.parse::<Label>());
        let labels: Result<Labels, _> = labels.collect();
        let labels = labels.map_err(|error| Skip::new(Why::Malformed, format!("labels: {error}")))?;
        let address = self.placement.place_labels(labels);
        self.labelled.insert(end.labels.clone(), address);
        self.is_stale = true;
        Ok(())
    }

    /// Lets the engine know what was learnt. Whether that was anything.
    pub(super) fn refresh(&mut self) -> Result<bool> {
        let was_stale = std::mem::take(&mut self.is_stale);
        if was_stale {
            self.engine = engine(self.placement.bundle().clone())?;
            self.group();
        }
        Ok(was_stale)
    }

    fn group(&mut self) {
        let mut groups: HashMap<IdentityId, Group> = HashMap::new();
        let names: BTreeSet<&str> = self.bundle().endpoints.iter().map(|one| one.name.as_str()).collect();
        for name in names {
            let Some(identity) = self.engine.endpoint(name) else {
                continue;
            };
            let first = || Group {
                first: name.to_owned(),
                count: 0,
            };
            groups.entry(identity).or_insert_with(first).count += 1;
        }
        self.groups = groups;
    }

    /// The address by which the engine knows an end.
    pub(super) fn address_of(&self, end: &End) -> Result<IpAddr, Skip> {
        let of_pod = end.pod.as_ref().and_then(|pod| self.pods.get(pod));
        let of_labels = || self.labelled.get(&end.labels).filter(|_| end.has_labels());
        if let Some(address) = of_pod.or_else(of_labels).copied().or(end.address) {
            return Ok(address);
        }
        match (&end.pod, end.labels.is_empty()) {
            (_, false) => Ok(self.outside),
            (Some(pod), true) => Err(Skip::new(
                Why::UnknownPeer,
                format!("no pod `{pod}` is among the objects"),
            )),
            (None, true) => Err(Why::UnknownPeer.into()),
        }
    }

    fn dns_name(&self, address: IpAddr) -> Option<String> {
        let mut names = self.bundle().names.iter();
        let (name, _) = names.find(|(_, addresses)| addresses.contains(&address))?;
        Some(name.trim_end_matches('.').to_owned())
    }

    /// The end as `trace` takes it: an address, a pod among the objects, or labels of a namespace.
    pub(super) fn peer_of(&self, end: &End) -> Option<String> {
        let pod = end.pod.as_ref().filter(|_| end.is_pod_of(&self.pods));
        let labels = || {
            let address = self.labelled.get(&end.labels).filter(|_| end.has_labels())?;
            Some(self.party(*address).name).filter(|name| name.starts_with("ns="))
        };
        let address = || Some(end.address.filter(|_| end.is_by_address(&self.pods))?.to_string());
        pod.cloned().or_else(labels).or_else(address)
    }

    /// Who has the address: the endpoints, the service, or the part of the outside that policies tell apart.
    pub(super) fn party(&self, address: IpAddr) -> Party {
        let identity = self.engine.identity_of(address);
        let labels: Vec<String> = self.engine.labels(identity).iter().map(ToString::to_string).collect();
        let name = match (self.groups.get(&identity), self.services.get(&address)) {
            (Some(group), _) => match group.count {
                1 => group.first.clone(),
                count => format!("{} and {} like it", group.first, count - 1),
            },
            (None, Some(service)) => format!("service {service}"),
            (None, None) => self.dns_name(address).unwrap_or_else(|| described(&labels)),
        };
        Party { name, labels }
    }
}

impl End {
    fn is_pod_of(&self, pods: &HashMap<String, IpAddr>) -> bool {
        self.pod.as_ref().is_some_and(|pod| pods.contains_key(pod))
    }

    /// Whether its labels say who it is.
    fn has_labels(&self) -> bool {
        let is_outside = |label: &String| OUTSIDE.iter().any(|outside| label.starts_with(outside));
        !self.labels.is_empty() && !self.labels.iter().any(is_outside)
    }

    fn is_by_address(&self, pods: &HashMap<String, IpAddr>) -> bool {
        !self.is_pod_of(pods) && !self.has_labels()
    }
}

/// Labels in short: as `trace` takes them for a workload, and what is closest for the outside.
fn described(labels: &[String]) -> String {
    if let Some(namespace) = labels
        .iter()
        .find_map(|label| label.strip_prefix(NAMESPACE)?.strip_prefix('='))
    {
        let own = labels.iter().filter_map(|label| label.strip_prefix("k8s:"));
        let own = own.filter(|label| !label.starts_with("io.cilium.") && !label.starts_with("io.kubernetes."));
        return [format!("ns={namespace}")]
            .into_iter()
            .chain(own.map(str::to_owned))
            .collect::<Vec<String>>()
            .join(",");
    }
    let prefix_length = |label: &&String| label.rsplit_once('/').and_then(|(_, length)| length.parse::<u8>().ok());
    let prefixes = labels.iter().filter(|label| label.starts_with("cidr:"));
    match prefixes.max_by_key(prefix_length) {
        Some(prefix) => prefix.clone(),
        None => labels.join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_in_short() {
        for (labels, want, why) in [
            (
                &[
                    "k8s:app=web",
                    "k8s:io.cilium.k8s.policy.cluster=default",
                    "k8s:io.kubernetes.pod.namespace=shop",
                ][..],
                "ns=shop,app=web",
                "a workload",
            ),
            (
                &["k8s:io.kubernetes.pod.namespace=shop"],
                "ns=shop",
                "without labels of its own",
            ),
            (&["reserved:host"], "reserved:host", "a part of the cluster"),
            (
                &["cidr:10.0.0.0/8", "cidr:10.1.0.0/16", "reserved:world-ipv4"],
                "cidr:10.1.0.0/16",
                "the closest prefix",
            ),
            (&["reserved:world-ipv4"], "reserved:world-ipv4", "in no prefix"),
        ] {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            assert_eq!(described(&labels), want, "{why}");
        }
    }
}

//! Identities by prefix: what rules, groups and DNS answers tell apart.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::net::IpAddr;
use hashbrown::HashMap;
use ipnet::IpNet;

use super::{
    identities::{Entry, Identities, Labelled, world_label},
    owner::Owner,
};
use crate::{
    address::AddressTable,
    bundle::Stack,
    engine::{CompiledRule, IdentityId, IdentityKind, PeerMatcher},
    fqdn::FqdnPattern,
    labels::{Label, Source},
};

impl Identities {
    /// An identity for each prefix outside the cluster that a rule, a group or a DNS answer mentions.
    pub(super) fn add_known_prefixes(
        &mut self,
        names: BTreeMap<String, Vec<IpAddr>>,
        labelled: &Labelled,
        rules: &[CompiledRule],
        stack: Stack,
    ) {
        let mut known: BTreeMap<IpNet, Vec<String>> = BTreeMap::new();
        let matchers = || rules.iter().flat_map(CompiledRule::matchers);
        for prefix in matchers()
            .flat_map(PeerMatcher::prefixes)
            .chain(labelled.keys().copied())
        {
            known.entry(prefix).or_default();
        }
        let patterns: Vec<&FqdnPattern> = matchers().filter_map(PeerMatcher::fqdn).collect();
        for (name, addresses) in names {
            for address in addresses {
                known
                    .entry(IpNet::from(address.to_canonical()))
                    .or_default()
                    .push(name.clone());
            }
        }
        // In order, a prefix comes after those around it: they are what is left of the ones before. An address has the
        // labels of every prefix around it.
        let mut around: Vec<(IpNet, Vec<Label>)> = Vec::new();
        for (prefix, names) in known {
            while around.last().is_some_and(|(outer, _)| !outer.contains(&prefix)) {
                around.pop();
            }
            let world = || world_label(stack, prefix.addr().is_ipv4()).into_iter().collect();
            let mut labels = around.last().map_or_else(world, |(_, labels)| labels.clone());
            labels.extend(labelled.get(&prefix).into_iter().flatten().cloned());
            labels.extend(fqdn_labels(&patterns, &names));
            let id = self.add_external(Some(prefix), names, labels.clone());
            self.external.insert(prefix, Owner::of(id));
            around.push((prefix, labels));
        }
    }

    /// Rules may name addresses wherever they are. Endpoints and nodes then have an identity for each prefix that
    /// some of their addresses are in.
    pub(super) fn split_by_prefixes(&mut self, rules: &[CompiledRule]) {
        let matchers = rules.iter().flat_map(CompiledRule::matchers);
        let everywhere = matchers.filter(|matcher| matches!(matcher, PeerMatcher::Address { .. }));
        let prefixes: BTreeSet<IpNet> = everywhere.flat_map(PeerMatcher::prefixes).collect();
        if prefixes.is_empty() {
            return;
        }
        let mut derived: HashMap<(IdentityId, IpNet), IdentityId> = HashMap::new();
        let mut split = AddressTable::default();
        for (claimed, Owner { identity: id, name }) in self.in_cluster.iter() {
            let around = prefixes
                .iter()
                .filter(|prefix| prefix.contains(&claimed))
                .max_by_key(|prefix| prefix.prefix_len());
            let own = around.map_or(id, |prefix| self.derive(id, *prefix, &mut derived));
            split.insert(claimed, Owner { identity: own, name });
            for inside in prefixes
                .iter()
                .filter(|prefix| claimed.contains(*prefix) && **prefix != claimed)
            {
                let id = self.derive(id, *inside, &mut derived);
                split.insert(*inside, Owner::of(id));
            }
        }
        self.in_cluster = split;
    }

    fn derive(
        &mut self,
        id: IdentityId,
        prefix: IpNet,
        derived: &mut HashMap<(IdentityId, IpNet), IdentityId>,
    ) -> IdentityId {
        if let Some(known) = derived.get(&(id, prefix)) {
            return *known;
        }
        let new = IdentityId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        let (labels, ports) = match self.entry(id) {
            Some(entry) => (entry.labels.clone(), entry.ports.clone()),
            None => Default::default(),
        };
        let kind = IdentityKind::InCluster { prefix: Some(prefix) };
        self.entries.push(Entry { labels, ports, kind });
        derived.insert((id, prefix), new);
        new
    }
}

/// The labels that DNS answers give an address: one for each pattern of a rule that matches one of its names.
fn fqdn_labels(patterns: &[&FqdnPattern], names: &[String]) -> Vec<Label> {
    let matches = |pattern: &&&FqdnPattern| names.iter().any(|name| pattern.matches(name.as_bytes()));
    let label = |pattern: &&FqdnPattern| Label::new(Source::FQDN, &format!("{pattern}"), "").ok();
    patterns.iter().filter(matches).filter_map(label).collect()
}

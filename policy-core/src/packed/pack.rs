//! Packing: all checks of a bundle, and all that takes the whole of it.

mod anchors;
mod identities;
mod owner;
mod prefixes;
mod selectors;
mod services;

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use hashbrown::HashMap;
use ipnet::IpNet;
use serde::Serialize;

use super::{
    Head, MAX_RULE, Packed, Section,
    codec::to_bytes,
    frame::{assemble, records, to_u32},
    prefixes as tables,
};
use crate::{
    Engine,
    bundle::{Bundle, BundleError, Rule, VERSION},
    engine::{
        CompiledRule, Compiler, Contradiction, IdentityKind, PolicyHead, account_key, account_of, are_of_workload,
    },
    http::PatternCache,
    labels::Label,
};
use identities::{Entry, Identities, Known};
use owner::Owner;
use selectors::Interned;

/// Checks a bundle and packs it. Every error is returned, and with any there is nothing else.
pub(super) fn pack(bundle: &Bundle) -> Result<Packed, Vec<BundleError>> {
    let mut errors = Vec::new();
    if bundle.version != VERSION {
        errors.push(BundleError::Version { found: bundle.version });
    }
    let rules = compile(bundle, &mut errors);
    let services = services::by_key(&bundle.services, bundle.identities.len(), &mut errors);
    let known = Known {
        identities: bundle.identities.clone(),
        endpoints: bundle.endpoints.clone(),
        addresses: bundle.addresses.clone(),
        groups: bundle.groups.clone(),
        names: bundle.names.clone(),
    };
    let identities = Identities::build(known, &rules, bundle.options.stack, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let seal = || {
        let mut sections = Sections([const { Vec::new() }; Section::COUNT]);
        sections.everybody(&identities)?;
        sections.accounts(&identities, &bundle.options.cluster)?;
        sections.map([Section::ServiceKeys, Section::ServiceBackends], &services)?;
        sections.policies(bundle)?;
        let Interned { list, entities } = Interned::new(&bundle.selectors, &bundle.options.cluster);
        sections.list(Section::Selectors, list)?;
        let head = Head {
            digest: bundle.digest.clone().unwrap_or_default(),
            options: bundle.options.clone(),
            has_audit: bundle.has_audit(),
            world_v4: identities.world_v4.0,
            world_v6: identities.world_v6.0,
            entities,
            contradiction: None,
        };
        sections.seal(head, bundle)
    };
    seal().map_err(|error| alloc::vec![error])
}

/// All rules, only to find what is wrong with them and whom they name.
fn compile(bundle: &Bundle, errors: &mut Vec<BundleError>) -> Vec<CompiledRule> {
    let selectors = bundle.selectors.len();
    let has_selector = |index| usize::try_from(index).is_ok_and(|index| index < selectors);
    let mut patterns = PatternCache::default();
    let mut compiler = Compiler::new(&has_selector, &mut patterns);
    let mut compiled = Vec::new();
    for policy in &bundle.policies {
        let object = PolicyHead::of(policy).object();
        for rule in &policy.rules {
            compiled.push(compiler.rule(&object, policy.mode, rule.clone()));
        }
        if policy.rules.is_empty() {
            compiler.errors.push(BundleError::Invalid {
                at: object,
                reason: "a policy needs a rule",
            });
        }
    }
    errors.append(&mut compiler.errors);
    compiled
}

/// The sections while they are made.
struct Sections([Vec<u8>; Section::COUNT]);

impl Sections {
    fn set(&mut self, section: Section, bytes: Vec<u8>) {
        if let Some(place) = self.0.get_mut(section as usize) {
            *place = bytes;
        }
    }

    /// A map as two sections: sorted keys, and what belongs to each.
    fn map<K: AsRef<[u8]>, V: Serialize>(
        &mut self,
        [keys, values]: [Section; 2],
        map: &BTreeMap<K, V>,
    ) -> Result<(), BundleError> {
        self.set(keys, records(map.keys())?);
        self.list(values, map.values())
    }

    fn list<T: Serialize>(&mut self, section: Section, values: impl IntoIterator<Item = T>) -> Result<(), BundleError> {
        let values: Result<Vec<_>, _> = values.into_iter().map(|value| encoded(&value)).collect();
        self.set(section, records(values?)?);
        Ok(())
    }

    /// Everybody: labels, identities, endpoints, and who has which address.
    fn everybody(&mut self, identities: &Identities) -> Result<(), BundleError> {
        let mut positions: HashMap<&Label, usize> = HashMap::new();
        let mut labels: Vec<(&str, &str, &str)> = Vec::new();
        let mut entries = Vec::with_capacity(identities.entries.len());
        for Entry {
            labels: own,
            ports,
            kind,
        } in &identities.entries
        {
            let own = own.iter().map(|label| {
                *positions.entry(label).or_insert_with(|| {
                    labels.push((label.source().as_str(), label.key(), label.value()));
                    labels.len().saturating_sub(1)
                })
            });
            let own: Vec<_> = own.map(to_u32).collect::<Result<_, _>>()?;
            entries.push((own, ports, kind));
        }
        self.list(Section::Labels, labels)?;
        self.list(Section::Identities, entries)?;

        let endpoints = identities.endpoints();
        let names: HashMap<&str, u32> = endpoints.keys().copied().zip(0..).collect();
        let own = |(prefix, Owner { identity, name }): (IpNet, Owner)| {
            let name = name.and_then(|name| names.get(identities.names.get(name)?).copied());
            (prefix, tables::Owner { identity, name })
        };
        let [in_cluster, external] =
            [&identities.in_cluster, &identities.external].map(|table| table.iter().into_iter().map(own).collect());
        self.set(Section::Prefixes, tables::section(in_cluster, external)?);
        let ids = endpoints.values().map(|identity| identity.0);
        self.list(Section::EndpointIdentities, ids)?;
        self.set(Section::EndpointNames, records(endpoints.keys())?);
        Ok(())
    }

    /// Workloads by namespace and service account.
    fn accounts(&mut self, identities: &Identities, cluster: &str) -> Result<(), BundleError> {
        let mut accounts: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        for (number, Entry { labels, kind, .. }) in (0..).zip(&identities.entries) {
            let is_workload = matches!(kind, IdentityKind::InCluster { .. }) && are_of_workload(labels);
            if let Some((namespace, account)) = account_of(labels, cluster).filter(|_| is_workload) {
                accounts
                    .entry(account_key(namespace, account))
                    .or_default()
                    .push(number);
            }
        }
        self.map([Section::Accounts, Section::AccountIdentities], &accounts)
    }

    fn policies(&mut self, bundle: &Bundle) -> Result<(), BundleError> {
        self.list(Section::Policies, bundle.policies.iter().map(PolicyHead::of))?;
        let rules = || {
            let policies = (0_u32..).zip(&bundle.policies);
            policies.flat_map(|(number, policy)| policy.rules.iter().map(move |rule| (number, rule)))
        };
        let encoded = rules().map(|rule| {
            let bytes = encoded(&rule)?;
            let too_large = || BundleError::Invalid {
                at: place(bundle, rule),
                reason: "a rule of more than 2 MiB: no object of Kubernetes has one",
            };
            (bytes.len() <= MAX_RULE).then_some(bytes).ok_or_else(too_large)
        });
        self.set(Section::Rules, records(encoded.collect::<Result<Vec<_>, _>>()?)?);
        let subjects: Vec<u32> = rules().map(|(_, rule)| rule.subject).collect();
        let anchored = anchors::of_rules(&subjects, &bundle.selectors);
        self.map([Section::Anchors, Section::AnchoredRules], &anchored)
    }

    /// Puts them together. What the policies contradict each other about is found by asking them.
    fn seal(&mut self, mut head: Head, bundle: &Bundle) -> Result<Packed, BundleError> {
        self.set(Section::Head, encoded(&head)?);
        let packed = Packed::from_bytes(assemble(&self.0)?)?;
        let engine = Engine::open(packed.clone());
        head.contradiction = Contradiction::find(&engine, bundle);
        if head.contradiction.is_none() {
            return Ok(packed);
        }
        self.set(Section::Head, encoded(&head)?);
        Packed::from_bytes(assemble(&self.0)?)
    }
}

fn place(bundle: &Bundle, (policy, rule): (u32, &Rule)) -> String {
    let policy = usize::try_from(policy).ok().and_then(|at| bundle.policies.get(at));
    let object = policy.map(|policy| PolicyHead::of(policy).object());
    format!("{} {}", object.unwrap_or_default(), rule.path)
}

fn encoded<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BundleError> {
    to_bytes(value).map_err(|_| BundleError::Packed {
        reason: "a value has no packed form",
    })
}

//! Claims: which identities may be the workload that a certificate or a witness speaks of.

use alloc::{borrow::ToOwned, format, rc::Rc, string::String, vec::Vec};

use super::{CLUSTER_KEY, Engine, IdentityId, NAMESPACE_KEY, SERVICE_ACCOUNT_KEY};
use crate::{
    claim::Claim,
    labels::{Labels, Source},
};

/// The service account of a pod that names none.
const DEFAULT_ACCOUNT: &str = "default";
/// A claim that fits more identities says too little: whoever made it is not known. Each one has to be asked.
const MAX_FITTING: usize = 64;
/// How many pairs of namespace and service account are remembered. They come from certificates that were verified.
const MAX_ACCOUNTS: usize = 1024;

/// What is claimed of the namespace and of the service account in it.
pub(super) type Account = (Option<String>, Option<String>);

impl Engine {
    /// Whether the identity is one of workloads, and not of nodes and the like, which have reserved labels.
    pub(crate) fn is_workload(&self, identity: IdentityId) -> bool {
        self.is_endpoint(identity) && are_of_workload(self.labels(identity))
    }

    /// Whether all that is claimed is true of an identity.
    pub(crate) fn fits(&self, identity: IdentityId, claim: &Claim<'_>) -> bool {
        self.is_workload(identity)
            && has_account(self.labels(identity), &self.options().cluster, claim)
            && self.fits_beside_account(identity, claim)
    }

    fn fits_beside_account(&self, identity: IdentityId, claim: &Claim<'_>) -> bool {
        let labels = self.labels(identity);
        let mut wanted = claim.labels.iter();
        wanted.all(|(key, value)| kubernetes(labels, key) == Some(value))
            && claim
                .pod
                .is_none_or(|pod| self.is_pod(identity, claim.namespace.unwrap_or_default(), pod))
    }

    fn is_pod(&self, identity: IdentityId, namespace: &str, name: &str) -> bool {
        let named = self.endpoint(&format!("{namespace}/{name}"));
        named.is_some_and(|named| self.labels(named) == self.labels(identity))
    }

    /// The identities of the bundle that a claim fits; `None` if there are none, or so many that it says nothing.
    pub(crate) fn who_fits(&self, claim: &Claim<'_>) -> Option<Vec<IdentityId>> {
        let of_account = self.of_account(claim);
        let mut fitting = Vec::new();
        for identity in of_account
            .iter()
            .filter(|identity| self.fits_beside_account(**identity, claim))
        {
            if fitting.len() == MAX_FITTING {
                return None;
            }
            fitting.push(*identity);
        }
        (!fitting.is_empty()).then_some(fitting)
    }

    /// All identities of the claimed namespace and service account. Looked for once, since a bundle may have many.
    fn of_account(&self, claim: &Claim<'_>) -> Rc<[IdentityId]> {
        let account: Account = (
            claim.namespace.map(ToOwned::to_owned),
            claim.service_account.map(ToOwned::to_owned),
        );
        if let Ok(accounts) = self.accounts.try_borrow()
            && let Some(found) = accounts.get(&account)
        {
            return Rc::clone(found);
        }
        let (namespace, service_account) = &account;
        let found = self
            .identities
            .of_account(namespace.as_deref(), service_account.as_deref());
        let found: Rc<[IdentityId]> = found.into();
        if let Ok(mut accounts) = self.accounts.try_borrow_mut() {
            if accounts.len() >= MAX_ACCOUNTS {
                accounts.clear();
            }
            accounts.insert(account, Rc::clone(&found));
        }
        found
    }
}

/// Whether these are labels of a workload: none of them is reserved.
pub(crate) fn are_of_workload(labels: &Labels) -> bool {
    labels.iter().all(|label| label.source().as_str() != Source::RESERVED)
}

/// Whether these are labels of the claimed namespace and service account, in this cluster.
fn has_account(labels: &Labels, cluster: &str, claim: &Claim<'_>) -> bool {
    account_of(labels, cluster).is_some_and(|(namespace, account)| {
        claim.namespace.is_none_or(|wanted| namespace == Some(wanted))
            && claim.service_account.is_none_or(|wanted| account == wanted)
    })
}

/// The namespace and the service account of a workload with these labels; `None` if it is not of this cluster.
pub(crate) fn account_of<'a>(labels: &'a Labels, cluster: &str) -> Option<(Option<&'a str>, &'a str)> {
    let account = kubernetes(labels, SERVICE_ACCOUNT_KEY).unwrap_or(DEFAULT_ACCOUNT);
    kubernetes(labels, CLUSTER_KEY)
        .is_none_or(|own| own == cluster)
        .then(|| (kubernetes(labels, NAMESPACE_KEY), account))
}

/// The value of a label of Kubernetes.
fn kubernetes<'a>(labels: &'a Labels, key: &'a str) -> Option<&'a str> {
    let mut labels = labels.with_key(key);
    labels
        .find(|label| label.source().as_str() == Source::K8S)
        .map(crate::labels::Label::value)
}

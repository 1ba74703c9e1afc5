//! What a proof or a witness says about who is at an end of a connection, beside the address.

use alloc::string::String;
use core::net::IpAddr;

/// What is said of a workload: all of it is true of one and the same.
///
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Claim<'a> {
    /// It has this address, whatever the address of the connection is.
    pub address: Option<IpAddr>,
    /// It is in this namespace of the bundle's own cluster.
    pub namespace: Option<&'a str>,
    /// It has this name in its namespace; without a namespace nobody has it.
    pub pod: Option<&'a str>,
    /// It runs under this service account.
    pub service_account: Option<&'a str>,
    /// It has these labels of Kubernetes, by key and value.
    pub labels: &'a [(String, String)],
}

impl Claim<'_> {
    /// Whether it says who the workload is, and not only where.
    pub(crate) fn says_who(&self) -> bool {
        self.pod.is_some() || self.namespace.is_some() || self.service_account.is_some() || !self.labels.is_empty()
    }
}

/// The workload that a proxy serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload<'a> {
    /// The endpoint of this name, `namespace/name`.
    Endpoint(&'a str),
    /// Whoever has this address.
    Address(IpAddr),
}

//! Objects that cannot both be there.

use std::collections::HashMap;

use super::Decoded;
use crate::{
    decode::{Context, Cursor},
    diagnostic::{Code, ObjectRef},
    resource::Resource,
};

/// Rejects every object that shares its name or an address with another: whichever came first, the outcome is the
/// same.
pub(super) fn reject(decoded: &mut [Decoded<'_, '_>]) {
    let mut by_claim: HashMap<Claim, Vec<usize>> = HashMap::new();
    for (index, (_, (_, resource))) in decoded.iter().enumerate() {
        for claim in resource.iter().flat_map(claims) {
            by_claim.entry(claim).or_default().push(index);
        }
    }
    let mut clashes: Vec<(Claim, Vec<usize>)> = by_claim
        .into_iter()
        .filter(|(_, claimants)| claimants.len() > 1)
        .collect();
    clashes.sort();
    for (claim, claimants) in clashes {
        for index in &claimants {
            let others = claimants.iter().filter(|other| *other != index);
            let other = others
                .filter_map(|other| decoded.get(*other))
                .map(|(_, (cx, _))| cx.object().clone())
                .next();
            if let (Some((object, (cx, _))), Some(other)) = (decoded.get_mut(*index), other) {
                report(cx, &Cursor::root(&object.node), &claim, &other);
            }
        }
    }
}

fn report(cx: &mut Context<'_>, at: &Cursor<'_>, claim: &Claim, other: &ObjectRef) {
    match claim {
        Claim::Name(..) => {
            cx.error(at, Code::DUPLICATE, "the same object is given twice")
                .help("remove one of them");
        }
        Claim::Address(address) => {
            cx.error(
                at,
                Code::ADDRESS_CLASH,
                format!("the address {address} also belongs to {other}"),
            );
        }
    }
}

/// What only one object can have.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Claim {
    /// A kind, namespace and name.
    Name(String, String, String),
    /// An address, or an address and a port of it.
    Address(String),
}

fn claims(resource: &Resource) -> Vec<Claim> {
    let name =
        |kind: &str, namespace: &str, name: &str| Claim::Name(kind.to_owned(), namespace.to_owned(), name.to_owned());
    match resource {
        Resource::Policy(policy) => {
            let namespace = policy.namespace.as_deref().unwrap_or_default();
            vec![name(&policy.kind, namespace, &policy.name)]
        }
        Resource::CidrGroup(group, _) => vec![name("CiliumCIDRGroup", "", group)],
        Resource::Backends(backends) => vec![name(&backends.kind, &backends.namespace, &backends.name)],
        Resource::Node(node) => {
            let addresses = node.addresses.iter();
            let addresses = addresses.map(|address| Claim::Address(address.to_string()));
            addresses.chain([name("Node", "", &node.name)]).collect()
        }
        Resource::Namespace(namespace) => vec![name("Namespace", "", &namespace.name)],
        Resource::Pod(pod) => {
            let addresses = pod
                .addresses
                .iter()
                .filter(|_| pod.is_endpoint)
                .map(|address| Claim::Address(address.to_string()));
            addresses.chain([name("Pod", &pod.namespace, &pod.name)]).collect()
        }
        Resource::Service(service) => {
            let mut claims = vec![name("Service", &service.namespace, &service.name)];
            for address in &service.addresses {
                let ports = service
                    .ports
                    .iter()
                    .map(|port| Claim::Address(format!("{address} port {}/{}", port.port, port.protocol)));
                claims.extend(ports);
            }
            claims
        }
    }
}

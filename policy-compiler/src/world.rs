//! All objects of an input, decoded and told apart.

use std::collections::{BTreeMap, HashMap};

use crate::{
    decode::{Context, Cursor, decode},
    diagnostic::{Code, Diagnostic, ObjectRef},
    input::{Input, Object},
    options::CompileOptions,
    resource::{Namespace, Pod, Policy, Resource, Service},
};

/// What is valid, in an order that does not depend on the input's.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) policies: Vec<Policy>,
    pub(crate) namespaces: BTreeMap<String, Namespace>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) services: Vec<Service>,
}

/// The world, and what there is to say about the objects it was made of.
pub(crate) fn collect(input: &Input, options: &CompileOptions) -> (World, Vec<Diagnostic>) {
    let mut decoded: Vec<_> = input
        .objects()
        .iter()
        .map(|object| (object, decode(object, options)))
        .collect();
    reject_clashes(&mut decoded);

    let mut world = World::default();
    let mut diagnostics = input.diagnostics().to_vec();
    for (_, (cx, resource)) in decoded {
        let is_valid = !cx.has_errors();
        diagnostics.extend(cx.into_diagnostics());
        if let Some(resource) = resource.filter(|_| is_valid) {
            world.add(resource);
        }
    }
    world
        .policies
        .sort_by(|a, b| (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name)));
    world
        .pods
        .sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    world
        .services
        .sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    (world, diagnostics)
}

impl World {
    fn add(&mut self, resource: Resource) {
        match resource {
            Resource::Policy(policy) => self.policies.push(policy),
            Resource::Pod(pod) => self.pods.push(pod),
            Resource::Service(service) => self.services.push(service),
            Resource::Namespace(namespace) => {
                self.namespaces.insert(namespace.name.clone(), namespace);
            }
        }
    }
}

type Decoded<'i, 'o> = (&'i Object, (Context<'o>, Option<Resource>));

/// Rejects every object that shares its name or an address with another: whichever came first, the outcome is the
/// same.
fn reject_clashes(decoded: &mut [Decoded<'_, '_>]) {
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
        Resource::Policy(policy) => vec![name(&policy.kind, &policy.namespace, &policy.name)],
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

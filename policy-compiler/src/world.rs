//! All objects of an input, decoded and told apart.

mod clashes;
mod services;

use std::collections::BTreeMap;

use policy_core::bundle::CidrGroup;

use crate::{
    decode::{Context, decode},
    diagnostic::Diagnostic,
    input::{Input, Object},
    options::CompileOptions,
    resource::{Backends, Namespace, Node, Pod, Policy, Resource, Service},
};

/// An object, what there is to say about it, and what it is if it is valid.
type Decoded<'i, 'o> = (&'i Object, (Context<'o>, Option<Resource>));

/// What is valid, in an order that does not depend on the input's.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) policies: Vec<Policy>,
    pub(crate) namespaces: BTreeMap<String, Namespace>,
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) services: Vec<Service>,
    /// By namespace and name of the service.
    pub(crate) backends: BTreeMap<(String, String), Vec<Backends>>,
    pub(crate) cidr_groups: BTreeMap<String, CidrGroup>,
}

/// The world, and what there is to say about the objects it was made of.
pub(crate) fn collect(input: &Input, options: &CompileOptions) -> (World, Vec<Diagnostic>) {
    let mut decoded: Vec<Decoded<'_, '_>> = input
        .objects()
        .iter()
        .map(|object| (object, decode(object, options)))
        .collect();
    clashes::reject(&mut decoded);

    let mut world = World::default();
    let mut contexts = Vec::new();
    for (_, (cx, resource)) in decoded {
        if let Some(resource) = resource.filter(|_| !cx.has_errors()) {
            world.add(resource);
        }
        contexts.push(cx);
    }
    world.sort();

    let mut diagnostics = input.diagnostics().to_vec();
    let mut late = world.late_diagnostics();
    for mut cx in contexts {
        for diagnostic in late.remove(cx.object()).unwrap_or_default() {
            cx.add(diagnostic);
        }
        diagnostics.extend(cx.into_diagnostics());
    }
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
            Resource::Node(node) => {
                self.nodes.insert(node.name.clone(), node);
            }
            Resource::Backends(backends) => {
                let service = (backends.namespace.clone(), backends.service.clone());
                self.backends.entry(service).or_default().push(backends);
            }
            Resource::CidrGroup(name, group) => {
                self.cidr_groups.insert(name, group);
            }
        }
    }

    fn sort(&mut self) {
        self.policies
            .sort_by(|a, b| (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name)));
        self.pods
            .sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        self.services
            .sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    }
}

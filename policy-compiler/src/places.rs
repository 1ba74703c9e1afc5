//! Where the rules and labels of a bundle stand in the text that they came from.

use std::sync::Arc;

use policy_core::{Label, RuleRef};

use crate::{
    compile::Compiled,
    decode::name_of,
    diagnostic::ObjectRef,
    document::{Node, Value},
    input::Input,
    options::CompileOptions,
    origin::LabelOrigin,
    path::{Step, steps},
    source::{Location, Source, Span},
};

/// Every object that was text.
#[derive(Debug, Default)]
pub(crate) struct Places {
    objects: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    object: ObjectRef,
    node: Arc<Node>,
    source: Arc<Source>,
}

impl Compiled {
    /// Where a rule of the bundle stands: the item of its list, or as much of the way to it as the object spells out.
    /// `None` for a rule of an object that was never text.
    pub fn locate(&self, rule: &RuleRef) -> Option<Location> {
        let is_network_policy = rule.object().starts_with("NetworkPolicy/");
        let mut steps = steps(rule.path());
        if is_network_policy {
            in_network_policy(&mut steps);
        }
        self.places.find(|object| is_of(object, rule.object()))?.at(&steps)
    }

    /// Where a label of an endpoint (`namespace/name`) was written, if it was; for a label of addresses outside, in which
    /// group. `None` also where the object says nothing, such as a namespace that is no object.
    pub fn locate_label(&self, endpoint: &str, label: &Label) -> Option<Location> {
        let (namespace, name) = endpoint.split_once('/').unwrap_or_default();
        let object = |kind: &str, namespace: &str, name: &str| {
            self.places.find(|object| {
                let same_namespace = object.namespace == namespace
                    || (object.namespace.is_empty() && matches!(namespace, "" | "default"));
                object.kind == kind && object.name == name && same_namespace
            })
        };
        let labels = |key| [Step::Key("metadata"), Step::Key("labels"), Step::Key(key)];
        match LabelOrigin::of(label) {
            LabelOrigin::Pod => object("Pod", namespace, name)?.exactly_at(&labels(label.key())),
            LabelOrigin::NamespaceName => {
                object("Pod", namespace, name)?.exactly_at(&[Step::Key("metadata"), Step::Key("namespace")])
            }
            LabelOrigin::Namespace(key) => object("Namespace", "", namespace)?.exactly_at(&labels(key)),
            LabelOrigin::ServiceAccount => {
                object("Pod", namespace, name)?.exactly_at(&[Step::Key("spec"), Step::Key("serviceAccountName")])
            }
            LabelOrigin::CidrGroup(Some(group)) => object("CiliumCIDRGroup", "", group)?.at(&[]),
            LabelOrigin::CidrGroup(None) => {
                let groups = self.places.objects.iter();
                groups
                    .filter(|place| place.object.kind == "CiliumCIDRGroup")
                    .find_map(|group| group.exactly_at(&labels(label.key())))
            }
            LabelOrigin::Cluster
            | LabelOrigin::Node
            | LabelOrigin::Reserved
            | LabelOrigin::Address
            | LabelOrigin::Dns
            | LabelOrigin::Other => None,
        }
    }
}

impl Places {
    pub(crate) fn new(input: &Input, options: &CompileOptions) -> Self {
        let objects = input.objects().iter().filter_map(|object| {
            Some(Place {
                object: name_of(object, options),
                node: Arc::clone(&object.node),
                source: Arc::clone(object.source.as_ref()?),
            })
        });
        Self {
            objects: objects.collect(),
        }
    }

    fn find(&self, is_wanted: impl Fn(&ObjectRef) -> bool) -> Option<&Place> {
        self.objects.iter().find(|place| is_wanted(&place.object))
    }
}

impl Place {
    /// The place that the steps lead to, or as far as they lead.
    fn at(&self, steps: &[Step<'_>]) -> Option<Location> {
        self.walk(steps).0
    }

    /// The place that the steps lead to, if it is there.
    fn exactly_at(&self, steps: &[Step<'_>]) -> Option<Location> {
        let (location, walked) = self.walk(steps);
        location.filter(|_| walked == steps.len())
    }

    /// The last place on the way, and how many of the steps led there.
    fn walk(&self, steps: &[Step<'_>]) -> (Option<Location>, usize) {
        let (mut node, mut span) = (&*self.node, self.node.span);
        let mut walked = 0;
        for step in steps {
            let Some((next, at)) = part(node, step) else { break };
            (node, span) = (next, at);
            walked += 1;
        }
        (span.map(|span| Location::new(Arc::clone(&self.source), span)), walked)
    }
}

/// A part of a value, and what points at it: a field by its key, an item by itself.
fn part<'n>(node: &'n Node, step: &Step<'_>) -> Option<(&'n Node, Option<Span>)> {
    let part = step.follow(node)?;
    let key_span = match (&node.value, step) {
        (Value::Map(entries), Step::Key(key)) => entries.iter().find(|entry| entry.key == *key)?.key_span,
        _ => part.span,
    };
    Some((part, key_span))
}

/// All ports of a rule are one item of the bundle there, whatever the list is called.
fn in_network_policy(steps: &mut Vec<Step<'_>>) {
    let ports = steps.iter().position(|step| matches!(step, Step::Key("toPorts")));
    if let Some(ports) = ports {
        steps.truncate(ports);
        steps.push(Step::Key("ports"));
    }
}

/// Whether a rule with this object (`Kind/namespace/name` or `Kind/name`) can be one of `object`.
fn is_of(object: &ObjectRef, name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        [kind, name] => object.kind == *kind && object.name == *name,
        [kind, namespace, name] => {
            let defaulted = object.namespace.is_empty() && *namespace == "default";
            object.kind == *kind && object.name == *name && (object.namespace == *namespace || defaulted)
        }
        _ => false,
    }
}

//! Kubernetes objects out of trees: strict, with every error at once.

mod authentication;
mod cidr_group;
mod context;
mod cursor;
mod endpoint_slice;
mod http;
mod icmp;
mod mode;
mod network_policy;
mod node;
mod peers;
mod policy;
mod ports;
mod selector;
mod workload;

use std::sync::Arc;

pub(crate) use context::Context;
pub(crate) use cursor::Cursor;

use crate::{
    diagnostic::{Code, ObjectRef},
    input::Object,
    options::CompileOptions,
    resource::Resource,
};

/// Decodes one object. `None` when it is rejected, which the context says, or has no part in a decision.
pub(crate) fn decode<'o>(object: &Object, options: &'o CompileOptions) -> (Context<'o>, Option<Resource>) {
    let root = Cursor::root(&object.node);
    let mut cx = Context::new(
        options,
        name_of(object, options),
        object.source.as_ref().map(Arc::clone),
    );
    let resource = dispatch(&mut cx, &root);
    let resource = resource.filter(|_| !cx.has_errors());
    (cx, resource)
}

/// The object's own name for itself, as far as it can be read, in the default namespace if it does not say which.
pub(crate) fn name_of(object: &Object, options: &CompileOptions) -> ObjectRef {
    let text =
        |node: Option<&crate::document::Node>| node.and_then(|node| node.as_str()).unwrap_or_default().to_owned();
    let metadata = object.node.get("metadata");
    let kind = text(object.node.get("kind"));
    let written = text(metadata.and_then(|metadata| metadata.get("namespace")));
    let default = options.default_namespace.as_deref().filter(|_| is_namespaced(&kind));
    ObjectRef {
        namespace: match default {
            Some(default) if written.is_empty() => default.to_owned(),
            _ => written,
        },
        name: text(metadata.and_then(|metadata| metadata.get("name"))),
        kind,
    }
}

/// Of the kinds that have a part in a decision, those that live in a namespace.
fn is_namespaced(kind: &str) -> bool {
    matches!(
        kind,
        "CiliumNetworkPolicy" | "NetworkPolicy" | "Pod" | "Service" | "EndpointSlice" | "Endpoints"
    )
}

fn dispatch(cx: &mut Context<'_>, root: &Cursor<'_>) -> Option<Resource> {
    let kind = root.require(cx, "kind", Code::OBJECT)?.text(cx)?;
    let api_version = root.require(cx, "apiVersion", Code::OBJECT)?.text(cx)?;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    match (group, kind) {
        ("cilium.io", "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy") => {
            check_version(cx, root, api_version, "cilium.io/v2");
            root.check_duplicates(cx);
            policy::policy(cx, root, kind).map(Resource::Policy)
        }
        ("networking.k8s.io", "NetworkPolicy") => {
            check_version(cx, root, api_version, "networking.k8s.io/v1");
            root.check_duplicates(cx);
            network_policy::network_policy(cx, root).map(Resource::Policy)
        }
        ("cilium.io", "CiliumCIDRGroup") => {
            if api_version != "cilium.io/v2alpha1" {
                check_version(cx, root, api_version, "cilium.io/v2");
            }
            root.check_duplicates(cx);
            cidr_group::cidr_group(cx, root)
        }
        ("", "Pod" | "Namespace" | "Service" | "Node" | "Endpoints") => {
            check_version(cx, root, api_version, "v1");
            root.check_duplicates(cx);
            match kind {
                "Node" => node::node(cx, root),
                "Endpoints" => endpoint_slice::endpoints(cx, root),
                _ => workload::workload(cx, root, kind),
            }
        }
        ("discovery.k8s.io", "EndpointSlice") => {
            check_version(cx, root, api_version, "discovery.k8s.io/v1");
            root.check_duplicates(cx);
            endpoint_slice::endpoint_slice(cx, root)
        }
        ("cilium.io", "CiliumEgressGatewayPolicy" | "CiliumLocalRedirectPolicy")
        | ("policy.networking.k8s.io", "AdminNetworkPolicy" | "BaselineAdminNetworkPolicy" | "ClusterNetworkPolicy") => {
            cx.unsupported(root, &format!("the kind `{kind}`"));
            None
        }
        (group, kind) if is_policy_kind(kind) => {
            cx.error(
                root,
                Code::OBJECT,
                format!("no `{kind}` is known in the group `{group}`"),
            );
            None
        }
        _ => {
            cx.note(
                root,
                Code::SKIPPED,
                format!("the kind `{kind}` has no part in a decision"),
            );
            None
        }
    }
}

/// A kind that would be a policy if only its group were right.
fn is_policy_kind(kind: &str) -> bool {
    kind.ends_with("NetworkPolicy")
}

fn check_version(cx: &mut Context<'_>, root: &Cursor<'_>, found: &str, expected: &str) {
    if found != expected {
        let at = root.get("apiVersion").unwrap_or_else(|| root.clone());
        cx.error(&at, Code::OBJECT, format!("unknown version `{found}`"))
            .help(format!("the version is `{expected}`"));
    }
}

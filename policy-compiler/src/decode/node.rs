//! Nodes: only their labels and addresses.

use std::net::IpAddr;

use super::{Context, Cursor, workload};
use crate::{
    diagnostic::Code,
    resource::{Node, Resource},
};

/// Reads a node.
pub(super) fn node(cx: &mut Context<'_>, root: &Cursor<'_>) -> Option<Resource> {
    let metadata = root.require(cx, "metadata", Code::MISSING_FIELD)?.map(cx)?;
    let name = metadata.require(cx, "name", Code::MISSING_FIELD)?.text(cx)?;
    let labels = workload::texts(cx, &metadata, "labels");
    let status = root.get("status").and_then(|status| status.map(cx));
    let items = status
        .map(|status| status.items_of(cx, "addresses"))
        .unwrap_or_default();
    let mut addresses: Vec<IpAddr> = items.iter().filter_map(|item| address(cx, item)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Some(Resource::Node(Node {
        name: name.to_owned(),
        labels,
        addresses,
    }))
}

/// The address of an item that is none by name.
fn address(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<IpAddr> {
    let kind = at.map(cx)?.text_of(cx, "type")?;
    let is_ip = matches!(kind, "InternalIP" | "ExternalIP" | "CiliumInternalIP");
    let at = at.get("address").filter(|_| is_ip)?;
    workload::address(cx, &at)
}

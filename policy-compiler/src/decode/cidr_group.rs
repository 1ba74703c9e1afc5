//! `CiliumCIDRGroup`: names and labels for addresses outside the cluster.

use ipnet::IpNet;
use policy_core::{Label, Labels, bundle::CidrGroup};

use super::{Context, Cursor, peers::parse_prefix, workload};
use crate::{
    diagnostic::Code,
    identity::{CIDR_GROUP_NAME_KEY, CIDR_GROUP_SOURCE, OWN_PREFIX},
    resource::Resource,
};

/// Reads a group. An entry that is no prefix is left out, unless the API server would not have admitted it.
pub(super) fn cidr_group(cx: &mut Context<'_>, root: &Cursor<'_>) -> Option<Resource> {
    root.fields(cx, &["apiVersion", "kind", "metadata", "spec", "status"]);
    let metadata = root.require(cx, "metadata", Code::MISSING_FIELD)?.map(cx)?;
    let name = metadata.require(cx, "name", Code::MISSING_FIELD)?.text(cx)?;
    let texts = workload::texts(cx, &metadata, "labels");
    let own = (format!("{CIDR_GROUP_NAME_KEY}/{name}"), "");
    let others = texts.iter().filter(|(key, _)| !key.starts_with(OWN_PREFIX));
    let labels = others.map(|(key, value)| (key.clone(), value.as_str())).chain([own]);
    // Only an empty key is no label, and the API server admits none.
    let labels = labels.filter_map(|(key, value)| Label::new(CIDR_GROUP_SOURCE, &key, value).ok());
    let group = CidrGroup {
        labels: Labels::new(labels),
        prefixes: prefixes(cx, root),
    };
    Some(Resource::CidrGroup(name.to_owned(), group))
}

fn prefixes(cx: &mut Context<'_>, root: &Cursor<'_>) -> Vec<IpNet> {
    let spec = root.get("spec");
    let list = spec.as_ref().and_then(|spec| {
        spec.fields(cx, &["externalCIDRs"]);
        spec.get("externalCIDRs")
    });
    if list.is_none() && cx.at_cluster() {
        let at = spec.as_ref().unwrap_or(root);
        cx.error(at, Code::D15, "`spec.externalCIDRs` is missing")
            .help("a group without addresses has `externalCIDRs: []`");
    }
    let items = list.map(|list| list.items(cx)).unwrap_or_default();
    let mut prefixes: Vec<IpNet> = items.iter().filter_map(|item| prefix(cx, item)).collect();
    prefixes.sort();
    prefixes.dedup();
    prefixes
}

fn prefix(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<IpNet> {
    let text = at.text(cx)?;
    match parse_prefix(text) {
        Ok(prefix) => Some(prefix.trunc()),
        Err(problem) if cx.at_cluster() => {
            cx.error(at, Code::D15, format!("`{text}` is not a CIDR: {problem}"));
            None
        }
        Err(problem) => {
            cx.warning(
                at,
                Code::NO_EFFECT,
                format!("left out: `{text}` is not a CIDR: {problem}"),
            );
            None
        }
    }
}

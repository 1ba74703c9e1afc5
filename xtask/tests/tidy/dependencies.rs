//! Who may depend on whom: the table of ARCHITECTURE.md, over what cargo really resolves.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::sources;

/// Crates of this workspace, each with those it may name in its manifest, dev-dependencies included.
const MAY_DEPEND_ON: [(&str, &[&str]); 8] = [
    // Only its tests, and only on wasm32.
    ("policy-core", &["wasm-test"]),
    ("wasm-test", &[]),
    ("policy-compiler", &["policy-core"]),
    ("policy-filter", &["policy-core"]),
    ("wasm-host", &["policy-core"]),
    ("envoy-e2e", &["policy-core"]),
    (
        "portcullis",
        &["policy-core", "policy-compiler", "wasm-host", "envoy-e2e"],
    ),
    ("xtask", &["envoy-e2e"]),
];

/// Crates from outside that belong to one of ours alone: what others do not name, they cannot come to rely on.
const RESERVED: [(&str, &str); 1] = [("wasmtime", "wasm-host")];

/// Parts of names of crates that must not reach the plugin, however indirectly: no YAML, no Kubernetes, no operating
/// system.
const NOT_IN_THE_PLUGIN: [&str; 6] = ["yaml", "k8s", "kube", "tokio", "wasm-bindgen", "getrandom"];

/// The workspace as cargo sees it, with extra options.
fn metadata(options: &[&str]) -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(sources::root().join("Cargo.toml"));
    command.other_options(options.iter().map(ToString::to_string).collect::<Vec<_>>());
    command.exec().expect("cargo metadata")
}

#[test]
fn crates_depend_only_in_the_allowed_direction() {
    let metadata = metadata(&[]);
    let members: BTreeMap<&str, &Package> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.as_str(), package))
        .collect();
    let table = BTreeMap::from(MAY_DEPEND_ON);
    assert_eq!(
        members.keys().collect::<Vec<_>>(),
        table.keys().collect::<Vec<_>>(),
        "the table names every crate"
    );

    let mut wrong = Vec::new();
    for (name, package) in &members {
        for dependency in &package.dependencies {
            let on = dependency.name.as_str();
            let forbidden_member = members.contains_key(on) && !table[name].contains(&on);
            let reserved_for = RESERVED
                .iter()
                .find(|(reserved, _)| *reserved == on)
                .map(|(_, owner)| *owner);
            if forbidden_member || reserved_for.is_some_and(|owner| owner != *name) {
                wrong.push(format!("{name} -> {on}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "dependencies against the rules:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_plugin_carries_nothing_foreign() {
    let metadata = metadata(&["--filter-platform", "wasm32-unknown-unknown"]);
    let foreign: Vec<String> = closure(&metadata, "policy-filter")
        .into_iter()
        .filter(|name| NOT_IN_THE_PLUGIN.iter().any(|part| name.contains(part)))
        .collect();
    assert!(foreign.is_empty(), "the plugin depends on {foreign:?}");
    // The search works: it finds what is there on purpose.
    assert!(closure(&metadata, "policy-filter").contains("hashbrown"));
}

/// Names of all crates that are linked into `root`: normal dependencies, theirs, and so on.
fn closure(metadata: &Metadata, root: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let mut waiting = vec![
        &metadata
            .workspace_packages()
            .iter()
            .find(|p| p.name == root)
            .expect("a member")
            .id,
    ];
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = resolve
            .nodes
            .iter()
            .find(|node| node.id == *id)
            .expect("a node for each crate");
        waiting.extend(
            node.deps
                .iter()
                .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal))
                .map(|dep| &dep.pkg),
        );
    }
    seen.into_iter().map(|id| metadata[id].name.to_string()).collect()
}

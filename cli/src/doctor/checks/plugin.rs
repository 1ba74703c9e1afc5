//! The plugin in its filters: how it fails, what it may do, which policy it has.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    capabilities,
    envoy::Listener,
    fault,
    finding::Findings,
    json::Json as _,
    plugin::{Plugin, Settings},
};

/// Checks the plugins of a listener, each by itself and with each other.
pub(super) fn check(listener: &Listener<'_>, digest: Option<&str>, found: &mut Findings) {
    for (place, plugin) in listener.plugins_in_force() {
        let name = &listener.name;
        failure(plugin, name, &place, found);
        capabilities(plugin, name, &place, found);
        if let Err(why) = &plugin.settings {
            found.add(
                &fault::CONFIGURATION_UNREADABLE,
                name,
                &place,
                format!("its configuration cannot be read: {why}"),
            );
        }
        if let Some(why) = plugin.settings.as_ref().ok().and_then(|settings| settings.bundle.idle) {
            found.add(&fault::NOTHING_ENFORCED, name, &place, why.to_owned());
        }
        if let Some(wanted) = digest.filter(|wanted| plugin.digest() != Some(wanted)) {
            let message = format!("its bundle is {}, not {wanted}", plugin.digest().unwrap_or("unknown"));
            found.add(&fault::BUNDLE_OLD, name, &place, message);
        }
    }
    let mut settings = listener
        .plugins_in_force()
        .filter_map(|(_, plugin)| plugin.settings.as_ref().ok());
    if let Some(first) = settings.next()
        && let Some(other) = settings.find(|other| *other != first)
    {
        let message = format!(
            "its filters have different configurations: {}",
            difference(first, other)
        );
        found.add(&fault::LAYERS_DIFFER, &listener.name, "", message);
    }
}

fn failure(plugin: &Plugin<'_>, listener: &str, place: &str, found: &mut Findings) {
    let policy = plugin.config.text("/failure_policy");
    if plugin.config.flag("/fail_open") || policy == "FAIL_OPEN" {
        let message = "`failure_policy` is FAIL_OPEN";
        found.add(&fault::FAILS_OPEN, listener, place, message);
    } else if policy != "FAIL_RELOAD" {
        let message = "`failure_policy` is FAIL_CLOSED, its default";
        found.add(&fault::FAILS_FOR_GOOD, listener, place, message);
    }
}

/// An empty list restricts nothing.
fn capabilities(plugin: &Plugin<'_>, listener: &str, place: &str, found: &mut Findings) {
    // The second is the deprecated place.
    for list in [
        "/vm_config/capability_restriction_config",
        "/capability_restriction_config",
    ] {
        let allowed = plugin.config.at(list).at("/allowed_capabilities");
        let Some(allowed) = allowed.as_object().filter(|allowed| !allowed.is_empty()) else {
            continue;
        };
        let lacks = capabilities::NEEDED
            .iter()
            .filter(|needed| !allowed.contains_key(**needed));
        let lacks: Vec<String> = lacks.map(|needed| format!("`{needed}`")).collect();
        if !lacks.is_empty() {
            let message = format!("`allowed_capabilities` lacks {}", lacks.join(", "));
            found.add(&fault::CAPABILITY_CUT, listener, place, message);
        }
    }
}

/// In which words two configurations differ.
fn difference(one: &Settings, other: &Settings) -> String {
    let fields = |settings: &Settings| {
        let Settings {
            direction,
            destination,
            identity,
            bundle,
        } = settings.clone();
        [
            ("direction", direction),
            ("destination", destination),
            ("certificate", identity.certificate),
            ("bundle", Some(bundle.digest)),
        ]
    };
    let pairs = fields(one).into_iter().zip(fields(other));
    let different = pairs.filter(|((_, one), (_, other))| one != other);
    let word = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let words: Vec<String> = different
        .map(|((name, one), (_, other))| format!("`{name}` is {} and {}", word(one), word(other)))
        .collect();
    match words.as_slice() {
        [] => "their policies are not the same".to_owned(),
        words => words.join(", "),
    }
}

/// Compares the plugins of all listeners. Which policy is the right one is only known if somebody says so.
pub(super) fn compare(listeners: &[Listener<'_>], digest: Option<&str>, found: &mut Findings) {
    let all = listeners.iter().flat_map(|listener| {
        let plugins = listener.plugins_in_force();
        plugins.map(move |(_, plugin)| (&listener.name, plugin))
    });
    let mut by_vm: BTreeMap<String, (BTreeSet<String>, BTreeSet<&String>)> = BTreeMap::new();
    let mut by_digest: BTreeMap<&str, BTreeSet<&String>> = BTreeMap::new();
    for (name, plugin) in all {
        let (vm, configuration) = plugin.vm();
        let (code, users) = by_vm.entry(format!("{vm} {configuration}")).or_default();
        code.insert(plugin.code().to_string());
        users.insert(name);
        by_digest
            .entry(plugin.digest().unwrap_or("none"))
            .or_default()
            .insert(name);
    }
    for (codes, users) in by_vm.into_values().filter(|(codes, _)| codes.len() > 1) {
        let codes: Vec<String> = codes.into_iter().collect();
        let message = format!("the same `vm_id` has the code {}", codes.join(" and "));
        found.add_shared(&fault::CODE_DIFFERS, owned(users), message);
    }
    if digest.is_none() && by_digest.len() > 1 {
        let users = by_digest.values().flatten().copied().collect();
        let digests: Vec<&str> = by_digest.keys().copied().collect();
        let message = format!("there is more than one bundle: {}", digests.join(", "));
        found.add_shared(&fault::BUNDLE_DIFFERS, owned(users), message);
    }
}

fn owned(names: BTreeSet<&String>) -> Vec<String> {
    names.into_iter().cloned().collect()
}

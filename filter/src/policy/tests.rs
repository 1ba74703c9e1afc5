use policy_core::Bundle;

use super::*;
use crate::config::{Configuration, DirectionSetting};
use crate::fake;

fn parsed(configuration: &str) -> (Settings, Packed) {
    Configuration::parse(fake::packed(configuration)).expect("configuration")
}

fn policy(store: &Store, configuration: &str) -> Rc<Policy> {
    let (settings, packed) = parsed(configuration);
    store.policy(settings.clone(), packed, None)
}

#[test]
fn the_same_configuration_is_one_policy() {
    let store = Store::default();
    let first = policy(&store, &fake::configuration(""));
    let again = policy(&store, &fake::configuration(""));
    assert!(Rc::ptr_eq(&first, &again));
    assert_eq!(again.generation, 1);
}

#[test]
fn other_settings_share_the_engine_but_are_another_policy() {
    let store = Store::default();
    let first = policy(&store, &fake::configuration(""));
    let other = policy(&store, &fake::configuration(r#""direction":"both","#));
    assert!(Rc::ptr_eq(&first.engine, &other.engine));
    assert_eq!((first.generation, other.generation), (1, 2));
    assert_eq!(other.settings.direction, DirectionSetting::Both);
}

#[test]
fn another_bundle_is_another_engine_and_what_nobody_uses_is_gone() {
    let store = Store::default();
    let first = policy(&store, &fake::configuration(""));
    let other = policy(&store, &fake::without_policies(""));
    assert_ne!(first.engine.digest(), other.engine.digest());
    let weak = Rc::downgrade(&first.engine);
    drop(first);
    assert!(weak.upgrade().is_none(), "the store keeps nothing alive");
    assert_eq!(policy(&store, &fake::configuration("")).generation, 3, "built anew");
}

#[test]
fn a_bundle_with_its_digest_is_the_same_as_one_without() {
    let store = Store::default();
    let bundle = Bundle::from_json(br#"{"version":1,"identities":[{"labels":["k8s:app=web"]}]}"#).expect("a bundle");
    let sealed = String::from_utf8(bundle.to_json()).expect("JSON");
    let bare = sealed.replacen(&format!("\"digest\":\"{}\",", bundle.content_digest()), "", 1);
    assert_ne!(sealed, bare);
    let [with, without] = [sealed, bare].map(|bundle| policy(&store, &format!(r#"{{"version":1,"bundle":{bundle}}}"#)));
    assert!(Rc::ptr_eq(&without, &with));
}

#[test]
fn a_plugin_is_known_as_long_as_somebody_uses_it() {
    let store = Store::default();
    let find = |root_id: &str, name: &str| {
        store.plugin(PluginId {
            root_id: root_id.into(),
            name: name.into(),
        })
    };
    let plugin = find("r", "a");
    assert!(Rc::ptr_eq(&plugin, &find("r", "a")));
    assert!(!Rc::ptr_eq(&plugin, &find("r", "b")), "another name");
    assert!(!Rc::ptr_eq(&plugin, &find("s", "a")), "another root id");
    assert!(!Rc::ptr_eq(&plugin, &find("ra", "")), "they are not joined");
    let policy = policy(&store, &fake::configuration(""));
    assert!(
        plugin.set_latest(&policy) && !plugin.set_latest(&policy),
        "new, then known"
    );
    drop(plugin);
    assert!(find("r", "a").latest().is_none(), "a new one");
}

//! Requests on connections that were opened before the policy changed.

use super::*;

#[test]
fn the_next_request_on_a_connection_follows_the_new_policy() {
    let plugin = connected(&fake::without_policies(INGRESS), XWING, METRICS);
    assert_eq!(
        (plugin.get("deathstar", "/"), reason(&plugin)),
        (Action::Continue, "not-isolated".into())
    );
    assert!(plugin.configure(fake::configuration(INGRESS)));
    assert_eq!(plugin.get("deathstar", "/"), Action::Pause);
    assert!(!plugin.configure("{}"), "refused");
    assert_eq!(plugin.get("deathstar", "/metrics"), Action::Continue);
    assert_eq!(plugin.get("deathstar", "/"), Action::Pause);
    assert!(plugin.configure(fake::without_policies(INGRESS)));
    assert_eq!(plugin.get("deathstar", "/"), Action::Continue);
}

#[test]
fn a_connection_has_no_facts_for_other_settings() {
    let plugin = connected(&fake::without_policies(INGRESS), TIE, DEATHSTAR);
    for (settings, want) in [
        (r#""direction":"both","#, "outdated-connection-facts"),
        (
            r#""direction":"ingress","destination":"authority","#,
            "outdated-connection-facts",
        ),
        (INGRESS, "not-isolated"),
    ] {
        assert!(plugin.configure(fake::without_policies(settings)));
        plugin.get("deathstar", "/");
        assert_eq!(reason(&plugin), want, "{settings}");
    }
}

#[test]
fn a_long_request_keeps_no_policy_in_memory() {
    let plugin = connected(&fake::without_policies(INGRESS), TIE, DEATHSTAR);
    let mut filter = plugin.stream();
    let policy = Rc::downgrade(&plugin.root.policy().expect("a policy"));
    assert_eq!(filter.request_headers(), Action::Continue);
    assert!(plugin.configure(fake::configuration(INGRESS)));
    assert!(policy.upgrade().is_none());
    assert_eq!(filter.rest_of_request(), Action::Continue, "its headers were allowed");
}

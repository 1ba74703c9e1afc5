//! Connections that are open while the policy changes.

use super::*;

#[test]
fn an_open_connection_follows_the_policy() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    let (mut xwing, action) = plugin.connect(XWING, DEATHSTAR);
    assert_eq!(action, Action::Continue);
    let (mut tie, action) = plugin.connect(TIE, DEATHSTAR);
    assert_eq!(action, Action::Continue);
    assert_eq!(xwing.data(Data::Downstream), Action::Continue);

    assert!(plugin.configure(fake::configuration(INGRESS)));
    assert_eq!(tie.data(Data::Downstream), Action::Continue);
    assert_eq!(
        plugin.world.state("portcullis_reason"),
        "allowed-by-rule",
        "by the new policy"
    );
    assert_eq!(
        plugin.world.verdicts("ingress", "l4", "allow"),
        2,
        "counted when it was opened"
    );
    assert!(plugin.world.closed.borrow().is_empty());
    assert_eq!(xwing.data(Data::Downstream), Action::Pause);
    assert_eq!(*plugin.world.closed.borrow(), [Stream::Downstream]);
    assert_eq!(
        (
            plugin.world.state("portcullis_l4"),
            plugin.world.verdicts("ingress", "l4", "deny")
        ),
        ("deny".into(), 1)
    );

    assert!(plugin.configure(fake::without_policies(INGRESS)));
    assert_eq!(xwing.data(Data::Downstream), Action::Pause, "closed is closed");
}

#[test]
fn an_open_connection_has_no_facts_for_other_settings() {
    const BOTH: &str = r#""direction":"both","#;
    for (protocol, why) in [
        ("tcp", "the facts were read with other settings"),
        ("http", "none of its requests would be allowed"),
    ] {
        let plugin = Plugin::new(&fake::without_policies(INGRESS));
        plugin.world.listener("protocol", protocol);
        let (mut filter, action) = plugin.connect(TIE, DEATHSTAR);
        assert_eq!(action, Action::Continue);
        assert!(plugin.configure(fake::configuration(INGRESS)));
        assert_eq!(
            filter.data(Data::Downstream),
            Action::Continue,
            "{protocol}: another policy, the same settings"
        );
        assert!(plugin.configure(fake::configuration(BOTH)));
        assert_eq!(filter.data(Data::Downstream), Action::Pause, "{protocol}: {why}");
        assert_eq!(*plugin.world.closed.borrow(), [Stream::Downstream]);
        assert_eq!(
            (
                plugin.world.state("portcullis_l4"),
                plugin.world.state("portcullis_reason")
            ),
            ("deny".into(), "outdated-connection-facts".into())
        );
        assert_eq!(
            plugin.connect(TIE, DEATHSTAR).1,
            Action::Continue,
            "{protocol}: a new one has them"
        );
    }
}

#[test]
fn an_idle_connection_keeps_no_policy_in_memory() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    plugin.world.set("destination.address", DEATHSTAR);
    for (protocol, source) in [("tcp", TIE), ("http", TIE), ("tcp", "nonsense")] {
        plugin.world.listener("protocol", protocol);
        plugin.world.set("source.address", source);
        assert!(plugin.configure(fake::without_policies(INGRESS)));
        let mut filter = plugin.stream();
        let policy = Rc::downgrade(&plugin.root.policy().expect("a policy"));
        filter.new_connection();
        assert!(plugin.configure(fake::configuration(INGRESS)));
        assert!(policy.upgrade().is_none(), "{protocol} from {source}");
    }
}

//! Connections under policies in audit mode.

use super::*;

/// The verdict in effect with its reason, and what it would be.
fn both(plugin: &Plugin) -> [String; 2] {
    let state = |verdict, reason| format!("{} {}", plugin.world.state(verdict), plugin.world.state(reason));
    [
        state("portcullis_verdict", "portcullis_reason"),
        state("portcullis_would", "portcullis_would_reason"),
    ]
}

fn audits(plugin: &Plugin, would: &str) -> u64 {
    plugin
        .world
        .metric(&format!("portcullis_audit_total.dir.ingress.layer.l4.would.{would}"))
}

#[test]
fn an_audited_policy_denies_nothing_and_says_what_it_would() {
    let plugin = Plugin::new(&fake::audited(&fake::configuration(INGRESS), "deathstar"));
    for (source, destination, want, spared, why) in [
        (
            XWING,
            DEATHSTAR,
            ["allow not-isolated", "deny default-deny"],
            1,
            "what it would deny",
        ),
        (
            XWING,
            METRICS,
            ["allow not-isolated", "deny http-required"],
            1,
            "nobody looks at requests, nor need anybody",
        ),
        (
            TIE,
            DEATHSTAR,
            ["allow not-isolated", "allow allowed-by-rule"],
            0,
            "what it would allow",
        ),
        (
            "nonsense",
            DEATHSTAR,
            ["deny unknown-address", "deny unknown-address"],
            0,
            "what nobody understands is denied, audit or not",
        ),
    ] {
        let before = audits(&plugin, "deny");
        let (_, action) = plugin.connect(source, destination);
        assert_eq!(both(&plugin), want, "{why}");
        let passes = want[0].starts_with("allow");
        assert_eq!(action == Action::Continue, passes, "{why}");
        let guard = plugin.world.state("portcullis_l4");
        assert_eq!(guard == "allow", passes, "{why}: {guard}");
        assert_eq!(audits(&plugin, "deny") - before, spared, "{why}");
    }
    plugin.connect(XWING, DEATHSTAR);
    let rule = plugin.world.state("portcullis_would_rule");
    assert_eq!(rule, "CiliumNetworkPolicy/empire/deathstar spec");
    assert_eq!(plugin.world.state("portcullis_rule"), "", "no rule in effect decided");
}

#[test]
fn an_audited_policy_allows_nothing_either() {
    let deny = fake::anybody(9, "");
    let two = fake::ingress(INGRESS, &[&deny, &fake::anybody(80, "")]);
    let plugin = Plugin::new(&fake::audited(&two, "p1"));
    assert_eq!(outcome(&plugin, TIE, DEATHSTAR), denied("default-deny"));
    assert_eq!(both(&plugin), ["deny default-deny", "allow allowed-by-rule"]);
    assert_eq!(audits(&plugin, "allow"), 1);
}

#[test]
fn without_audit_nobody_says_what_would_be() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    plugin.connect(XWING, DEATHSTAR);
    assert_eq!(both(&plugin), ["deny default-deny", " "]);
    assert_eq!(audits(&plugin, "deny"), 0);
}

#[test]
fn if_all_policies_are_audited_nothing_is_denied() {
    let plugin = Plugin::new(&fake::all_audited(&fake::configuration(INGRESS)));
    for (source, destination, would, why) in [
        (XWING, DEATHSTAR, "deny default-deny", "another namespace"),
        (XWING, METRICS, "deny http-required", "nobody looks at requests"),
        (TIE, DEATHSTAR, "allow allowed-by-rule", "what is allowed"),
        (TIE, "192.0.2.1:80", "deny unknown-subject", "whose policy?"),
        (
            "nonsense",
            DEATHSTAR,
            "deny unknown-address",
            "a source nobody understands",
        ),
        (TIE, "nonsense", "deny unknown-address", "nor such a destination"),
        (TIE, "10.0.0.1", "deny unknown-destination", "no port"),
    ] {
        let (mut filter, action) = plugin.connect(source, destination);
        assert_eq!(
            (action, both(&plugin)),
            (Action::Continue, ["allow audited".into(), would.into()]),
            "{why}"
        );
        assert_eq!(plugin.world.state("portcullis_l4"), "allow", "{why}");
        assert_eq!(filter.data(Data::Downstream), Action::Continue, "{why}");
    }
    assert!(plugin.world.closed.borrow().is_empty());
    plugin.world.listener("protocol", "https");
    plugin.connect(TIE, DEATHSTAR);
    assert_eq!(both(&plugin), ["allow audited", "deny bad-listener-metadata"]);
}

#[test]
fn who_knows_no_policy_knows_of_no_audit_mode() {
    let plugin = Plugin::unconfigured();
    assert_eq!(outcome(&plugin, TIE, DEATHSTAR), denied("no-policy"));
    let plugin = Plugin::new(&fake::all_audited(&fake::configuration(INGRESS)));
    plugin.world.mood.set(Mood::Panicking);
    assert_eq!(plugin.connect(TIE, DEATHSTAR).1, Action::Pause, "an error inside");
}

#[test]
fn an_open_connection_loses_what_audit_mode_gave_it() {
    let enforced = fake::configuration(INGRESS);
    let one = fake::audited(&enforced, "deathstar");
    let all = fake::all_audited(&enforced);
    for (audited, source, revoked, why) in [
        (&one, XWING, true, "what would be denied"),
        (&all, XWING, true, "by whichever mode"),
        (&all, "nonsense", true, "what nobody understands"),
        (&one, TIE, false, "what would be allowed"),
        (&all, TIE, false, "by whichever mode"),
    ] {
        let plugin = Plugin::new(audited);
        let (mut filter, action) = plugin.connect(source, DEATHSTAR);
        assert_eq!(action, Action::Continue, "{why}");
        assert!(plugin.configure(&all));
        assert_eq!(filter.data(Data::Downstream), Action::Continue, "{why}: still audited");
        assert!(plugin.configure(&enforced));
        assert_eq!(filter.data(Data::Downstream) == Action::Pause, revoked, "{why}");
        let [enforced, would] = both(&plugin);
        assert_eq!(enforced, would, "{why}: what would be is not what it was");
        let count = plugin.world.metric("portcullis_revoked_total.layer.l4");
        assert_eq!(count, u64::from(revoked), "{why}");
    }
}

#[test]
fn what_lets_everything_pass_is_no_last_good_policy() {
    let contradiction =
        |value: &str| fake::anybody(80, &format!(r#","serverNames":["{value}"],"terminatingTls":"{value}""#));
    let (a, b) = (contradiction("a"), contradiction("b"));
    let conflict = fake::ingress(INGRESS, &[&a, &b]);
    for (before, want, why) in [
        (
            fake::without_policies(INGRESS),
            Action::Continue,
            "the policy before counts",
        ),
        (
            fake::all_audited(&fake::without_policies(INGRESS)),
            Action::Pause,
            "but not that there was none in effect",
        ),
    ] {
        let plugin = Plugin::new(&before);
        assert!(plugin.configure(&conflict));
        assert_eq!(plugin.connect(TIE, DEATHSTAR).1, want, "{why}");
    }
}

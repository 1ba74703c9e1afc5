use super::*;
use crate::fake::{self, Mood, Plugin};
use proptest::prelude::*;

mod audit;
mod changes;
mod facts;
mod identity;

const DEATHSTAR: &str = "10.0.0.1:80";
const METRICS: &str = "10.0.0.1:8080";
const TIE: &str = "10.0.0.2:41000";
const XWING: &str = "10.0.0.3:41000";
const STRANGER: &str = "192.0.2.1:41000";
const INGRESS: &str = r#""direction":"ingress","#;
const EGRESS_BY_NAME: &str = r#""direction":"egress","destination":"authority","#;

/// What a connection comes to: the action, the state of the guard, and the reason.
fn outcome(plugin: &Plugin, source: &str, destination: &str) -> (Action, String, String) {
    let (_, action) = plugin.connect(source, destination);
    (
        action,
        plugin.world.state("portcullis_l4"),
        plugin.world.state("portcullis_reason"),
    )
}

fn allowed(reason: &str) -> (Action, String, String) {
    (Action::Continue, "allow".into(), reason.into())
}

fn denied(reason: &str) -> (Action, String, String) {
    (Action::Pause, "deny".into(), reason.into())
}

#[test]
fn addresses_and_ports_decide_at_once() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    for (source, destination, want, why) in [
        (TIE, DEATHSTAR, allowed("allowed-by-rule"), "same namespace"),
        (
            "[::ffff:10.0.0.2]:41000",
            DEATHSTAR,
            allowed("allowed-by-rule"),
            "the same address, mapped",
        ),
        (XWING, DEATHSTAR, denied("default-deny"), "another namespace"),
        (STRANGER, DEATHSTAR, denied("default-deny"), "from outside"),
        (TIE, "10.0.0.1:81", denied("default-deny"), "another port"),
        (
            TIE,
            "10.0.0.3:80",
            allowed("not-isolated"),
            "nothing isolates the xwing",
        ),
        (
            TIE,
            "192.0.2.1:80",
            denied("unknown-subject"),
            "the destination is nobody whose ingress could be asked",
        ),
        (
            "nonsense",
            DEATHSTAR,
            denied("unknown-address"),
            "a source nobody understands",
        ),
        (TIE, "nonsense", denied("unknown-address"), "nor such a destination"),
        (TIE, "10.0.0.1", denied("unknown-destination"), "no port"),
    ] {
        assert_eq!(
            outcome(&plugin, source, destination),
            want,
            "{source} to {destination}: {why}"
        );
    }
}

#[test]
fn a_denial_closes_the_connection_and_says_why() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    let (mut filter, action) = plugin.connect(XWING, DEATHSTAR);
    assert_eq!(action, Action::Pause);
    assert_eq!(*plugin.world.closed.borrow(), [Stream::Downstream]);
    assert_eq!(plugin.world.state("portcullis_verdict"), "deny");
    assert!(
        plugin
            .world
            .state("portcullis_rule")
            .starts_with("CiliumNetworkPolicy/empire/deathstar")
    );
    assert_eq!(
        (
            plugin.world.verdicts("ingress", "l4", "deny"),
            plugin.world.verdicts("ingress", "l4", "allow")
        ),
        (1, 0)
    );
    assert_eq!(
        filter.data(Data::Downstream),
        Action::Pause,
        "no byte passes afterwards"
    );
    assert_eq!(
        plugin.world.state("portcullis_http"),
        "",
        "the guard of requests is none of our business"
    );
}

#[test]
fn requests_that_count_need_somebody_who_looks_at_them() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    assert_eq!(
        outcome(&plugin, XWING, METRICS),
        denied("http-required"),
        "a listener without a word is TCP"
    );
    assert!(
        plugin.world.state("portcullis_rule").contains("toPorts"),
        "{}",
        plugin.world.state("portcullis_rule")
    );
    plugin.world.listener("protocol", "tcp");
    assert_eq!(outcome(&plugin, XWING, METRICS), denied("http-required"));

    plugin.world.listener("protocol", "http");
    assert_eq!(
        outcome(&plugin, XWING, METRICS),
        allowed(""),
        "the reason is for each request to say"
    );
    assert_eq!(
        plugin.world.state("portcullis_verdict"),
        "",
        "or else requests would share it"
    );
    assert_eq!(
        outcome(&plugin, XWING, DEATHSTAR),
        denied("default-deny"),
        "no request could change that"
    );
    plugin.world.listener("protocol", "https");
    assert_eq!(outcome(&plugin, TIE, DEATHSTAR), denied("bad-listener-metadata"));
}

#[test]
fn names_are_for_requests_to_say() {
    let plugin = Plugin::new(&fake::configuration(EGRESS_BY_NAME));
    assert_eq!(
        outcome(&plugin, TIE, "10.9.9.9:3128"),
        denied("http-required"),
        "on TCP nobody says a name"
    );
    plugin.world.listener("protocol", "http");
    assert_eq!(
        outcome(&plugin, TIE, "10.9.9.9:3128"),
        allowed(""),
        "the proxy's own address does not matter"
    );
    assert_eq!(
        outcome(&plugin, STRANGER, "10.9.9.9:3128"),
        denied("unknown-subject"),
        "whose egress?"
    );
    assert_eq!(
        outcome(&plugin, "nonsense", "10.9.9.9:3128"),
        denied("unknown-address"),
        "a source nobody understands"
    );
}

#[test]
fn both_sides_are_asked_between_two_endpoints() {
    let plugin = Plugin::new(&fake::configuration(r#""direction":"both","#));
    assert_eq!(outcome(&plugin, TIE, DEATHSTAR), allowed("allowed-by-rule"));
    assert_eq!(
        outcome(&plugin, TIE, "10.0.0.3:80"),
        denied("default-deny"),
        "egress of the tiefighter"
    );
    assert_eq!(
        outcome(&plugin, XWING, DEATHSTAR),
        denied("default-deny"),
        "ingress of the deathstar"
    );
    assert_eq!(plugin.world.verdicts("both", "l4", "deny"), 2);
}

#[test]
fn a_source_that_is_not_known_does_not_skip_its_egress_policy() {
    for (settings, want, why) in [
        (r#""direction":"both","#, "unknown-subject", "whose egress?"),
        (r#""direction":"egress","#, "unknown-subject", "whose egress?"),
        (INGRESS, "default-deny", "no rule is about it"),
    ] {
        let plugin = Plugin::new(&fake::configuration(settings));
        plugin.connect(TIE, DEATHSTAR);
        plugin.world.unset("source.address");
        assert_eq!(plugin.stream().new_connection(), Action::Pause);
        assert_eq!(plugin.world.state("portcullis_reason"), want, "{settings}: {why}");
    }
}

#[test]
fn other_hosts_ask_about_other_transports() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    plugin.world.listener("transport", "UDP");
    assert_eq!(
        outcome(&plugin, TIE, DEATHSTAR),
        denied("default-deny"),
        "the rule is for TCP"
    );
    plugin.world.listener("transport", "ICMP");
    plugin.world.listener("port", "8");
    assert_eq!(
        outcome(&plugin, XWING, DEATHSTAR),
        allowed("allowed-by-rule"),
        "echo request"
    );
    plugin.world.listener("port", "0");
    assert_eq!(outcome(&plugin, XWING, DEATHSTAR), denied("default-deny"), "echo reply");
}

#[test]
fn a_host_that_skips_the_first_callback_does_not_get_around() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    plugin.world.set("source.address", XWING);
    plugin.world.set("destination.address", DEATHSTAR);
    assert_eq!(plugin.stream().data(Data::Downstream), Action::Pause);
    plugin.world.set("source.address", TIE);
    assert_eq!(plugin.stream().data(Data::Downstream), Action::Continue);
}

#[test]
fn a_host_that_fails_denies() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    for mood in [Mood::Absent, Mood::Failing, Mood::Panicking] {
        plugin.world.mood.set(mood);
        let (mut filter, action) = plugin.connect(TIE, DEATHSTAR);
        assert_eq!(
            (action, filter.data(Data::Downstream)),
            (Action::Pause, Action::Pause),
            "{mood:?}"
        );
        assert_eq!(plugin.world.closed.take(), [Stream::Downstream], "{mood:?}");
    }
    assert_eq!(plugin.world.metric("portcullis_panics_total"), 1);
    plugin.world.mood.set(Mood::Helpful);
    assert_eq!(
        outcome(&plugin, TIE, DEATHSTAR),
        allowed("allowed-by-rule"),
        "and the VM works on"
    );
}

proptest! {
    #[test]
    fn whatever_the_host_says_has_a_verdict(source: Vec<u8>, destination: Vec<u8>, direction: Vec<u8>, word: Vec<u8>) {
        let plugin = Plugin::new(&fake::configuration(""));
        plugin.world.set("source.address", source);
        plugin.world.set("destination.address", destination);
        plugin.world.set("xds.listener_direction", direction);
        plugin.world.set("xds.listener_metadata.filter_metadata.portcullis.direction", word);
        let action = plugin.stream().new_connection();
        prop_assert_eq!(action, Action::Pause, "nonsense is no reason to allow");
        prop_assert_eq!(plugin.world.state("portcullis_l4"), "deny");
        prop_assert_eq!(plugin.world.metric("portcullis_panics_total"), 0);
    }
}

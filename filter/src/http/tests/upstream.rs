//! The filter behind the load balancer, where the destination is the endpoint that was chosen.

use super::*;

const EGRESS: &str = r#""direction":"egress","destination":"upstream","#;

#[test]
fn the_endpoint_that_was_chosen_decides() {
    let plugin = connected(&fake::configuration(EGRESS), TIE, "10.99.0.1:80");
    for (upstream, want, why) in [
        (
            "10.0.0.1:80",
            (Action::Continue, "allow", "allowed-by-rule"),
            "the tiefighter may go there",
        ),
        ("10.0.0.3:80", (Action::Pause, "deny", "default-deny"), "but not there"),
        ("nonsense", (Action::Pause, "", "unknown-address"), "nobody knows where"),
    ] {
        plugin.world.unset("upstream.address");
        plugin.world.set_state("portcullis_upstream", None);
        assert_eq!(plugin.get("deathstar", "/"), Action::Continue, "before it is chosen");
        assert_eq!(plugin.world.state("portcullis_http"), "allow");
        assert_eq!(
            plugin.world.state("portcullis_upstream"),
            "",
            "that is for the other filter to say"
        );
        assert_eq!(reason(&plugin), "left-to-upstream");

        plugin.world.set("upstream.address", upstream);
        let action = plugin.get("deathstar", "/");
        let seen = (action, &*plugin.world.state("portcullis_upstream"), &*reason(&plugin));
        assert_eq!(seen, want, "{upstream}: {why}");
    }
}

#[test]
fn the_port_is_that_of_the_endpoint_unless_the_listener_says_otherwise() {
    for (port, want) in [(None, "default-deny"), (Some("8080"), "no-http-rule-matches")] {
        let settings = r#""direction":"ingress","destination":"upstream","#;
        let plugin = Plugin::new(&fake::configuration(settings));
        plugin.world.listener("protocol", "http");
        if let Some(port) = port {
            plugin.world.listener("port", port);
        }
        assert_eq!(plugin.connect(XWING, "10.99.0.1:80").1, Action::Continue);
        plugin.world.set("upstream.address", "10.0.0.1:9");
        assert_eq!(plugin.get("deathstar", "/"), Action::Pause);
        assert_eq!(reason(&plugin), want, "{port:?}");
    }
}

#[test]
fn nobody_passes_whose_policy_nobody_can_ask() {
    let plugin = Plugin::new(&fake::configuration(EGRESS));
    plugin.world.listener("protocol", "http");
    assert_eq!(plugin.connect("192.0.2.1:41000", "10.99.0.1:80").1, Action::Pause);
    assert_eq!(reason(&plugin), "unknown-subject");
}

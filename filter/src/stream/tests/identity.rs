//! Who the peer is, where more than its address says so.

use super::*;

const WORKLOAD: &str = include_str!("../../certificate/testdata/workload.pem");
const MANY_NAMES: &str = include_str!("../../certificate/testdata/many_names.pem");
const NO_NAMES: &str = include_str!("../../certificate/testdata/no_names.pem");
/// An address of nobody in the cluster, as behind a load balancer.
const OUTSIDE: &str = "192.0.2.1:41000";

fn plugin(identity: &str) -> Plugin {
    Plugin::new(&fake::configuration(&format!(
        r#""direction":"ingress","identity":{identity},"#
    )))
}

/// What becomes of a connection to the deathstar with its first byte.
fn first_byte(plugin: &Plugin, source: &str) -> (Action, String, String) {
    let (mut filter, action) = plugin.connect(source, DEATHSTAR);
    assert_eq!(action, Action::Continue, "it waits");
    assert_eq!(
        plugin.world.state("portcullis_l4"),
        "pending",
        "which no guard lets pass"
    );
    let action = filter.data(Data::Downstream);
    (
        action,
        plugin.world.state("portcullis_l4"),
        plugin.world.state("portcullis_reason"),
    )
}

#[test]
fn a_verified_certificate_says_who_the_peer_is() {
    let plugin = plugin(r#"{"certificate":"witnessed"}"#);
    for (pem, verified, source, want, why) in [
        (
            WORKLOAD,
            true,
            OUTSIDE,
            allowed("allowed-by-rule"),
            "whatever its address",
        ),
        (WORKLOAD, true, TIE, allowed("allowed-by-rule"), "both agree"),
        (WORKLOAD, true, XWING, denied("contradicting-identity"), "stolen"),
        (WORKLOAD, false, OUTSIDE, denied("default-deny"), "anybody can sign one"),
        (
            WORKLOAD,
            false,
            TIE,
            allowed("allowed-by-rule"),
            "the address says enough",
        ),
        (MANY_NAMES, true, TIE, denied("ambiguous-certificate"), "two SPIFFE ids"),
        (
            MANY_NAMES,
            false,
            TIE,
            allowed("allowed-by-rule"),
            "which nobody looks at",
        ),
        (NO_NAMES, true, TIE, allowed("allowed-by-rule"), "it says nothing"),
        (NO_NAMES, true, OUTSIDE, denied("default-deny"), "it says nothing"),
        ("nonsense", true, TIE, denied("ambiguous-certificate"), "not readable"),
    ] {
        plugin.world.certificate(pem, verified);
        assert_eq!(first_byte(&plugin, source), want, "{source}: {why}");
    }
    plugin.world.certificate(WORKLOAD, true);
    plugin.world.set("connection.mtls", [0]);
    assert_eq!(
        first_byte(&plugin, OUTSIDE),
        denied("default-deny"),
        "none was presented"
    );
}

#[test]
fn the_peer_is_named_in_access_logs() {
    let plugin = plugin(r#"{"certificate":"witnessed"}"#);
    plugin.world.certificate(WORKLOAD, true);
    first_byte(&plugin, OUTSIDE);
    assert_eq!(plugin.world.state("portcullis_peer"), "ns=empire sa=tie");
}

#[test]
fn a_listener_may_promise_or_forbid_what_the_configuration_says() {
    let plugin = plugin(r#"{"certificate":"witnessed"}"#);
    plugin.world.certificate(WORKLOAD, false);
    plugin.world.listener("certificate", "verified");
    assert_eq!(first_byte(&plugin, OUTSIDE), allowed("allowed-by-rule"));
    plugin.world.listener("certificate", "ignored");
    plugin.world.certificate(WORKLOAD, true);
    assert_eq!(outcome(&plugin, OUTSIDE, DEATHSTAR), denied("default-deny"), "at once");
}

#[test]
fn only_trusted_domains_speak_of_the_cluster() {
    for (domains, want) in [
        (r#"["empire.example","cluster.local"]"#, allowed("allowed-by-rule")),
        (r#"["empire.example"]"#, denied("default-deny")),
        ("[]", denied("default-deny")),
    ] {
        let plugin = plugin(&format!(r#"{{"certificate":"witnessed","trustDomains":{domains}}}"#));
        plugin.world.certificate(WORKLOAD, true);
        assert_eq!(first_byte(&plugin, OUTSIDE), want, "{domains}");
    }
}

#[test]
fn native_filters_may_say_who_the_peer_is() {
    let plugin = plugin(r#"{"filterState":"peer.id","proxyProtocolTlv":"spiffe"}"#);
    let filter_state = "filter_state\0peer.id";
    let tlvs = [
        "filter_state\0envoy.network.proxy_protocol.tlv\0spiffe",
        "metadata\0filter_metadata\0envoy.filters.listener.proxy_protocol\0spiffe",
    ];
    for (text, source, want, why) in [
        (
            "spiffe://cluster.local/ns/empire/sa/tie",
            OUTSIDE,
            allowed("allowed-by-rule"),
            "who",
        ),
        ("10.0.0.2", OUTSIDE, allowed("allowed-by-rule"), "where"),
        ("10.0.0.3", OUTSIDE, denied("default-deny"), "somebody else"),
        (
            "namespace=empire,app=tiefighter",
            OUTSIDE,
            allowed("allowed-by-rule"),
            "labels",
        ),
        ("namespace=empire,app=xwing", OUTSIDE, denied("default-deny"), "nobody"),
        (
            "10.0.0.2",
            XWING,
            denied("contradicting-identity"),
            "where, but it is elsewhere",
        ),
        ("nonsense", TIE, denied("unreadable-identity"), "nobody knows what"),
        ("", TIE, allowed("allowed-by-rule"), "nothing"),
    ] {
        for path in tlvs.iter().chain([&filter_state]) {
            let vm = Plugin::new(&fake::configuration(
                r#""direction":"ingress","identity":{"filterState":"peer.id","proxyProtocolTlv":"spiffe"},"#,
            ));
            // A connection begins without filter state; this one is set before the plugin runs.
            vm.world.set("source.address", source);
            vm.world.set("destination.address", DEATHSTAR);
            vm.world.set_path(path, text);
            let action = vm.stream().new_connection();
            let seen = (
                action,
                vm.world.state("portcullis_l4"),
                vm.world.state("portcullis_reason"),
            );
            assert_eq!(seen, want, "{path:?} {text}: {why}");
        }
    }
    drop(plugin);
}

#[test]
fn metadata_of_the_mesh_needs_a_certificate_or_trust() {
    let mesh = "type=POD_NAME,name=tiefighter,namespace=empire,app=tie";
    let foreign = "type=POD_NAME,name=xwing,namespace=rebels";
    for (settings, certificate, metadata, want, why) in [
        ("", true, mesh, allowed("allowed-by-rule"), "both agree"),
        ("", true, foreign, denied("contradicting-identity"), "they do not"),
        ("", false, mesh, denied("default-deny"), "anybody can say so"),
        (
            r#","trustPeerMetadata":true"#,
            false,
            mesh,
            allowed("allowed-by-rule"),
            "the operator says so",
        ),
        (
            r#","trustPeerMetadata":true"#,
            true,
            foreign,
            denied("contradicting-identity"),
            "trusted, and wrong",
        ),
    ] {
        let plugin = plugin(&format!(
            r#"{{"certificate":"witnessed","peerMetadata":"downstream_peer"{settings}}}"#
        ));
        plugin.world.certificate(WORKLOAD, certificate);
        let (mut filter, _) = plugin.connect(OUTSIDE, DEATHSTAR);
        plugin.world.set("filter_state.downstream_peer", metadata);
        let action = filter.data(Data::Downstream);
        let seen = (
            action,
            plugin.world.state("portcullis_l4"),
            plugin.world.state("portcullis_reason"),
        );
        assert_eq!(seen, want, "{metadata}: {why}");
    }
}

#[test]
fn a_certificate_that_names_nobody_agrees_with_nothing() {
    let plugin = plugin(r#"{"certificate":"witnessed","peerMetadata":"downstream_peer","filterState":"zone"}"#);
    plugin.world.certificate(NO_NAMES, true);
    let (mut filter, _) = plugin.connect(OUTSIDE, DEATHSTAR);
    plugin.world.set("filter_state.zone", "namespace=empire");
    let mesh = "type=POD_NAME,name=nobody,namespace=empire";
    plugin.world.set("filter_state.downstream_peer", mesh);
    assert_eq!(
        filter.data(Data::Downstream),
        Action::Continue,
        "the metadata, which names nobody, do not count"
    );
    assert_eq!(plugin.world.state("portcullis_peer"), "ns=empire");
}

#[test]
fn rules_that_require_authentication_want_a_verified_certificate() {
    let element = r#"{"peers":"any","authentication":"required"}"#;
    let configuration = fake::ingress(
        r#""direction":"ingress","identity":{"certificate":"witnessed"},"#,
        &[element],
    );
    let plugin = Plugin::new(&configuration);
    for (verified, want) in [(true, allowed("allowed-by-rule")), (false, denied("not-authenticated"))] {
        plugin.world.certificate(NO_NAMES, verified);
        assert_eq!(first_byte(&plugin, XWING), want, "verified: {verified}");
    }
}

#[test]
fn a_connection_that_waits_gets_the_newest_policy() {
    let settings = r#""direction":"ingress","identity":{"certificate":"witnessed"},"#;
    let plugin = Plugin::new(&fake::without_policies(settings));
    plugin.world.certificate(NO_NAMES, true);
    let (mut filter, _) = plugin.connect(XWING, DEATHSTAR);
    assert!(plugin.configure(fake::configuration(settings)));
    assert_eq!(filter.data(Data::Downstream), Action::Pause);
    assert_eq!(plugin.world.state("portcullis_reason"), "default-deny");

    let (mut filter, _) = plugin.connect(TIE, DEATHSTAR);
    assert!(plugin.configure(fake::configuration(INGRESS)));
    assert_eq!(filter.data(Data::Downstream), Action::Pause);
    assert_eq!(plugin.world.state("portcullis_reason"), "outdated-connection-facts");
}

#[test]
fn a_sidecar_knows_whom_it_serves() {
    let sidecar = |direction: &str, workload: &str| {
        Plugin::new(&fake::configuration(&format!(
            r#""direction":"{direction}","workload":{{{workload}}},"#
        )))
    };
    let deathstar = r#""endpoint":"empire/deathstar""#;
    let inbound = sidecar("ingress", deathstar);
    assert_eq!(outcome(&inbound, TIE, "127.0.0.1:80"), allowed("allowed-by-rule"));
    assert_eq!(outcome(&inbound, XWING, "127.0.0.1:80"), denied("default-deny"));
    let outbound = sidecar("egress", r#""address":"10.0.0.2""#);
    assert_eq!(
        outcome(&outbound, "127.0.0.1:41000", DEATHSTAR),
        allowed("allowed-by-rule")
    );
    assert_eq!(
        outcome(&outbound, "127.0.0.1:41000", "10.0.0.3:80"),
        denied("default-deny")
    );
    let unknown = sidecar("ingress", r#""endpoint":"empire/nobody""#);
    assert_eq!(outcome(&unknown, TIE, DEATHSTAR), denied("unknown-subject"));
    let untold = sidecar("ingress", r#""nodeMetadata":{}"#);
    assert_eq!(outcome(&untold, TIE, DEATHSTAR), denied("unknown-workload"));
    untold.world.set("xds.node.metadata.NAMESPACE", "empire");
    untold.world.set("xds.node.metadata.NAME", "deathstar");
    assert_eq!(outcome(&untold, TIE, DEATHSTAR), allowed("allowed-by-rule"));
}

#[test]
fn the_upstream_of_a_connection_may_be_its_destination() {
    let plugin = Plugin::new(&fake::configuration(
        r#""direction":"egress","destination":"upstream","#,
    ));
    for (upstream, want, why) in [
        (
            Some("10.0.0.1:80"),
            allowed("allowed-by-rule"),
            "the tiefighter may go there",
        ),
        (Some("10.0.0.3:80"), denied("default-deny"), "but not there"),
        (Some("nonsense"), denied("unknown-address"), "nobody knows where"),
        (None, denied("unknown-destination"), "none was chosen"),
    ] {
        plugin.world.unset("upstream.address");
        if let Some(upstream) = upstream {
            plugin.world.set("upstream.address", upstream);
        }
        assert_eq!(first_byte(&plugin, TIE), want, "{why}");
    }
}

use super::*;
use crate::fake::{self, Mood, Plugin, Reply};
use proptest::prelude::*;

mod audit;
mod changes;
mod explain;
mod header_changes;
mod paths;
mod sni;
mod upstream;

const DEATHSTAR: &str = "10.0.0.1:80";
const METRICS: &str = "10.0.0.1:8080";
const TIE: &str = "10.0.0.2:41000";
const XWING: &str = "10.0.0.3:41000";
const INGRESS: &str = r#""direction":"ingress","#;
const EGRESS_BY_NAME: &str = r#""direction":"egress","destination":"authority","#;

/// The test build looks for its own header in every request.
const FAULT_READS: u32 = if cfg!(feature = "fault-injection") { 1 } else { 0 };

/// A plugin whose listener has an HTTP chain, and a connection on it that was left to HTTP.
fn connected(configuration: &str, source: &str, destination: &str) -> Plugin {
    let plugin = Plugin::new(configuration);
    plugin.world.listener("protocol", "http");
    assert_eq!(plugin.connect(source, destination).1, Action::Continue);
    plugin
}

/// Why, in the words of access logs, where a rule that allows is reason enough.
fn reason(plugin: &Plugin) -> String {
    let reason = plugin.world.state("portcullis_reason");
    let by_rule = reason.is_empty() && !plugin.world.state("portcullis_rule").is_empty();
    if by_rule { "allowed-by-rule".into() } else { reason }
}

#[test]
fn rules_decide_on_each_request() {
    let plugin = connected(&fake::configuration(INGRESS), XWING, METRICS);
    for (path, want, why) in [
        ("/metrics", Action::Continue, "the rule"),
        ("/", Action::Pause, "another path"),
        (
            "/metrics",
            Action::Continue,
            "a denial leaves nothing behind on the connection",
        ),
        ("/metrics?a=b", Action::Pause, "the query is part of the path"),
    ] {
        assert_eq!(plugin.get("deathstar", path), want, "{path}: {why}");
        let guard = if want == Action::Continue { "allow" } else { "deny" };
        assert_eq!(plugin.world.state("portcullis_http"), guard, "{path}");
        let verdict = if want == Action::Continue { "" } else { "deny" };
        assert_eq!(
            plugin.world.state("portcullis_verdict"),
            verdict,
            "{path}: the guard's state says it"
        );
        assert!(
            plugin
                .world
                .state("portcullis_rule")
                .starts_with("CiliumNetworkPolicy/empire/deathstar spec"),
            "{path}"
        );
        assert_eq!(
            plugin.world.header_reads.get(),
            FAULT_READS + 1,
            "{path}: headers are fetched once"
        );
    }
    assert_eq!(
        (
            plugin.world.verdicts("ingress", "l7", "allow"),
            plugin.world.verdicts("ingress", "l7", "deny")
        ),
        (2, 2)
    );
}

#[test]
fn a_denial_is_answered() {
    let plugin = connected(&fake::configuration(INGRESS), XWING, METRICS);
    assert_eq!(plugin.get("deathstar", "/secret"), Action::Pause);
    let Reply {
        status,
        details,
        body,
        header,
        grpc_status,
    } = plugin.world.reply.borrow().clone().expect("a reply");
    assert_eq!((status, grpc_status, body), (403, 7, b"Access denied\r\n".to_vec()));
    assert_eq!(header, None, "nobody asked for an explanation");
    assert!(
        details.starts_with("portcullis_denied[CiliumNetworkPolicy/empire/deathstar_spec"),
        "{details}"
    );
    assert!(details.ends_with(']') && !details.contains(' '), "{details}");
    assert_eq!(reason(&plugin), "no-http-rule-matches");
}

#[test]
fn the_rest_of_a_request_passes_only_with_its_headers() {
    let plugin = connected(&fake::configuration(INGRESS), XWING, METRICS);
    let (mut filter, _) = plugin.request(&[(b":method", b"GET"), (b":path", b"/metrics")]);
    assert_eq!(filter.rest_of_request(), Action::Continue);
    let (mut filter, _) = plugin.request(&[(b":method", b"GET"), (b":path", b"/")]);
    assert_eq!(
        filter.rest_of_request(),
        Action::Pause,
        "a body would release the headers that were held back"
    );
    *plugin.world.reply.borrow_mut() = None;
    assert_eq!(
        plugin.stream().rest_of_request(),
        Action::Pause,
        "headers that were never shown"
    );
}

#[test]
fn headers_are_fetched_once_even_if_no_rule_looks_at_them() {
    let plugin = connected(&fake::configuration(INGRESS), TIE, DEATHSTAR);
    assert_eq!(plugin.get("deathstar", "/anything"), Action::Continue);
    assert_eq!(
        (plugin.world.header_reads.get(), reason(&plugin)),
        (FAULT_READS + 1, "allowed-by-rule".into()),
        "the next policy may look at them, and then they are gone"
    );
}

#[test]
fn every_value_of_a_header_counts() {
    let plugin = connected(&fake::configuration(INGRESS), XWING, METRICS);
    let path: (&[u8], &[u8]) = (b":path", b"/exhaust");
    for (headers, want, why) in [
        (
            &[path, (b"x-force", b"true")][..],
            Action::Continue,
            "as the rule wants",
        ),
        (&[path, (b"X-Force", b"true")], Action::Continue, "names have no case"),
        (
            &[path, (b"x-force", b"true"), (b"x-force", b"false")],
            Action::Pause,
            "the second value is seen",
        ),
        (
            &[path, (b"x-force", b"false"), (b"x-force", b"true")],
            Action::Pause,
            "so is the first",
        ),
        (&[path, (b"x-force", b"\xff\xfe")], Action::Pause, "not text"),
        (
            &[path, (b"\xff\xfe", b"x"), (b"x-force", b"true")],
            Action::Continue,
            "a name that is not text",
        ),
        (&[path], Action::Pause, "absent"),
        (&[(b"x-force", b"true")], Action::Pause, "no path, as in CONNECT"),
    ] {
        assert_eq!(plugin.request(headers).1, want, "{why}");
    }
}

#[test]
fn the_source_is_the_peer_of_the_connection_whatever_the_request_says() {
    let plugin = connected(&fake::configuration(r#""direction":"both","#), TIE, DEATHSTAR);
    // What Envoy makes of `X-Forwarded-For`.
    plugin.world.set("source.address", "10.0.0.3:0");
    assert_eq!(plugin.request(&[(b"x-forwarded-for", b"10.0.0.3")]).1, Action::Continue);
}

#[test]
fn without_the_network_filter_there_is_no_verdict() {
    let plugin = connected(&fake::without_policies(INGRESS), TIE, DEATHSTAR);
    assert_eq!(plugin.get("deathstar", "/"), Action::Continue);
    for (value, why) in [
        (None, "absent"),
        (Some(&b"allow"[..]), "of somebody else"),
        (Some(b""), "empty"),
    ] {
        plugin.world.set_state("portcullis_conn", value);
        assert_eq!(plugin.get("deathstar", "/"), Action::Pause, "{why}");
        assert_eq!(
            (reason(&plugin), plugin.world.state("portcullis_http")),
            ("no-connection-facts".into(), "deny".into())
        );
    }
    assert_eq!(plugin.world.verdicts("unknown", "l7", "deny"), 3);
}

#[test]
fn the_authority_is_the_destination_where_envoy_resolves_it() {
    let plugin = connected(&fake::configuration(EGRESS_BY_NAME), TIE, "10.9.9.9:3128");
    for (authority, want, want_reason) in [
        ("cilium.io", Action::Continue, "allowed-by-rule"),
        ("CILIUM.io:80", Action::Continue, "allowed-by-rule"),
        ("cilium.io:443", Action::Pause, "default-deny"),
        ("google.com", Action::Pause, "default-deny"),
        ("xcilium.io", Action::Pause, "default-deny"),
        ("10.0.0.1:9", Action::Continue, "allowed-by-rule"),
        ("10.0.0.3:80", Action::Pause, "default-deny"),
        ("192.0.2.1", Action::Pause, "default-deny"),
        ("cilium.io,google.com", Action::Pause, "bad-authority"),
        ("cilium.io@google.com", Action::Pause, "bad-authority"),
        ("", Action::Pause, "bad-authority"),
    ] {
        assert_eq!(plugin.get(authority, "/"), want, "{authority}");
        assert_eq!(reason(&plugin), want_reason, "{authority}");
        assert_eq!(plugin.world.header_reads.get(), FAULT_READS + 1);
    }
    assert_eq!(plugin.request(&[(b":method", b"GET")]).1, Action::Pause, "no authority");
    plugin.world.listener("port", "443");
    assert_eq!(plugin.connect(TIE, "10.9.9.9:3128").1, Action::Continue);
    assert_eq!(
        plugin.get("cilium.io", "/"),
        Action::Pause,
        "the listener says where an authority without port goes"
    );
    assert_eq!(plugin.get("cilium.io:80", "/"), Action::Continue);
}

#[test]
fn a_host_that_fails_denies() {
    let plugin = connected(&fake::configuration(INGRESS), XWING, METRICS);
    for mood in [Mood::Absent, Mood::Failing, Mood::Panicking] {
        plugin.world.mood.set(mood);
        plugin.world.closed.borrow_mut().clear();
        let (mut filter, action) = plugin.request(&[(b":method", b"GET"), (b":path", b"/metrics")]);
        assert_eq!(
            (action, filter.rest_of_request()),
            (Action::Pause, Action::Pause),
            "{mood:?}"
        );
        assert_eq!(
            *plugin.world.closed.borrow(),
            [Stream::HttpRequest],
            "{mood:?}: no reply, so a reset"
        );
    }
    assert_eq!(plugin.world.metric("portcullis_panics_total"), 1);
    plugin.world.mood.set(Mood::Helpful);
    assert_eq!(
        plugin.get("deathstar", "/metrics"),
        Action::Continue,
        "and the VM works on"
    );

    plugin.request(&[(b":path", b"/metrics")]);
    *plugin.world.headers.borrow_mut() = vec![0xff; 9];
    *plugin.world.reply.borrow_mut() = None;
    assert_eq!(plugin.stream().request_headers(), Action::Pause, "a damaged header map");
    assert_eq!(reason(&plugin), "no-headers");
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_panic_on_demand_is_a_denial() {
    let plugin = connected(&fake::without_policies(INGRESS), TIE, DEATHSTAR);
    assert_eq!(plugin.request(&[(b"x-portcullis-fault", b"panic")]).1, Action::Pause);
    assert_eq!(
        (reason(&plugin), plugin.world.metric("portcullis_panics_total")),
        ("internal-error".into(), 1)
    );
    assert_eq!(plugin.get("deathstar", "/"), Action::Continue, "and the VM works on");
}

proptest! {
    #[test]
    fn whatever_a_client_sends_has_a_verdict(pairs: Vec<(Vec<u8>, Vec<u8>)>, authority: Vec<u8>, path: Vec<u8>) {
        for (configuration, source, destination) in
            [(fake::configuration(INGRESS), XWING, METRICS), (fake::configuration(EGRESS_BY_NAME), TIE, METRICS)]
        {
            let plugin = connected(&configuration, source, destination);
            let mut headers: Vec<(&[u8], &[u8])> = vec![(b":authority", &authority), (b":path", &path)];
            headers.extend(pairs.iter().map(|(name, value)| (&name[..], &value[..])));
            prop_assert_eq!(plugin.request(&headers).1, Action::Pause, "nonsense is no reason to allow");
            prop_assert_eq!(plugin.world.metric("portcullis_panics_total"), 0);
        }
    }
}

#[test]
fn an_allowed_request_writes_what_says_all() {
    const STATES: [&str; 3] = ["portcullis_verdict", "portcullis_reason", "portcullis_rule"];
    let rule = "CiliumNetworkPolicy/empire/deathstar spec.ingress[1].toPorts[0].rules.http[0]";
    for (configuration, want, why) in [
        (fake::configuration(INGRESS), ["", "", rule], "a rule is reason enough"),
        (
            fake::without_policies(INGRESS),
            ["", "not-isolated", ""],
            "without a rule there is a reason",
        ),
    ] {
        let plugin = connected(&configuration, XWING, METRICS);
        assert_eq!(plugin.get("deathstar", "/metrics"), Action::Continue);
        assert_eq!(STATES.map(|state| plugin.world.state(state)), want, "{why}");
    }
    let plugin = connected(&fake::without_policies(INGRESS), XWING, METRICS);
    let (mut open, _) = plugin.request(&[(b":method", b"GET"), (b":path", b"/secrets")]);
    assert!(plugin.configure(fake::configuration(INGRESS)));
    open.judge_again();
    let want = ["deny", "no-http-rule-matches"];
    assert_eq!(
        STATES.map(|state| plugin.world.state(state))[..2],
        want,
        "a denial writes all"
    );
}

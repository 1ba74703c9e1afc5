use super::*;
use crate::fake::{self, Plugin};
use crate::host::Action;

const INGRESS: &str = r#""direction":"ingress","#;

fn shown(plugin: &Plugin) -> (String, String) {
    (
        plugin.world.state("portcullis_source"),
        plugin.world.state("portcullis_destination"),
    )
}

#[test]
fn a_connection_shows_who_is_at_its_ends() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    for (source, destination, want, why) in [
        (
            "10.0.0.2:41000",
            "10.0.0.1:80",
            ("empire/tiefighter", "empire/deathstar"),
            "endpoints by name",
        ),
        (
            "10.0.0.3:41000",
            "10.0.0.1:80",
            ("rebels/xwing", "empire/deathstar"),
            "also if it is denied",
        ),
        (
            "192.0.2.1:41000",
            "10.0.0.1:80",
            ("reserved:world-ipv4", "empire/deathstar"),
            "from outside",
        ),
        (
            "[2001:db8::1]:41000",
            "10.0.0.1:80",
            ("reserved:world-ipv6", "empire/deathstar"),
            "the same of IPv6",
        ),
        ("nonsense", "10.0.0.1:80", ("", ""), "nothing was asked"),
    ] {
        plugin.connect(source, destination);
        assert_eq!(
            shown(&plugin),
            (want.0.to_owned(), want.1.to_owned()),
            "{source}: {why}"
        );
    }
    plugin.world.unset("source.address");
    let mut filter = plugin.stream();
    filter.new_connection();
    assert_eq!(shown(&plugin).0, "unknown", "the host says that there is no source");
}

#[test]
fn a_known_prefix_is_the_name_of_an_address_outside() {
    let element = r#"{"peers":{"oneOf":[{"cidr":{"prefix":"192.0.2.0/24"}}]}}"#;
    let plugin = Plugin::new(&fake::ingress(INGRESS, &[element]));
    plugin.connect("192.0.2.1:41000", "10.0.0.1:80");
    assert_eq!(shown(&plugin).0, "cidr:192.0.2.0/24,reserved:world-ipv4");
}

#[test]
fn a_claim_speaks_where_no_endpoint_has_the_address() {
    let settings = r#""direction":"ingress","identity":{"filterState":"who"},"#;
    let plugin = Plugin::new(&fake::configuration(settings));
    for (source, said, want, why) in [
        (
            "192.0.2.1:1",
            "namespace=empire,serviceaccount=tie",
            "ns=empire sa=tie",
            "its words",
        ),
        ("192.0.2.1:1", "namespace=empire,pod=tie-7", "empire/tie-7", "a pod"),
        (
            "192.0.2.1:1",
            "10.0.0.2",
            "empire/tiefighter",
            "the endpoint of that address",
        ),
        (
            "10.0.0.2:1",
            "namespace=empire",
            "empire/tiefighter",
            "the endpoint that it fits",
        ),
    ] {
        plugin.connect(source, "10.0.0.1:80");
        plugin.world.set("filter_state.who", said);
        plugin.stream().new_connection();
        assert_eq!(shown(&plugin).0, want, "{source}, {said}: {why}");
    }
}

#[test]
fn a_request_shows_a_destination_that_only_it_knows() {
    let plugin = Plugin::new(&fake::configuration(
        r#""direction":"egress","destination":"authority","#,
    ));
    plugin.world.listener("protocol", "http");
    assert_eq!(plugin.connect("10.0.0.2:41000", "10.9.9.9:3128").1, Action::Continue);
    assert_eq!(
        shown(&plugin),
        ("empire/tiefighter".into(), String::new()),
        "the connection does not know it"
    );
    for (authority, want) in [
        ("cilium.io", "cilium.io"),
        ("10.0.0.1:80", "empire/deathstar"),
        ("evil.example:8080", "evil.example"),
    ] {
        plugin.get(authority, "/");
        assert_eq!(shown(&plugin).1, want, "{authority}");
    }
}

#[test]
fn a_workload_is_an_end_whatever_the_addresses_say() {
    for (direction, want) in [
        ("ingress", ("rebels/xwing", "empire/deathstar")),
        ("egress", ("empire/deathstar", "reserved:world-ipv4")),
    ] {
        for workload in [r#"{"endpoint":"empire/deathstar"}"#, r#"{"address":"10.0.0.1"}"#] {
            let settings = format!(r#""direction":"{direction}","workload":{workload},"#);
            let plugin = Plugin::new(&fake::without_policies(&settings));
            plugin.connect("10.0.0.3:41000", "127.0.0.1:80");
            assert_eq!(
                shown(&plugin),
                (want.0.into(), want.1.into()),
                "{direction}, {workload}"
            );
        }
    }
}

#[test]
fn words_are_bounded() {
    let name = "é".repeat(MAX_WORDS);
    let who = Who {
        name: Some(name.as_bytes()),
        ..Who::default()
    };
    assert_eq!(who.words(), "é".repeat(MAX_WORDS / 2));
}

//! What is readable where.

use std::collections::BTreeMap;

use wasm_host::{Certificate, ConnectMode, Connection, ListenerDirection, MetadataValue, Node, Request, Vm, VmConfig};

use crate::support::{connection, said, vm, vm_with};

/// What the fixture `property` saw, by callback: a status other than Ok, or the value.
fn probe(path: &str, connection: Connection, request: Request) -> BTreeMap<String, String> {
    let node = Node {
        id: "node-1".to_owned(),
        metadata: [("LABELS".to_owned(), MetadataValue::from([("app", "web")]))].into(),
        ..Node::default()
    };
    let vm = vm_with(
        "property",
        VmConfig {
            node,
            ..VmConfig::default()
        },
        &path.replace('/', "\0"),
    );
    drive(&vm, connection, request);
    let mut seen = BTreeMap::new();
    let mut lines = said(&vm).into_iter().peekable();
    while let Some(mut callback) = lines.next() {
        if callback == "create" && seen.contains_key("data") {
            callback = "create http".to_owned();
        }
        if callback == "log" && !seen.contains_key("request") {
            callback = "log tcp".to_owned();
        }
        let status = lines.next().expect("a status after each callback");
        let value = if status == "00" {
            lines.next().expect("a value after Ok")
        } else {
            status
        };
        seen.entry(callback).or_insert(value);
    }
    seen
}

fn drive(vm: &Vm, connection: Connection, request: Request) {
    let mut tcp = vm.tcp(connection);
    tcp.new_connection();
    tcp.downstream_data(b"x", false);
    let mut http = tcp.http(request);
    assert!(http.response(200, &[("x-b", "1")], b"").is_continue());
    http.finish();
}

const NOT_FOUND: &str = "01";
const NO_WIRE_FORM: &str = "03";

fn full_connection() -> Connection {
    let peer = Certificate {
        uri_sans: vec!["spiffe://one".to_owned(), "spiffe://two".to_owned()],
        subject: "O=org,CN=c2".to_owned(),
        ..Certificate::default()
    };
    connection()
        .id(258)
        .direction(ListenerDirection::Inbound)
        .listener_metadata("portcullis", "direction", "ingress")
        .dynamic_metadata("tlvs", "e4", "value")
        .metadata_of_data("rbac", "result", "allowed")
        .filter_state("native.key", b"bytes")
        .filter_state_field("tlv", "e4", b"raw")
        .upstream("reviews", "10.0.0.9:80".parse().expect("an address"))
        .sni("db.internal")
        .mtls(peer)
}

/// Per row: the path, the value, and what each callback sees: `=` that value, `-` NotFound, `!` no wire
/// form, `0` a zero byte, `_` nothing. The callbacks are: on_configure, a new connection, data, a new
/// HTTP context, request headers, response headers.
#[test]
fn each_property_is_there_when_envoy_has_it() {
    let number = |number: u64| String::from_utf8_lossy(&number.to_le_bytes()).into_owned();
    let (one, id) = (number(1), number(258));
    let rows = [
        ("plugin_root_id", "portcullis", "======"),
        ("xds/node/id", "node-1", "======"),
        ("xds/node/metadata/LABELS/app", "web", "======"),
        ("node/id", "", "------"),
        ("listener_direction", "", "------"),
        ("xds/listener_direction", &one, "-====="),
        (
            "xds/listener_metadata/filter_metadata/portcullis/direction",
            "ingress",
            "-=====",
        ),
        ("xds/listener_metadata/filter_metadata/portcullis/port", "", "------"),
        ("xds/cluster_name", "reviews", "--===="),
        ("source/address", "10.0.0.1:40000", "-====="),
        ("source", "", "-!!!!!"),
        ("destination/address", "10.0.0.2:8080", "-====="),
        ("connection/id", &id, "-====="),
        ("connection_id", &id, "-====="),
        ("connection/mtls", "\u{1}", "-0===="),
        ("connection/requested_server_name", "db.internal", "-====="),
        ("connection/uri_san_peer_certificate", "spiffe://one", "--===="),
        ("connection/dns_san_peer_certificate", "", "------"),
        ("connection/subject_peer_certificate", "O=org,CN=c2", "-_===="),
        // The fixture reads it before the handshake, and so spoils it for good.
        ("connection/tls_version", "TLSv1.2", "-====="),
        ("upstream/address", "10.0.0.9:80", "--=--="),
        ("request/protocol", "HTTP/1.1", "---==="),
        ("request/path", "/a?b=c", "----=-"),
        ("request/url_path", "/a", "----=-"),
        ("request/query", "b=c", "----=-"),
        ("request/host", "reviews", "----=-"),
        ("request/headers/x-a", "1,2", "----=-"),
        ("request/useragent", "", "------"),
        ("response/headers/x-b", "1", "-----="),
        ("response/code_details", "via_upstream", "-----="),
        ("metadata/filter_metadata/tlvs/e4", "value", "-==---"),
        ("metadata/filter_metadata/rbac/result", "allowed", "--=---"),
        ("metadata/filter_metadata/jwt/sub", "me", "---==="),
        ("filter_state/native.key", "bytes", "-====="),
        ("filter_state/tlv/e4", "raw", "-====="),
        ("filter_state/tlv", "\0\0\0\0", "-====="),
        ("native.key", "", "------"),
        ("nonsense", "", "------"),
        ("", "", "!!!!!!"),
    ];
    let request = Request::get("reviews", "/a?b=c").header("X-A", "1").header("x-a", "2");
    let request = request.dynamic_metadata("jwt", "sub", "me");
    let callbacks = ["configure", "connection", "data", "create http", "request", "response"];
    for (path, value, seen_in) in rows {
        let seen = probe(path, full_connection(), request.clone());
        for (callback, mark) in callbacks.into_iter().zip(seen_in.chars()) {
            let expected = match mark {
                '=' => value,
                '-' => NOT_FOUND,
                '!' => NO_WIRE_FORM,
                '0' => "\0",
                _ => "",
            };
            assert_eq!(
                seen.get(callback).map(String::as_str),
                Some(expected),
                "{path} in {callback}"
            );
        }
    }
}

#[test]
fn the_access_log_sees_the_request_again() {
    let vm = vm("property", "request\0path");
    let mut http = vm.http(connection(), Request::get("a", "/x"));
    assert!(http.response(200, &[], b"").is_continue());
    let _ = said(&vm);
    http.log();
    assert_eq!(said(&vm), ["log", "00", "/x"]);
}

#[test]
fn without_tls_there_is_no_peer_and_without_inspector_no_early_name() {
    let rows: &[(&str, &str, Connection, &str, &str)] = &[
        (
            "plain TCP has no version",
            "connection/tls_version",
            connection(),
            NOT_FOUND,
            NOT_FOUND,
        ),
        (
            "nor a subject",
            "connection/subject_peer_certificate",
            connection(),
            NOT_FOUND,
            NOT_FOUND,
        ),
        ("but knows it is not mTLS", "connection/mtls", connection(), "\0", "\0"),
        (
            "a client without certificate",
            "connection/mtls",
            connection().tls(),
            "\0",
            "\0",
        ),
        (
            "no name at all",
            "connection/requested_server_name",
            connection(),
            "",
            "",
        ),
        (
            "the name comes with the handshake",
            "connection/requested_server_name",
            connection().sni("a").tls().without_tls_inspector(),
            "",
            "a",
        ),
        (
            "or never, if TLS passes through",
            "connection/requested_server_name",
            connection().sni("a").without_tls_inspector(),
            "",
            "",
        ),
    ];
    for (why, path, connection, at_once, with_data) in rows {
        let seen = probe(path, connection.clone(), Request::get("a", "/"));
        assert_eq!(
            (seen["connection"].as_str(), seen["data"].as_str()),
            (*at_once, *with_data),
            "{why}"
        );
    }
}

#[test]
fn the_source_of_a_request_can_be_forged() {
    let forged = Request::get("a", "/").header("x-forwarded-for", "10.9.9.9, 10.8.8.8");
    let v6 = Request::get("a", "/").header("x-forwarded-for", "2001:db8::1");
    let nonsense = Request::get("a", "/").header("x-forwarded-for", "10.9.9.9, unknown");
    let rows = [
        (
            "the last entry wins, with port 0",
            connection(),
            forged.clone(),
            "10.8.8.8:0",
        ),
        ("IPv6 has brackets", connection(), v6, "[2001:db8::1]:0"),
        (
            "an entry that is no address does not",
            connection(),
            nonsense,
            "10.0.0.1:40000",
        ),
        (
            "nor does any with use_remote_address",
            connection().use_remote_address(),
            forged,
            "10.0.0.1:40000",
        ),
    ];
    for (why, connection, request, expected) in rows {
        let seen = probe("source/address", connection, request);
        assert_eq!(seen["request"], expected, "{why}");
        assert_eq!(
            seen["data"], "10.0.0.1:40000",
            "{why}: the network filter is not fooled"
        );
    }
}

#[test]
fn an_upstream_is_known_when_the_proxy_has_chosen_it() {
    let chosen = || connection().upstream("reviews", "10.0.0.9:80".parse().expect("an address"));
    let rows = [
        (ConnectMode::Immediate, "10.0.0.9:80", "connected before the data came"),
        (ConnectMode::OnTlsHandshake, "10.0.0.9:80", "the same"),
        (
            ConnectMode::OnDownstreamData,
            NOT_FOUND,
            "this very data decides whether to connect",
        ),
    ];
    for (mode, expected, why) in rows {
        let seen = probe("upstream/address", chosen().connect_mode(mode), Request::get("a", "/"));
        assert_eq!(
            (seen["connection"].as_str(), seen["data"].as_str()),
            (NOT_FOUND, expected),
            "{why}"
        );
    }
    // The second data finds it in any mode.
    let vm = vm("property", "upstream\0address");
    let mut tcp = vm.tcp(chosen().connect_mode(ConnectMode::OnDownstreamData));
    tcp.new_connection();
    for expected in [NOT_FOUND, "10.0.0.9:80"] {
        let _ = said(&vm);
        tcp.downstream_data(b"x", false);
        assert_eq!(said(&vm).last().map(String::as_str), Some(expected));
    }
}

#[test]
fn a_witness_of_the_clients_data_says_nothing_before_it() {
    let vm = vm("property_upstream", "metadata\0filter_metadata\0rbac\0result");
    let mut tcp = vm.tcp(connection().metadata_of_data("rbac", "result", "allowed"));
    tcp.new_connection();
    tcp.upstream_data(b"greeting", false);
    assert_eq!(said(&vm), [NOT_FOUND], "the server speaks first");
    tcp.downstream_data(b"x", false);
    tcp.upstream_data(b"answer", false);
    assert_eq!(said(&vm), ["00", "allowed"]);
}

#[test]
fn connect_has_no_path() {
    let seen = probe(
        "request/path",
        connection(),
        Request::new("CONNECT", "evil.com:443", ""),
    );
    assert_eq!(seen["request"], NOT_FOUND);
}

#[test]
fn an_upstream_filter_knows_its_endpoint_before_the_request_goes() {
    let request = Request::get("a", "/").at_upstream("10.0.0.9:80".parse().expect("an address"));
    let seen = probe("upstream/port", connection(), request);
    assert_eq!(seen["request"].as_bytes(), 80u64.to_le_bytes());
}

#[test]
fn filter_state_flows_from_connections_to_requests_and_not_back() {
    let vm = vm_with("filter_state", VmConfig::default(), "");
    assert_eq!(said(&vm), ["01"], "a root context has no filter state");
    let mut tcp = vm.tcp(connection());
    tcp.new_connection();
    assert_eq!(tcp.filter_state("wasm.conn").as_deref(), Some(&b"tcp-value"[..]));

    let http = tcp.http(Request::get("a", "/"));
    assert_eq!(said(&vm), ["00", "00", "tcp-value", "00", "00"]);
    assert_eq!(http.filter_state("wasm.http").as_deref(), Some(&b"http-value"[..]));
    assert_eq!(tcp.filter_state("wasm.http"), None, "a new key stays with the request");
    let shared = tcp.filter_state("wasm.conn");
    assert_eq!(
        shared.as_deref(),
        Some(&b"http-value"[..]),
        "a key of the connection is written there"
    );

    let second = tcp.http(Request::get("a", "/"));
    assert_eq!(second.filter_state("wasm.conn").as_deref(), Some(&b"http-value"[..]));
    let alone = vm.http(connection(), Request::get("a", "/"));
    assert_eq!(alone.filter_state("wasm.conn").as_deref(), Some(&b"http-value"[..]));
    drop((http, second, alone, tcp));
    assert_eq!(vm.live_contexts(), 1);
}

//! The JSON form of a bundle: round trip, strictness, digest.

use crate::world::*;
use policy_core::{
    Bundle, BundleError, Engine, IcmpFamily,
    bundle::{PeerPattern, PortNumbers, PortPattern, ReservedEntity, Rule},
};

fn rich() -> Bundle {
    let named = PortPattern::Port {
        protocol: policy_core::Protocol::Udp,
        numbers: PortNumbers::Named {
            name: "dns".into(),
            end: None,
        },
    };
    let icmp = PortPattern::Icmp {
        family: IcmpFamily::V6,
        message_type: Some(128),
    };
    let http = from([db()]).http(tcp(80, 90), &[("GET", "/a"), ("POST", "/b")]);
    let outside = from([
        cidr("10.0.0.0/8", &["10.96.0.0/12"]),
        PeerPattern::Entity(ReservedEntity::KubeApiserver),
    ]);
    world([Rule {
        egress_deny: vec![outside.on([named, icmp])],
        ..ingress([http, anyone()])
    }])
}

#[test]
fn a_bundle_survives_the_round_trip_and_repeats_its_bytes() {
    let bytes = rich().to_json();
    let read = Bundle::from_json(&bytes).expect("our own bytes");
    assert_eq!(read.to_json(), bytes);
    assert_eq!(read.digest.as_deref(), Some(rich().content_digest().as_str()));
    let line = [b"\n", &*bytes, b"\r\n"].concat();
    let line = Bundle::from_json(&line).expect("blanks around it are not part of it");
    assert_eq!(line.digest, read.digest);
    let unsealed = String::from_utf8(bytes).expect("JSON").replacen(
        &format!("\"digest\":\"{}\",", rich().content_digest()),
        "",
        1,
    );
    let unsealed = Bundle::from_json(unsealed.as_bytes()).expect("a bundle without a digest");
    assert_eq!(unsealed.digest, read.digest, "the digest is that of the bytes");
    assert_eq!(Engine::new(read).expect("engine").digest(), rich().content_digest());
}

#[test]
fn a_bundle_is_strict() {
    let json = String::from_utf8(rich().to_json()).expect("JSON");
    for (from, to, why) in [
        ("\"version\":1", "\"version\":2", "another version"),
        ("\"version\":1", "\"version\":1,\"tier\":3", "an unknown field"),
        ("\"kube-apiserver\"", "\"kube-apiservers\"", "an unknown entity"),
        (
            "10.96.0.0/12",
            "10.96.0.0/11",
            "a changed prefix does not have the digest",
        ),
        ("\"oneOf\":", "\"someOf\":", "an unknown variant"),
    ] {
        let changed = json.replace(from, to);
        if changed == json {
            assert!(!json.contains(from), "{why}");
            continue;
        }
        assert!(Bundle::from_json(changed.as_bytes()).is_err(), "{why}");
    }
    let spaced = json.replace("\"version\":1", "\"version\": 1");
    let error = Bundle::from_json(spaced.as_bytes()).expect_err("reformatted");
    assert!(matches!(error, BundleError::Digest { .. }), "{error}");
    let error = Bundle::from_json(b"{\"version\": 1, \"policies\": 5}").expect_err("wrong type");
    assert!(
        matches!(&error, BundleError::Json { reason } if reason.contains("line 1 column")),
        "{error}"
    );
}

#[test]
fn a_bundle_without_a_digest_is_taken_as_it_is() {
    let engine = Engine::new(Bundle::from_json(b"{\"version\": 1}").expect("empty")).expect("engine");
    assert!(allows(&to_web(&engine, DB, 80)) || engine.endpoint("shop/web").is_none());
    assert!(engine.digest().starts_with("sha256:"));
}

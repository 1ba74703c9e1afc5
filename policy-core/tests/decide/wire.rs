//! The JSON form of a bundle: round trip, strictness, digest.

use crate::world::*;
use policy_core::{
    Bundle, BundleError, Engine, IcmpFamily, Reason,
    bundle::{
        Authentication, CidrGroup, DnsRule, Element, ExpectedHeader, HeaderMatch, HttpRule, KafkaRule, L7Rules,
        Listener, MismatchAction, PeerPattern, PortNumbers, PortPattern, PortRule, ReservedEntity, Rule,
    },
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
    let inside = |settings| with(from([db()]), tcp(443, 443), settings);
    let header = HeaderMatch {
        name: "x-key".into(),
        expected: ExpectedHeader::Value("v".into()),
        mismatch: Some(MismatchAction::Replace),
        secret: true,
    };
    let changing = HttpRule {
        header_matches: vec![header],
        ..HttpRule::default()
    };
    let everywhere = PeerPattern::Address {
        prefix: "10.0.0.0/8".parse().expect("prefix"),
        except: Vec::new(),
    };
    let grouped = PeerPattern::External {
        selector: SEL_DB,
        except: vec!["10.0.0.0/8".parse().expect("prefix")],
    };
    let proven = Element {
        authentication: Some(Authentication::TestAlwaysFail),
        ..from([everywhere, grouped])
    };
    let names = PortRule {
        terminating_tls: Some("secret".into()),
        originating_tls: Some("other".into()),
        ..server_names(&["*.a.com"])
    };
    let redirected = PortRule {
        listener: Some(Listener {
            name: "l".into(),
            priority: Some(7),
        }),
        ..PortRule::default()
    };
    let kafka = KafkaRule {
        api_keys: vec![0, 3],
        api_version: Some(2),
        client_id: Some("me".into()),
        topic: Some("t".into()),
    };
    let mut bundle = world([Rule {
        egress_deny: vec![outside.on([named, icmp])],
        egress: vec![
            inside(rules(L7Rules::Dns(vec![DnsRule::MatchName("a.com".into())]))),
            inside(rules(L7Rules::Kafka(vec![kafka]))),
            inside(rules(L7Rules::Http(vec![changing]))),
            inside(names),
            inside(redirected),
            proven,
        ],
        ..ingress([http, anyone()])
    }]);
    bundle.groups = vec![CidrGroup {
        labels: ["cidrgroup:a=b".parse().expect("label")].into_iter().collect(),
        prefixes: vec!["192.0.2.0/24".parse().expect("prefix")],
    }];
    bundle
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
    let bare = Bundle::from_json(unsealed().as_bytes()).expect("a bundle without a digest");
    assert_eq!(bare.digest, read.digest, "the digest is that of the bytes");
    assert_eq!(Engine::new(read).expect("engine").digest(), rich().content_digest());
}

/// The JSON text without the digest, so that nothing but the reading refuses it.
fn unsealed() -> String {
    let sealed = String::from_utf8(rich().to_json()).expect("JSON");
    let bare = sealed.replacen(&format!("\"digest\":\"{}\",", rich().content_digest()), "", 1);
    assert_ne!(bare, sealed);
    bare
}

#[test]
fn a_bundle_is_strict() {
    let json = unsealed();
    assert!(Bundle::from_json(json.as_bytes()).is_ok());
    for (from, to, why) in [
        ("\"version\":1", "\"version\":1,\"tier\":3", "an unknown field"),
        ("\"kube-apiserver\"", "\"kube-apiservers\"", "an unknown entity"),
        ("10.96.0.0/12", "10.96.0.0/33", "no such prefix"),
        ("\"oneOf\":", "\"someOf\":", "an unknown variant"),
    ] {
        let changed = json.replace(from, to);
        assert_ne!(changed, json, "nothing to change: {why}");
        let error = Bundle::from_json(changed.as_bytes()).expect_err(why);
        assert!(matches!(error, BundleError::Json { .. }), "{why}: {error}");
    }
    let newer = json.replace("\"version\":1", "\"version\":2");
    assert_eq!(
        Bundle::from_json(newer.as_bytes()),
        Err(BundleError::Version { found: 2 })
    );
}

#[test]
fn a_digest_is_that_of_the_bytes() {
    let json = String::from_utf8(rich().to_json()).expect("JSON");
    let changed = json.replace("10.96.0.0/12", "10.96.0.0/11");
    let error = Bundle::from_json(changed.as_bytes()).expect_err("another prefix");
    assert!(matches!(error, BundleError::Digest { .. }), "{error}");
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
    assert_eq!(engine.endpoint("shop/web"), None);
    assert_eq!(to_web(&engine, DB, 80).verdict().reason, Reason::UnknownSubject);
    assert!(engine.digest().starts_with("sha256:"));
}

use super::*;
use crate::fake::{self, FakeHost, Plugin, World};
use crate::report::Refusal;
use std::rc::Rc;

const INGRESS: &str = r#""direction":"ingress","#;

#[test]
fn verdicts_are_counted_by_what_decided() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    let policy = "CiliumNetworkPolicy/empire/deathstar";
    for (source, destination, verdict, decided_by) in [
        ("10.0.0.2:41000", "10.0.0.1:80", "allow", policy),
        ("10.0.0.3:41000", "10.0.0.1:80", "deny", "default-deny"),
        ("10.0.0.2:41000", "10.0.0.3:80", "allow", "not-isolated"),
        ("10.0.0.2:41000", "192.0.2.1:80", "deny", "unknown-subject"),
    ] {
        plugin.connect(source, destination);
        plugin.connect(source, destination);
        let name = format!("portcullis_requests_total.dir.ingress.layer.l4.verdict.{verdict}.policy.{decided_by}");
        assert_eq!(plugin.world.metric(&name), 2, "{name}");
    }
    plugin.connect("nonsense", "10.0.0.1:80");
    let name = "portcullis_requests_total.dir.unknown.layer.l4.verdict.deny.policy.unknown-address";
    assert_eq!(plugin.world.metric(name), 1);
}

#[test]
fn so_many_policies_are_told_apart_and_no_more() {
    let mut policies = Policies::default();
    for n in 0..MAX_POLICIES {
        let name = format!("p{n}");
        assert_eq!(policies.of(&name).0, name);
    }
    assert_eq!(policies.of("one more").0, OTHER);
    assert_eq!(policies.of("and another").0, OTHER);
    assert_eq!(policies.of("p0").0, "p0", "what has counters keeps them");
    assert_eq!(policies.0.len(), MAX_POLICIES + 1);
    assert!(
        policies.0.is_sorted_by_key(|(name, _)| name.clone()),
        "or nobody finds them"
    );
}

#[test]
fn the_name_of_a_policy_is_one_plain_segment() {
    for (policy, want, why) in [
        (
            "CiliumNetworkPolicy/a/b.c-d_e",
            "CiliumNetworkPolicy/a/b.c-d_e",
            "names have dots",
        ),
        ("a b\nc;d=é", "a_b_c_d__", "anything else could end a line or a name"),
    ] {
        assert_eq!(segment(policy), want, "{why}");
    }
    assert_eq!(segment(&"a".repeat(MAX_SEGMENT + 1)).len(), MAX_SEGMENT);
}

#[test]
fn a_digest_is_a_number_that_a_double_holds() {
    for (digest, want, why) in [
        (&*format!("sha256:{}", "f".repeat(64)), Some((1 << 52) - 1), "52 bits"),
        (
            &*format!("sha256:{:0<64}", "0000000000001f"),
            Some(1),
            "the first 13 digits",
        ),
        ("sha256:ffff", None, "too short"),
        ("", None, "none"),
    ] {
        assert_eq!(number_of(digest), want, "{why}");
    }
}

#[test]
fn the_policy_in_force_is_shown() {
    let plugin = Plugin::unconfigured();
    plugin.world.time.set(1_700_000_000_999_999_999);
    assert!(plugin.configure(fake::configuration(INGRESS)));
    for (name, want) in [
        ("portcullis_bundle_generation", 1),
        ("portcullis_bundle_timestamp_seconds", 1_700_000_000),
        ("portcullis_rules", 2),
        ("portcullis_endpoints", 3),
    ] {
        assert_eq!(plugin.world.metric(name), want, "{name}");
    }
    let digest = plugin.world.metric("portcullis_bundle_digest");
    assert!(digest != 0 && digest < 1 << 52, "{digest}");
    plugin.world.time.set(0);
    assert!(plugin.configure(fake::without_policies(INGRESS)));
    assert_ne!(
        plugin.world.metric("portcullis_bundle_digest"),
        digest,
        "another policy"
    );
    assert_eq!(
        plugin.world.metric("portcullis_bundle_timestamp_seconds"),
        1_700_000_000,
        "a host without a clock"
    );
}

#[test]
fn repeated_verdicts_ask_for_no_new_counter() {
    let host = FakeHost(Rc::new(World::default()));
    let metrics = Metrics::default();
    let outcome = Outcome::from(Refusal::NoPolicy);
    for _ in 0..3 {
        metrics.count_verdict(&host, None, Layer::L7, &outcome);
    }
    let name = "portcullis_requests_total.dir.unknown.layer.l7.verdict.deny.policy.no-policy";
    assert_eq!(host.0.metric(name), 3, "a second one of the name would hide the first");
}

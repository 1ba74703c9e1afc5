use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;

mod spiffe;
mod text;

fn domains() -> Vec<String> {
    vec!["cluster.local".to_owned(), "empire.example".to_owned()]
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn workload(namespace: &str, service_account: &str) -> Claim {
    Claim {
        namespace: some(namespace),
        service_account: some(service_account),
        ..Claim::default()
    }
}

fn label(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn claims_about_one_peer_must_agree() {
    let read = |text: &str| Claim::from_text(text.as_bytes(), &domains()).expect(text);
    for (one, other, want, why) in [
        (
            "namespace=empire",
            "serviceaccount=tie",
            Some("namespace=empire,serviceaccount=tie"),
            "each says something else",
        ),
        (
            "namespace=empire,serviceaccount=tie",
            "namespace=empire,pod=tie-7,app=x",
            Some("namespace=empire,serviceaccount=tie,pod=tie-7,app=x"),
            "they agree on one",
        ),
        (
            "app=x,tier=a",
            "app=x,zone=b",
            Some("app=x,tier=a,zone=b"),
            "labels are united",
        ),
        (
            "10.0.0.1",
            "::ffff:10.0.0.1",
            Some("10.0.0.1"),
            "one address in two forms",
        ),
        ("10.0.0.1", "10.0.0.2", None, "two addresses"),
        ("namespace=empire", "namespace=rebels", None, "two namespaces"),
        ("serviceaccount=a", "serviceaccount=b", None, "two service accounts"),
        ("namespace=e,pod=a", "namespace=e,pod=b", None, "two pods"),
        ("app=x,tier=a", "app=y", None, "two values of a label"),
        ("app=x", "app=", None, "the empty value is another one"),
    ] {
        let want = want.map(read).ok_or(Contradiction);
        assert_eq!(read(one).merge(read(other)), want, "{one} and {other}: {why}");
        assert_eq!(read(other).merge(read(one)), want, "{other} and {one}: {why}");
    }
}

#[test]
fn claims_in_words() {
    let address = Claim {
        address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ..workload("empire", "tie")
    };
    for (claim, want) in [
        (Claim::default(), ""),
        (workload("empire", "tie"), "ns=empire sa=tie"),
        (address, "ns=empire sa=tie address=127.0.0.1"),
        (
            Claim::from_text(b"app=x,pod=tie-7,namespace=empire", &[]).expect("readable"),
            "ns=empire pod=tie-7 app=x",
        ),
    ] {
        assert_eq!(claim.to_string(), want);
    }
    let of_length = |length: usize| Claim {
        namespace: Some("x".repeat(length - "ns=".len())),
        ..Claim::default()
    };
    assert_eq!(of_length(256).to_string(), of_length(256).words(), "the longest");
    let cut = of_length(257).to_string();
    assert_eq!((cut.len(), cut.ends_with("x...")), (256, true), "longer: {cut}");
}

#[test]
fn bytes_that_are_no_claim() {
    let mut bytes = Vec::new();
    workload("empire", "tie").encode(&mut bytes);
    assert!(Claim::decode(&bytes).is_some());
    for end in 0..bytes.len() {
        assert_eq!(Claim::decode(&bytes[..end]), None, "cut off at {end}");
    }
    bytes.push(0);
    assert_eq!(Claim::decode(&bytes), None, "a byte behind it");
    for (bytes, why) in [
        (vec![2, 0, 0, 0, 0, 0, 0, 0], "neither absent nor present"),
        (vec![0, 0, 0, 5, 0, 0, 0, 0], "an address of no family"),
        (vec![0, 0, 0, 0, 255, 255, 255, 255], "more labels than bytes"),
        (
            vec![1, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0],
            "a longer text than bytes",
        ),
        (vec![1, 1, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0], "no UTF-8"),
    ] {
        assert_eq!(Claim::decode(&bytes), None, "{why}");
    }
}

fn address() -> impl Strategy<Value = IpAddr> {
    let v4 = any::<[u8; 4]>().prop_map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    let v6 = any::<[u8; 16]>().prop_map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
    prop_oneof![v4, v6]
}

/// Few values, so that claims often agree.
fn claim() -> impl Strategy<Value = Claim> {
    let name = || prop::option::of("[a-c]{1,2}");
    let labels = prop::collection::btree_map("[k-m]", "[x-z]?", 0..3);
    (name(), name(), name(), labels, prop::option::of(address())).prop_map(
        |(namespace, service_account, pod, labels, address)| Claim {
            namespace,
            service_account,
            pod,
            labels: labels.into_iter().collect(),
            address,
        },
    )
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        fields: [Option<String>; 3], labels: Vec<(String, String)>, address in prop::option::of(address()),
        before: Vec<u8>,
    ) {
        let [namespace, service_account, pod] = fields;
        let claim = Claim { namespace, service_account, pod, labels, address };
        let mut bytes = before.clone();
        claim.encode(&mut bytes);
        prop_assert!(claim.to_string().len() <= MAX_WORDS);
        prop_assert_eq!(Claim::decode(&bytes[before.len()..]), Some(claim));
    }

    #[test]
    fn what_is_decoded_is_encoded_in_the_same_way(bytes in prop::collection::vec(0_u8..7, 8..48)) {
        if let Some(claim) = Claim::decode(&bytes) {
            let mut again = Vec::new();
            claim.encode(&mut again);
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_are_read(bytes: Vec<u8>) {
        let _ = Claim::decode(&bytes);
        let _ = Claim::from_text(&bytes, &domains());
        let _ = Claim::from_peer_metadata(&bytes, &domains());
        let id = [b"spiffe://cluster.local/ns/", &bytes[..]].concat();
        let _ = Claim::from_spiffe(&id, &domains());
    }

    #[test]
    fn claims_are_merged_in_any_order(one in claim(), other in claim()) {
        let merged = one.clone().merge(other.clone());
        prop_assert_eq!(&merged, &other.clone().merge(one.clone()));
        prop_assert_eq!(one.clone().merge(one.clone()), Ok(one.clone()));
        prop_assert_eq!(one.clone().merge(Claim::default()), Ok(one.clone()));
        if let Ok(merged) = merged {
            prop_assert_eq!(merged.clone().merge(one), Ok(merged.clone()));
            prop_assert_eq!(merged.clone().merge(other), Ok(merged));
        }
    }

    #[test]
    fn what_a_text_says_is_in_the_claim(
        namespace in "[a-z-]{1,9}", service_account in "[a-z-]{1,9}", key in "[a-z]{1,3}/[a-z]{1,5}", value in "[a-z]{0,5}",
    ) {
        let text = format!("{key}={value},serviceaccount={service_account},namespace={namespace}");
        let want = Claim { labels: vec![(key, value)], ..workload(&namespace, &service_account) };
        prop_assert_eq!(Claim::from_text(text.as_bytes(), &[]), Ok(want));
    }
}

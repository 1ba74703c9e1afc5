use super::*;

#[test]
fn texts_that_make_a_claim() {
    let address = |text: &str| Claim {
        address: Some(text.parse().expect(text)),
        ..Claim::default()
    };
    let labels = |labels: &[(&str, &str)]| Claim {
        labels: labels.iter().map(|(key, value)| label(key, value)).collect(),
        ..Claim::default()
    };
    for (text, want, why) in [
        (
            "spiffe://cluster.local/ns/empire/sa/tie",
            workload("empire", "tie"),
            "a SPIFFE id",
        ),
        ("10.0.0.1", address("10.0.0.1"), "an address"),
        ("fd00::1", address("fd00::1"), "one of IPv6"),
        ("::ffff:10.0.0.1", address("10.0.0.1"), "a mapped one is of IPv4"),
        (
            "namespace=empire,serviceaccount=tie",
            workload("empire", "tie"),
            "the same in words",
        ),
        (
            "pod=tie-7,app=tie,namespace=empire",
            Claim {
                namespace: some("empire"),
                pod: some("tie-7"),
                labels: vec![label("app", "tie")],
                ..Claim::default()
            },
            "in any order",
        ),
        (
            "tier=,app.kubernetes.io/name=x",
            labels(&[("app.kubernetes.io/name", "x"), ("tier", "")]),
            "labels alone, one with the empty value",
        ),
        (
            "Namespace=empire",
            labels(&[("Namespace", "empire")]),
            "keys have a case",
        ),
    ] {
        assert_eq!(Claim::from_text(text.as_bytes(), &domains()), Ok(want), "{text}: {why}");
    }
}

#[test]
fn texts_that_are_not_understood() {
    for (text, why) in [
        ("", "nothing"),
        ("-", "what Envoy writes for nothing"),
        ("empire", "no key"),
        (
            "spiffe://rebels.example/ns/empire/sa/tie",
            "a domain that nobody trusts",
        ),
        ("spiffe://cluster.local/tie", "no workload"),
        ("spiffe://cluster.local/", "no SPIFFE id"),
        ("10.0.0.1:80", "a port"),
        ("10.0.0.1,10.0.0.2", "two addresses"),
        ("10.0.0.0/8", "many addresses"),
        ("=x", "no key"),
        ("app=x,", "an end without a pair"),
        (",app=x", "a start without a pair"),
        ("app=x,,tier=y", "no pair between"),
        ("namespace=", "no namespace"),
        ("serviceaccount=", "no service account"),
        ("namespace=empire,pod=", "no pod"),
        ("pod=tie-7", "of which namespace?"),
        ("namespace=a,namespace=b", "which one?"),
        ("namespace=a,namespace=a", "twice, even if they agree"),
        ("app=x,tier=y,app=x", "a label twice"),
        ("app=x=y", "a value with an equals sign"),
        ("namespace=a=b", "a name with an equals sign"),
        ("app=x, tier=y", "a blank"),
        ("app=x\n", "a line end"),
        ("app=x\0", "a NUL"),
        ("app=\u{7f}", "a control"),
        ("app=\u{430}", "a letter that looks like another"),
    ] {
        assert_eq!(
            Claim::from_text(text.as_bytes(), &domains()),
            Err(Unreadable),
            "{text}: {why}"
        );
    }
    assert_eq!(Claim::from_text(b"app=\xff", &domains()), Err(Unreadable), "no text");
    let longest = format!("app={}", "x".repeat(8188));
    assert!(Claim::from_text(longest.as_bytes(), &domains()).is_ok(), "the longest");
    assert_eq!(
        Claim::from_text(format!("{longest}x").as_bytes(), &domains()),
        Err(Unreadable),
        "longer"
    );
}

#[test]
fn what_peers_of_istio_tell() {
    let pod = |namespace: &str, name: &str| Claim {
        namespace: some(namespace),
        pod: some(name),
        ..Claim::default()
    };
    let identity = "spiffe://cluster.local/ns/empire/sa/tie";
    for (text, want, why) in [
        (
            format!(
                "type=pod,workload=tie,name=tie-7,cluster=c,namespace=empire,service=tie,revision=1,app=tie,version=v1,\
                 identity={identity}"
            ),
            Claim {
                pod: some("tie-7"),
                ..workload("empire", "tie")
            },
            "all of it",
        ),
        (
            "namespace=empire,name=tie-7".to_owned(),
            pod("empire", "tie-7"),
            "no identity",
        ),
        (
            "type=pod,namespace=empire,future=x=y".to_owned(),
            Claim {
                namespace: some("empire"),
                ..Claim::default()
            },
            "other keys are not looked at",
        ),
        (
            format!("identity={identity}"),
            workload("empire", "tie"),
            "only an identity",
        ),
        (
            format!("name=tie-7,identity={identity}"),
            Claim {
                pod: some("tie-7"),
                ..workload("empire", "tie")
            },
            "the identity tells the namespace of the pod",
        ),
    ] {
        assert_eq!(
            Claim::from_peer_metadata(text.as_bytes(), &domains()),
            Ok(want),
            "{text}: {why}"
        );
    }
    for (text, why) in [
        ("", "nothing"),
        ("type=pod", "nothing of use"),
        ("tie", "no pair"),
        ("namespace=empire,name=tie-7,", "an end without a pair"),
        ("name=tie-7", "of which namespace?"),
        ("namespace=,name=tie-7", "no namespace"),
        ("namespace=empire,namespace=rebels", "which one?"),
        (
            "namespace=rebels,identity=spiffe://cluster.local/ns/empire/sa/tie",
            "contradicts itself",
        ),
        (
            "namespace=empire,identity=spiffe://rebels.example/ns/empire/sa/tie",
            "of others",
        ),
        ("namespace=empire,identity=spiffe://cluster.local/tie", "no workload"),
        ("namespace=empire,identity=tie", "no SPIFFE id"),
        ("namespace=empire,identity=", "an empty one"),
        ("namespace=empire,version=v 1", "a blank"),
    ] {
        assert_eq!(
            Claim::from_peer_metadata(text.as_bytes(), &domains()),
            Err(Unreadable),
            "{text}: {why}"
        );
    }
}

use super::*;

#[test]
fn spiffe_ids_of_workloads() {
    for (id, want, why) in [
        (
            "spiffe://cluster.local/ns/empire/sa/tie",
            workload("empire", "tie"),
            "as Istio writes them",
        ),
        (
            "spiffe://empire.example/ns/e/sa/t",
            workload("e", "t"),
            "the other trusted domain",
        ),
        (
            "SPIFFE://cluster.local/ns/empire/sa/tie",
            workload("empire", "tie"),
            "schemes have no case",
        ),
        (
            "spiffe://cluster.local/ns/Empire/sa/a.B_c-9",
            workload("Empire", "a.B_c-9"),
            "paths have a case",
        ),
        (
            "spiffe://cluster.local/ns/sa/sa/ns",
            workload("sa", "ns"),
            "names like keywords",
        ),
    ] {
        assert_eq!(
            Claim::from_spiffe(id.as_bytes(), &domains()),
            Spiffe::Workload(want),
            "{id}: {why}"
        );
    }
}

#[test]
fn spiffe_ids_that_say_nothing_here() {
    for (id, why) in [
        ("spiffe://rebels.example/ns/empire/sa/tie", "another domain"),
        ("spiffe://cluster.local.example/ns/empire/sa/tie", "a longer domain"),
        ("spiffe://local/ns/empire/sa/tie", "a shorter domain"),
        ("spiffe://cluster.local", "a domain and no path"),
        ("spiffe://cluster.local/ns/empire", "no service account"),
        ("spiffe://cluster.local/ns/empire/sa", "no name of it"),
        ("spiffe://cluster.local/ns/empire/sa/tie/7", "something more"),
        ("spiffe://cluster.local/NS/empire/sa/tie", "another form"),
        ("spiffe://cluster.local/sa/tie/ns/empire", "another order"),
        ("spiffe://cluster.local/x/ns/empire/sa/tie", "something before"),
        ("spiffe://cluster.local/.../ns", "three dots are a name"),
    ] {
        assert_eq!(
            Claim::from_spiffe(id.as_bytes(), &domains()),
            Spiffe::Foreign,
            "{id}: {why}"
        );
    }
    assert_eq!(
        Claim::from_spiffe(b"spiffe://cluster.local/ns/empire/sa/tie", &[]),
        Spiffe::Foreign,
        "no domain is trusted"
    );
}

#[test]
fn uris_that_are_no_spiffe_ids() {
    for (id, why) in [
        ("", "nothing"),
        ("spiffe:", "only the scheme"),
        ("spiffe://", "no domain"),
        ("spiffe:///ns/empire/sa/tie", "no domain"),
        ("spiffe:/cluster.local/ns/empire/sa/tie", "one slash"),
        ("https://cluster.local/ns/empire/sa/tie", "another scheme"),
        (" spiffe://cluster.local/ns/empire/sa/tie", "a blank before it"),
        ("spiffe://Cluster.local/ns/empire/sa/tie", "domains are in lower case"),
        ("spiffe://cluster.local:80/ns/empire/sa/tie", "a port"),
        ("spiffe://tie@cluster.local/ns/empire/sa/tie", "user information"),
        ("spiffe://cluster%2elocal/ns/empire/sa/tie", "an encoded domain"),
        ("spiffe://cluster.local/ns/empire/sa/", "a slash at the end"),
        ("spiffe://cluster.local/", "only a slash"),
        ("spiffe://cluster.local//ns/empire/sa/tie", "an empty segment"),
        ("spiffe://cluster.local/ns//sa/tie", "an empty name"),
        ("spiffe://cluster.local/ns/empire/sa/.", "a dot"),
        ("spiffe://cluster.local/ns/rebels/../empire/sa/tie", "two dots"),
        ("spiffe://cluster.local/ns/empire/sa/t%69e", "an encoded letter"),
        ("spiffe://cluster.local/ns/empire/sa/tie?x", "a query"),
        ("spiffe://cluster.local/ns/empire/sa/tie#x", "a fragment"),
        ("spiffe://cluster.local?x", "a query of a domain"),
        ("spiffe://cluster.local/ns/empire/sa/tie\0", "a NUL"),
        ("spiffe://cluster.local/ns/empire/sa/ti\u{e9}", "no ASCII"),
        ("spiffe://cluster.local/ns/empire/sa/tie,x", "a comma"),
    ] {
        assert_eq!(
            Claim::from_spiffe(id.as_bytes(), &domains()),
            Spiffe::Invalid,
            "{id}: {why}"
        );
    }
    assert_eq!(
        Claim::from_spiffe(b"spiffe://cluster.local/ns/empire/sa/\xff", &domains()),
        Spiffe::Invalid,
        "no text"
    );
}

#[test]
fn spiffe_ids_have_a_greatest_length() {
    let id = |length: usize| {
        let start = "spiffe://cluster.local/ns/empire/sa/";
        start.to_owned() + &"t".repeat(length - start.len())
    };
    let domain = |length: usize| format!("spiffe://{}/ns/empire/sa/tie", "d".repeat(length));
    let read = |id: String| Claim::from_spiffe(id.as_bytes(), &domains());
    assert!(matches!(read(id(2048)), Spiffe::Workload(_)), "the longest id");
    assert_eq!(read(id(2049)), Spiffe::Invalid, "longer");
    assert_eq!(read(domain(255)), Spiffe::Foreign, "the longest domain");
    assert_eq!(read(domain(256)), Spiffe::Invalid, "longer");
}

#[test]
fn certificates_have_one_spiffe_id() {
    let ours = "spiffe://cluster.local/ns/empire/sa/tie";
    let other = "spiffe://cluster.local/ns/empire/sa/vader";
    for (uris, want, why) in [
        (&[][..], Ok(None), "no URI"),
        (&["https://empire.example", "urn:x"][..], Ok(None), "only others"),
        (&[ours][..], Ok(Some(workload("empire", "tie"))), "one"),
        (
            &["urn:x", ours, "https://empire.example"][..],
            Ok(Some(workload("empire", "tie"))),
            "one among others",
        ),
        (&["spiffe://rebels.example/x"][..], Ok(None), "one of others"),
        (&[ours, other][..], Err(AmbiguousCertificate), "two"),
        (&[ours, ours][..], Err(AmbiguousCertificate), "the same twice"),
        (
            &[ours, "spiffe://rebels.example/x"][..],
            Err(AmbiguousCertificate),
            "one of others beside ours",
        ),
        (
            &["Spiffe://rebels.example/x", ours][..],
            Err(AmbiguousCertificate),
            "in other letters",
        ),
        (
            &["spiffe:x", ours][..],
            Err(AmbiguousCertificate),
            "an invalid one beside ours",
        ),
        (
            &["spiffe://cluster.local/"][..],
            Err(AmbiguousCertificate),
            "an invalid one",
        ),
    ] {
        let uris: Vec<_> = uris.iter().map(|uri| uri.as_bytes().to_vec()).collect();
        assert_eq!(Claim::from_certificate(&uris, &domains()), want, "{why}");
    }
}

//! Who opened a connection, where a certificate or a witness says more than the address; and whom the proxy serves.

use crate::world::*;
use policy_core::{
    AddressFacts, Bundle, Claim, Decision, Destination, Engine, Reason, Scope, Workload,
    bundle::{Endpoint, Identity, Rule},
};

const NAMESPACE: &str = "io.kubernetes.pod.namespace";
const ACCOUNT: &str = "io.cilium.k8s.policy.serviceaccount";
/// An endpoint of another cluster, with the labels of `db` otherwise.
const FAR: &str = "10.0.7.1";

/// The world, where every endpoint has a namespace, and all but `mon` name a service account. There is a second `db`,
/// under another service account, that no selector of a rule finds.
fn claimed_world(rules: impl IntoIterator<Item = Rule>) -> Engine {
    let mut bundle = world(rules);
    let label = |identity: &mut Identity, key: &str, value: &str| {
        let more = format!("k8s:{key}={value}").parse().expect("label");
        identity.labels = identity.labels.iter().cloned().chain([more]).collect();
    };
    for (position, namespace) in [(0, "shop"), (1, "shop"), (2, "ops")] {
        label(&mut bundle.identities[position], NAMESPACE, namespace);
    }
    for (position, account) in [(0, "web"), (1, "db")] {
        label(&mut bundle.identities[position], ACCOUNT, account);
    }
    add(
        &mut bundle,
        "shop/old-db",
        "10.0.0.4",
        "k8s:app=old-db k8s:io.kubernetes.pod.namespace=shop k8s:io.cilium.k8s.policy.serviceaccount=shared",
    );
    add(
        &mut bundle,
        "shop/new-db",
        "10.0.0.5",
        "k8s:app=db k8s:io.kubernetes.pod.namespace=shop k8s:io.cilium.k8s.policy.serviceaccount=shared",
    );
    add(
        &mut bundle,
        "shop/far",
        FAR,
        "k8s:app=db k8s:io.kubernetes.pod.namespace=shop k8s:io.cilium.k8s.policy.serviceaccount=far k8s:io.cilium.k8s.policy.cluster=other",
    );
    Engine::new(bundle).expect("a good bundle")
}

fn add(bundle: &mut Bundle, name: &str, address: &str, labels: &str) {
    let labels = labels.split(' ').map(|label| label.parse().expect("label")).collect();
    let identity = u32::try_from(bundle.identities.len()).expect("few");
    bundle.identities.push(Identity { labels, ports: vec![] });
    bundle.endpoints.push(Endpoint {
        name: name.into(),
        identity,
        addresses: vec![address.parse().expect("address")],
    });
}

fn account(namespace: &'static str, account: &'static str) -> Claim<'static> {
    Claim {
        namespace: Some(namespace),
        service_account: Some(account),
        ..Claim::default()
    }
}

fn reason(engine: &Engine, source: Option<&str>, claim: Claim<'_>) -> Reason {
    let facts = AddressFacts {
        source: source.map(|source| source.parse().expect("address")),
        claim: Some(claim),
        ..facts(WORLD, WEB, 80)
    };
    engine.admit(&facts, Scope::Ingress).verdict().reason
}

#[test]
fn a_claim_must_fit_the_owner_of_the_address() {
    use Reason::{AllowedByRule, ContradictingIdentity, DefaultDeny};
    let engine = claimed_world([ingress([from([db()])])]);
    for (source, claim, want, why) in [
        (DB, account("shop", "db"), AllowedByRule, "both say the same"),
        (
            DB,
            account("shop", "web"),
            ContradictingIdentity,
            "another service account",
        ),
        (DB, account("ops", "db"), ContradictingIdentity, "another namespace"),
        (
            DB,
            account("nowhere", "nobody"),
            ContradictingIdentity,
            "somebody whom nobody knows",
        ),
        (
            MON,
            account("shop", "db"),
            ContradictingIdentity,
            "a stolen certificate",
        ),
        (
            MON,
            account("ops", "default"),
            DefaultDeny,
            "who names no service account has the default one",
        ),
        (
            WORLD,
            account("shop", "db"),
            AllowedByRule,
            "behind somebody else's address",
        ),
        (
            NODE,
            account("shop", "db"),
            AllowedByRule,
            "behind the address of a node",
        ),
        (WORLD, account("shop", "web"), DefaultDeny, "the same, but not allowed"),
        (
            WORLD,
            account("nowhere", "nobody"),
            DefaultDeny,
            "nobody knows who that is",
        ),
        (
            WORLD,
            account("shop", "shared"),
            DefaultDeny,
            "two identities, of which one is not allowed",
        ),
        (
            WORLD,
            account("shop", "far"),
            DefaultDeny,
            "that is an account of another cluster",
        ),
    ] {
        assert_eq!(reason(&engine, Some(source), claim), want, "{source}: {why}");
    }
    assert_eq!(
        reason(&engine, None, account("shop", "db")),
        AllowedByRule,
        "no address at all"
    );
}

#[test]
fn labels_and_names_narrow_a_claim() {
    use Reason::{AllowedByRule, ContradictingIdentity, DefaultDeny};
    let engine = claimed_world([ingress([from([db()])])]);
    let of = |value: &str| [("app".to_owned(), value.to_owned())];
    let (new, old) = (of("db"), of("old-db"));
    let shared = account("shop", "shared");
    let named = |name| Claim {
        pod: Some(name),
        ..shared
    };
    for (claim, want, why) in [
        (Claim { labels: &new, ..shared }, AllowedByRule, "only one is left"),
        (Claim { labels: &old, ..shared }, DefaultDeny, "the other one"),
        (named("new-db"), AllowedByRule, "by name"),
        (named("old-db"), DefaultDeny, "by name"),
        (named("db"), DefaultDeny, "an endpoint, but of another account"),
        (named("none"), DefaultDeny, "no endpoint"),
    ] {
        assert_eq!(reason(&engine, Some(WORLD), claim), want, "{claim:?}: {why}");
    }
    let claim = Claim { labels: &old, ..shared };
    assert_eq!(
        reason(&engine, Some("10.0.0.5"), claim),
        ContradictingIdentity,
        "the address says which"
    );
}

#[test]
fn a_claimed_address_stands_for_that_of_the_connection() {
    use Reason::{AllowedByRule, ContradictingIdentity, DefaultDeny};
    let engine = claimed_world([ingress([from([db()])])]);
    let at = |address: &str| Claim {
        address: Some(address.parse().expect("address")),
        ..Claim::default()
    };
    let at_db = Claim {
        address: at(DB).address,
        ..account("shop", "web")
    };
    for (source, claim, want, why) in [
        (WORLD, at(DB), AllowedByRule, "behind a load balancer"),
        (NODE, at(MON), DefaultDeny, "somebody else behind it"),
        (DB, at(DB), AllowedByRule, "both say the same"),
        (DB, at(MON), ContradictingIdentity, "they do not"),
        (MON, at(WORLD), ContradictingIdentity, "nobody gets rid of who he is"),
        (WORLD, at(LEARNED), DefaultDeny, "outside"),
        (
            WORLD,
            at_db,
            ContradictingIdentity,
            "who and where contradict each other",
        ),
    ] {
        assert_eq!(reason(&engine, Some(source), claim), want, "{source}: {why}");
    }
    assert_eq!(
        reason(&engine, Some(DB), Claim::default()),
        AllowedByRule,
        "nothing is claimed"
    );
}

#[test]
fn who_is_not_known_matches_denials_and_whoever_anyone_may() {
    let nobody = account("nowhere", "nobody");
    let deny = Rule {
        ingress_deny: vec![from([db()])],
        ..ingress([anyone()])
    };
    assert_eq!(
        reason(&claimed_world([deny]), Some(WORLD), nobody),
        Reason::DeniedByRule
    );
    assert_eq!(
        reason(&claimed_world([ingress([anyone()])]), Some(WORLD), nobody),
        Reason::AllowedByRule
    );
}

#[test]
fn a_claim_that_fits_too_many_says_nothing() {
    for (count, want) in [(64, Reason::AllowedByRule), (65, Reason::DefaultDeny)] {
        let mut bundle = world([ingress([from([db()])])]);
        for i in 0..count {
            let labels = format!("k8s:app=db k8s:n={i} k8s:{NAMESPACE}=many k8s:{ACCOUNT}=all");
            add(&mut bundle, &format!("many/{i}"), &format!("10.0.5.{i}"), &labels);
        }
        let engine = Engine::new(bundle).expect("a good bundle");
        assert_eq!(reason(&engine, Some(WORLD), account("many", "all")), want, "{count}");
    }
}

#[test]
fn a_proxy_may_be_told_whom_it_serves() {
    let engine = claimed_world([ingress([from([db()])]), egress([from([db()])])]);
    let local = "127.0.0.1";
    let web = Workload::Endpoint("shop/web");
    let ask = |workload, source, destination, scope| {
        let facts = AddressFacts {
            workload: Some(workload),
            ..facts(source, destination, 80)
        };
        engine.admit(&facts, scope).verdict().reason
    };
    for (source, destination, scope, want, why) in [
        (
            DB,
            local,
            Scope::Ingress,
            Reason::AllowedByRule,
            "whatever the destination",
        ),
        (MON, local, Scope::Ingress, Reason::DefaultDeny, "the peer counts"),
        (
            DB,
            MON,
            Scope::Ingress,
            Reason::AllowedByRule,
            "also the address of another one",
        ),
        (local, DB, Scope::Egress, Reason::AllowedByRule, "whatever the source"),
        (local, MON, Scope::Egress, Reason::DefaultDeny, "the peer counts"),
        (DB, DB, Scope::Both, Reason::UnknownSubject, "it serves one side only"),
    ] {
        assert_eq!(ask(web, source, destination, scope), want, "{why}");
        let address = Workload::Address(WEB.parse().expect("address"));
        assert_eq!(ask(address, source, destination, scope), want, "by address: {why}");
    }
    for unknown in [
        Workload::Endpoint("shop/none"),
        Workload::Address(WORLD.parse().expect("address")),
    ] {
        assert_eq!(
            ask(unknown, DB, local, Scope::Ingress),
            Reason::UnknownSubject,
            "{unknown:?}"
        );
    }
}

#[test]
fn a_claim_of_the_source_decides_whose_egress_policy_is_asked() {
    let engine = claimed_world([egress([from([db()])])]);
    let ask = |claim| {
        let facts = AddressFacts {
            claim: Some(claim),
            destination: Destination::Address(MON.parse().expect("address")),
            ..facts(NODE, MON, 80)
        };
        engine.admit(&facts, Scope::Egress).verdict()
    };
    assert_eq!(
        ask(account("shop", "web")).reason,
        Reason::DefaultDeny,
        "it is isolated"
    );
    assert_eq!(ask(account("shop", "db")).reason, Reason::NotIsolated, "it is not");
    let unknown = ask(account("nowhere", "nobody"));
    assert_eq!(
        (unknown.decision, unknown.reason),
        (Decision::Deny, Reason::UnknownSubject)
    );
}

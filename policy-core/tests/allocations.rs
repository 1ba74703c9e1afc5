//! What questions cost in memory: those that were asked before, nothing. With explanations off, nothing is set aside for
//! them.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use policy_core::{
    AddressFacts, Admission, Bundle, Carried, Connection, Direction, Engine, Flow, HttpRequest, Packed, Peer, Protocol,
    Reason, Scope, Verdict,
};

/// The allocator of the system, which counts what one thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is handed to the allocator of the system as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` asks for memory.
fn allocations<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let before = ALLOCATIONS.with(Cell::get);
    let result = work();
    (ALLOCATIONS.with(Cell::get) - before, result)
}

/// A workload whose policy has rules of every depth: peers, ports, server names, requests.
const BUNDLE: &str = r#"{
  "version": 1,
  "selectors": [[{"equals": {"key": "any:app", "value": "web"}}], [{"equals": {"key": "any:app", "value": "db"}}]],
  "policies": [{"kind": "CiliumNetworkPolicy", "namespace": "shop", "name": "web", "rules": [{
    "path": "spec", "subject": 0, "defaultDeny": {"ingress": true, "egress": false},
    "ingress": [
      {"peers": {"oneOf": [{"cidr": {"prefix": "203.0.113.0/24"}}]}},
      {"peers": {"oneOf": [{"selector": 1}]}, "ports": [
        {"ports": [{"port": {"protocol": "TCP", "numbers": {"range": [80, 80]}}}],
         "rules": {"http": [{"method": "GET", "path": "/a"}, {"headers": [{"name": "x-a", "value": "1"}]}]}},
        {"ports": [{"port": {"protocol": "TCP", "numbers": {"range": [443, 443]}}}], "serverNames": ["a.example"]},
        {"ports": [{"port": {"protocol": "TCP", "numbers": {"range": [53, 53]}}}]}
      ]}
    ]}]}],
  "identities": [{"labels": ["k8s:app=web"]}, {"labels": ["k8s:app=db"]}],
  "endpoints": [{"name": "shop/web", "identity": 0, "addresses": ["10.0.0.1"]},
                {"name": "shop/db", "identity": 1, "addresses": ["10.0.0.2"]}]
}"#;

fn flow<'a>(engine: &Engine, peer: &str, port: u16) -> Flow<'a> {
    let identity = |address: &str| engine.identity_of(address.parse().expect("address"));
    Flow {
        direction: Direction::Ingress,
        subject: identity("10.0.0.1"),
        peer: Peer::Identity(identity(peer)),
        protocol: Protocol::Tcp,
        port,
        authenticated: true,
    }
}

fn request(method: &str, path: &str) -> HttpRequest {
    HttpRequest {
        method: Some(method.into()),
        path: Some(path.into()),
        authority: Some(b"web".to_vec()),
        headers: vec![(b"x-a".to_vec(), b"2".to_vec())],
    }
}

#[test]
fn a_verdict_on_a_known_connection_allocates_nothing() {
    let bundle = Bundle::from_json(BUNDLE.as_bytes()).expect("a bundle");
    let engine = Engine::new(bundle).expect("a good bundle");
    let (allowed, denied) = (request("GET", "/a"), request("HEAD", "/b"));
    type Shown<'a> = (Option<Option<&'a [u8]>>, Option<&'a HttpRequest>);
    let rows: [(&str, u16, Shown<'_>, Reason); 7] = [
        ("10.0.0.2", 80, (None, Some(&denied)), Reason::NoHttpRuleMatches),
        ("10.0.0.2", 80, (None, Some(&allowed)), Reason::AllowedByRule),
        (
            "10.0.0.2",
            443,
            (Some(Some(b"b.example")), None),
            Reason::ServerNameNotAllowed,
        ),
        ("10.0.0.2", 443, (Some(None), None), Reason::ServerNameNotAllowed),
        ("10.0.0.2", 81, (None, None), Reason::DefaultDeny),
        ("198.51.100.7", 80, (None, Some(&denied)), Reason::DefaultDeny),
        ("10.0.0.2", 53, (None, None), Reason::AllowedByRule),
    ];
    for (peer, port, (server_name, request), reason) in rows {
        let flow = flow(&engine, peer, port);
        let carried = request.map(|request| Carried::Http(request));
        let ask = |connection: &Connection| connection.judge(server_name, carried);
        assert_eq!(ask(&engine.connection(&flow)).reason, reason);
        let (count, verdict) = allocations(|| ask(&engine.connection(&flow)));
        assert_eq!((count, verdict.reason), (0, reason), "{peer} to port {port}");
        let (count, explanation) = allocations(|| engine.explain(&flow, server_name, carried));
        assert_eq!(explanation.verdict, verdict);
        assert!(count > 0, "an explanation does allocate, so the count counts");
    }
}

#[test]
fn a_connection_that_was_asked_about_before_allocates_nothing() {
    let bundle = Bundle::from_json(BUNDLE.as_bytes()).expect("a bundle");
    let engine = Engine::new(bundle).expect("a good bundle");
    let (db, web, outside) = ("10.0.0.2", "10.0.0.1", "198.51.100.7");
    let request = request("GET", "/a");
    for (scope, source, sides, connects, requests, why) in [
        (Scope::Ingress, db, 1, true, true, "the destination's side"),
        (Scope::Egress, db, 1, true, true, "the source's side"),
        (Scope::Both, db, 2, true, true, "both sides"),
        (
            Scope::Both,
            outside,
            1,
            false,
            false,
            "one of them is not in the cluster",
        ),
        (Scope::Ingress, outside, 1, false, false, "a denial"),
        (Scope::Egress, outside, 0, false, false, "nobody to ask"),
    ] {
        let [source, destination] = [source, web].map(|address| address.parse().ok());
        let facts = AddressFacts::new(source, destination, Protocol::Tcp, 80);
        let ask = || {
            let admission = engine.admit(&facts, scope);
            let verdicts = [admission.verdict(), admission.request(None, &request)];
            (admission, verdicts)
        };
        let said = |(admission, [connection, request]): &(Admission, [Verdict; 2])| {
            (admission.sides().len(), connection.allows(), request.allows())
        };
        assert_eq!(said(&ask()), (sides, connects, requests), "{why}");
        let (count, again) = allocations(ask);
        assert_eq!((count, said(&again)), (0, (sides, connects, requests)), "{why}");
    }
}

/// So many workloads, each with a policy that lets in the next one.
fn cluster(size: usize) -> Bundle {
    let list = |each: &dyn Fn(usize) -> String| (0..size).map(each).collect::<Vec<_>>().join(",");
    let selectors = list(&|n| format!(r#"[{{"equals":{{"key":"any:app","value":"app-{n}"}}}}]"#));
    let policies = list(&|n| {
        format!(
            r#"{{"kind":"CiliumNetworkPolicy","namespace":"shop","name":"app-{n}","rules":[{{
            "path":"spec","subject":{n},"defaultDeny":{{"ingress":true,"egress":false}},
            "ingress":[{{"peers":{{"oneOf":[{{"selector":{}}}]}}}}]}}]}}"#,
            (n + 1) % size
        )
    });
    let identities = list(&|n| format!(r#"{{"labels":["k8s:app=app-{n}"]}}"#));
    let endpoints = list(&|n| {
        let (high, low) = (n / 256, n % 256);
        format!(r#"{{"name":"shop/app-{n}","identity":{n},"addresses":["10.0.{high}.{low}"]}}"#)
    });
    let json = format!(
        r#"{{"version":1,"selectors":[{selectors}],"policies":[{policies}],"identities":[{identities}],
        "endpoints":[{endpoints}]}}"#
    );
    Bundle::from_json(json.as_bytes()).expect("a bundle")
}

#[test]
fn taking_a_policy_and_its_first_questions_cost_the_same_in_a_large_cluster() {
    let [small, large] = [10, 5000].map(|size| {
        let packed = Packed::new(&cluster(size)).expect("a good bundle");
        let (opening, engine) = allocations(|| Engine::open(packed));
        let facts = |from: &str| {
            let [from, to] = [from, "10.0.0.2"].map(|address| address.parse().ok());
            AddressFacts::new(from, to, Protocol::Tcp, 80)
        };
        let ask = |from| engine.admit(&facts(from), Scope::Ingress).verdict().allows();
        let (first, allowed) = allocations(|| (ask("10.0.0.3"), ask("10.0.0.4")));
        assert_eq!(allowed, (true, false), "{size} policies");
        (opening, first)
    });
    assert_eq!(small, large, "allocations for opening and for the first questions");
}

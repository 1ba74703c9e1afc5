//! What is open while the policy changes, and says nothing.

use super::*;
use crate::fake::{OpenStream, ROOT};
use crate::host::Stream;
use crate::stream::Data;

const METRICS: &str = "10.0.0.1:8080";
const REPORT: &str = r#""direction":"ingress","revocation":"report","#;

fn revoked(plugin: &Plugin, layer: &str) -> u64 {
    plugin.world.metric(&format!("portcullis_revoked_total.layer.{layer}"))
}

/// A connection whose requests are decided, and on it a `GET` of this path.
fn request(plugin: &Plugin, path: &str) -> (OpenStream, Action) {
    plugin.world.listener("protocol", "http");
    assert_eq!(plugin.connect(XWING, METRICS).1, Action::Continue);
    plugin.request(&[(b":method", b"GET"), (b":path", path.as_bytes())])
}

#[test]
fn an_idle_connection_that_is_no_longer_allowed_is_closed() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    let (xwing, action) = plugin.connect(XWING, DEATHSTAR);
    assert_eq!(action, Action::Continue);
    let (tie, action) = plugin.connect(TIE, DEATHSTAR);
    assert_eq!(action, Action::Continue);
    plugin.root.tick();
    assert_eq!(plugin.world.tick.get(), 0, "nothing to do");
    assert!(plugin.world.closed.borrow().is_empty());

    assert!(plugin.configure(fake::configuration(INGRESS)));
    assert!((1..1000).contains(&plugin.world.tick.get()), "within a second");
    plugin.world.acted_for.borrow_mut().clear();
    plugin.root.tick();
    assert_eq!(*plugin.world.closed.borrow(), [Stream::Downstream], "only the one");
    assert_eq!(*plugin.world.acted_for.borrow(), [2, 3, ROOT], "each on its own behalf");
    assert_eq!(revoked(&plugin, "l4"), 1);
    assert_eq!(plugin.world.tick.get(), 0, "everything was asked about");
    plugin.root.tick();
    assert_eq!(plugin.world.closed.borrow().len(), 1, "closed once");
    drop((xwing, tie));
}

#[test]
fn a_long_request_that_is_no_longer_allowed_ends() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    let (mut allowed, action) = request(&plugin, "/metrics");
    assert_eq!(action, Action::Continue);
    let (mut denied, action) = request(&plugin, "/secrets");
    assert_eq!(action, Action::Continue);
    // The host has forgotten the headers by the time the policy changes.
    plugin.world.headers.borrow_mut().clear();

    assert!(plugin.configure(fake::configuration(INGRESS)));
    plugin.root.tick();
    let reply = plugin.world.reply.borrow_mut().take().expect("one of them is answered");
    assert_eq!(reply.status, 403);
    assert!(
        reply.details.contains("CiliumNetworkPolicy/empire/deathstar"),
        "{reply:?}"
    );
    assert_eq!((revoked(&plugin, "l7"), revoked(&plugin, "l4")), (1, 0));
    assert_eq!(plugin.world.state("portcullis_reason"), "no-http-rule-matches");
    assert_eq!(allowed.rest_of_request(), Action::Continue);
    assert_eq!(denied.rest_of_request(), Action::Pause);
}

#[test]
fn what_is_only_reported_goes_on() {
    let plugin = Plugin::new(&fake::without_policies(REPORT));
    let (mut connection, _) = plugin.connect(XWING, DEATHSTAR);
    let (mut request, _) = request(&plugin, "/secrets");
    assert!(plugin.configure(fake::configuration(REPORT)));
    for _ in 0..2 {
        plugin.root.tick();
        assert_eq!((revoked(&plugin, "l4"), revoked(&plugin, "l7")), (1, 1), "each once");
    }
    assert_eq!(connection.data(Data::Downstream), Action::Continue);
    assert_eq!(request.rest_of_request(), Action::Continue);
    assert!(plugin.world.closed.borrow().is_empty() && plugin.world.reply.borrow().is_none());
    assert_eq!(plugin.connect(XWING, DEATHSTAR).1, Action::Pause, "new ones are denied");
}

#[test]
fn what_is_over_is_not_judged() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    let (dropped, _) = plugin.connect(XWING, DEATHSTAR);
    let (unknown, _) = plugin.connect(XWING, DEATHSTAR);
    drop(dropped);
    plugin.world.gone.borrow_mut().push(3);
    assert!(plugin.configure(fake::configuration(INGRESS)));
    plugin.world.acted_for.borrow_mut().clear();
    plugin.root.tick();
    assert_eq!(
        *plugin.world.acted_for.borrow(),
        [ROOT],
        "neither what is gone here nor there"
    );
    assert!(plugin.world.closed.borrow().is_empty());
    assert_eq!(plugin.world.tick.get(), 0);
    drop(unknown);
}

#[test]
fn many_connections_are_judged_in_several_goes() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    let open: Vec<_> = (0..BATCH + 1).map(|_| plugin.connect(XWING, DEATHSTAR)).collect();
    assert!(plugin.configure(fake::configuration(INGRESS)));
    plugin.root.tick();
    assert_eq!(plugin.world.closed.borrow().len(), BATCH);
    assert_ne!(plugin.world.tick.get(), 0, "there is more");
    plugin.root.tick();
    assert_eq!(plugin.world.closed.borrow().len(), BATCH + 1);
    assert_eq!(plugin.world.tick.get(), 0);
    drop(open);
}

#[test]
fn a_connection_is_not_closed_while_the_host_tells_of_its_end() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    let (mut filter, _) = plugin.connect(XWING, DEATHSTAR);
    let (mut allowed, _) = plugin.connect(TIE, DEATHSTAR);
    assert!(plugin.configure(fake::configuration(INGRESS)));
    plugin.world.tick.set(0);
    assert_eq!(filter.data(Data::EndOfUpstream), Action::Pause, "nothing passes");
    assert!(plugin.world.closed.borrow().is_empty(), "not yet");
    assert_ne!(plugin.world.tick.get(), 0, "but soon");
    assert_eq!(filter.data(Data::Downstream), Action::Pause);
    plugin.root.tick();
    assert_eq!(*plugin.world.closed.borrow(), [Stream::Downstream]);
    plugin.root.tick();
    assert_eq!(plugin.world.closed.borrow().len(), 1, "once");
    assert_eq!(allowed.data(Data::EndOfUpstream), Action::Continue);
    plugin.root.tick();
    assert_eq!(plugin.world.closed.borrow().len(), 1, "what is allowed ends by itself");
}

#[test]
fn a_request_that_an_outdated_policy_still_allows_is_judged_again() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    plugin.world.listener("protocol", "http");
    assert_eq!(plugin.connect(XWING, METRICS).1, Action::Continue);
    // The network filters have the new policy, which their root got, and the HTTP filters still the old root.
    let successor = plugin.another_root();
    assert!(successor.configure(plugin.hand(fake::configuration(INGRESS))));
    successor.tick();
    assert_eq!(plugin.world.tick.get(), 0, "nothing is open");

    let (mut filter, action) = plugin.request(&[(b":method", b"GET"), (b":path", b"/secrets")]);
    assert_eq!(action, Action::Continue, "by the old policy");
    assert_ne!(plugin.world.tick.get(), 0, "but not for long");
    plugin.root.tick();
    assert_eq!(filter.rest_of_request(), Action::Pause);
    assert_eq!(revoked(&plugin, "l7"), 1);
}

#[test]
fn without_anything_open_there_is_nothing_to_call_back_for() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    assert!(plugin.configure(fake::configuration(INGRESS)));
    assert_eq!(plugin.world.tick.get(), 0);
}

#[test]
fn a_host_that_never_calls_back_is_complained_about() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    let _open = plugin.connect(XWING, DEATHSTAR);
    plugin.world.never_ticks.set(true);
    assert!(plugin.configure(fake::configuration(INGRESS)), "the policy is good");
    let (level, line) = last_log(&plugin);
    assert_eq!(level, Level::Error);
    assert!(line.contains("does not call back"), "{line}");
}

#[test]
fn a_panic_on_the_way_closes_what_it_was_about() {
    let plugin = Plugin::new(&fake::ingress(INGRESS, &[&fake::anybody(80, "")]));
    let (_open, action) = plugin.connect(XWING, DEATHSTAR);
    assert_eq!(action, Action::Continue);
    assert!(plugin.configure(fake::ingress(
        INGRESS,
        &[&fake::anybody(80, r#","serverNames":["a.example"]"#)]
    )));
    plugin.world.mood.set(Mood::Panicking);
    plugin.root.tick();
    plugin.world.mood.set(Mood::Helpful);
    assert_eq!(*plugin.world.closed.borrow(), [Stream::Downstream]);
    assert_eq!(plugin.world.metric("portcullis_panics_total"), 1);
}

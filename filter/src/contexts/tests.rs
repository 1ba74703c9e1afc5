use super::*;
use crate::fake::{self, Plugin, ROOT};

const INGRESS: &str = r#""direction":"ingress","#;

/// A plugin that lets a connection from one pod to another pass.
fn plugin() -> Plugin {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    plugin.world.set("source.address", "10.0.0.2:41000");
    plugin.world.set("destination.address", "10.0.0.1:80");
    plugin
}

#[test]
fn a_stream_is_what_its_first_callback_says() {
    let plugin = plugin();
    let contexts = &plugin.vm.contexts;
    for id in [7, 8] {
        contexts.create(&plugin.vm, id, ROOT);
    }
    assert_eq!(contexts.new_connection(7), Action::Continue);
    assert_eq!(contexts.request_headers(7), Action::Pause, "it is a connection");
    assert_eq!(contexts.data(7, Data::Downstream), Action::Continue, "and remains one");
    assert_eq!(
        contexts.request_headers(8),
        Action::Pause,
        "the connection was not left to HTTP"
    );
    assert!(plugin.world.reply.borrow().is_some(), "but it is a request");
    assert_eq!(contexts.new_connection(8), Action::Pause, "and remains one");
}

#[test]
fn what_is_not_known_lets_nothing_pass_and_asks_nothing() {
    let plugin = plugin();
    let contexts = &plugin.vm.contexts;
    contexts.create(&plugin.vm, 7, 99);
    contexts.create(&plugin.vm, 8, ROOT);
    assert_eq!(contexts.new_connection(8), Action::Continue);
    contexts.delete(8);
    contexts.delete(8);
    let before = plugin.world.verdicts("ingress", "l4", "allow");
    for (id, why) in [
        (7, "a stream of no root"),
        (8, "a connection that is over"),
        (9, "never heard of"),
        (ROOT, "not a stream"),
    ] {
        let answers = [
            contexts.new_connection(id),
            contexts.data(id, Data::Upstream),
            contexts.request_headers(id),
            contexts.rest_of_request(id),
        ];
        assert_eq!(answers, [Action::Pause; 4], "{why}");
        contexts.judge_again(id);
    }
    assert_eq!(
        plugin.world.verdicts("ingress", "l4", "allow"),
        before,
        "nobody was asked"
    );
    assert!(plugin.world.closed.borrow().is_empty());
    assert!(contexts.root(ROOT).is_some(), "the root is what it was");
    assert!(contexts.root(8).is_none() && contexts.root(9).is_none());
}

#[test]
fn a_host_may_call_back_while_a_callback_runs() {
    let plugin = plugin();
    let contexts = &plugin.vm.contexts;
    contexts.create(&plugin.vm, 7, ROOT);
    contexts.create(&plugin.vm, 8, ROOT);
    let action = contexts.run(7, |_| {
        assert_eq!(
            contexts.data(7, Data::Downstream),
            Action::Pause,
            "its callback runs already"
        );
        assert_eq!(contexts.new_connection(8), Action::Continue, "that of another does not");
        assert!(contexts.outdated(9).is_empty());
        Action::Continue
    });
    assert_eq!(action, Action::Continue);
    assert_eq!(contexts.new_connection(7), Action::Continue, "as if nothing had been");

    contexts.run(7, |_| {
        contexts.delete(7);
        Action::Pause
    });
    assert_eq!(contexts.data(7, Data::Downstream), Action::Pause, "it is gone");

    contexts.create(&plugin.vm, 7, ROOT);
    contexts.run(7, |_| {
        contexts.create(&plugin.vm, 7, 0);
        Action::Pause
    });
    assert!(contexts.root(7).is_some(), "the newer one with this id stays");
}

#[test]
fn finds_what_is_outdated_until_it_was_judged_again() {
    let plugin = plugin();
    let contexts = &plugin.vm.contexts;
    for id in [7, 8, 9] {
        contexts.create(&plugin.vm, id, ROOT);
        assert_eq!(contexts.new_connection(id), Action::Continue);
    }
    contexts.create(&plugin.vm, 10, ROOT);
    assert!(contexts.outdated(9).is_empty(), "nothing is");
    assert!(plugin.configure(fake::without_policies(r#""direction":"ingress","flowLog":true,"#)));
    assert_eq!(
        contexts.outdated(9),
        [7, 8, 9],
        "who was not asked yet gets the new policy"
    );
    assert_eq!(contexts.outdated(2).len(), 2, "not more than asked for");
    contexts.judge_again(8);
    contexts.delete(9);
    assert_eq!(contexts.outdated(9), [7], "the rest");
}

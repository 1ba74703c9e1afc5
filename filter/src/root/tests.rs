use policy_core::packed::{self, Form};

use super::*;
use crate::fake::{self, Mood, OTHER_ROOT, Plugin};
use crate::host::Action;
use crate::stream::Data;

mod revocation;

const TIE: &str = "10.0.0.2:41000";
const XWING: &str = "10.0.0.3:41000";
const DEATHSTAR: &str = "10.0.0.1:80";
const INGRESS: &str = r#""direction":"ingress","#;

fn last_log(plugin: &Plugin) -> (Level, String) {
    plugin.world.logs.borrow().last().cloned().expect("a line")
}

fn connects(plugin: &Plugin, source: &str) -> bool {
    plugin.connect(source, DEATHSTAR).1 == Action::Continue
}

#[test]
fn before_the_first_policy_everything_is_denied() {
    let plugin = Plugin::unconfigured();
    assert!(!connects(&plugin, TIE));
    assert_eq!(plugin.world.state("portcullis_reason"), "no-policy");
    assert_eq!(plugin.world.verdicts("unknown", "l4", "deny"), 1);
    assert_eq!(plugin.get("deathstar", "/"), Action::Pause);
    assert_eq!(plugin.world.state("portcullis_reason"), "no-policy");
}

#[test]
fn wrong_bytes_are_refused_and_the_last_good_policy_stays() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    let json = fake::configuration("");
    let whole = fake::packed(&json);
    let text = packed::configuration(json.as_bytes(), Form::Text).expect("packs");
    let twice = [
        &text[..],
        &whole[whole.iter().position(|byte| *byte == 0).expect("a bundle")..],
    ]
    .concat();
    for (count, (configuration, want)) in [
        (&b""[..], "empty"),
        (b"{", "unexpected end"),
        (br#"{"version":1}"#, "missing field `bundle`"),
        (br#"{"version":1,"bundle":{"version":2}}"#, "not packed"),
        (&whole[..whole.len() - 1], "bundle: "),
        (&twice, "another bundle"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(!plugin.configure(configuration), "{want}");
        let (level, line) = last_log(&plugin);
        assert!(level == Level::Error && line.contains(want), "{want}: {line}");
        assert_eq!(
            plugin.world.metric("portcullis_config_rejected_total"),
            count as u64 + 1
        );
        assert!(
            connects(&plugin, TIE) && !connects(&plugin, XWING),
            "{want}: the last good policy"
        );
    }
    assert!(!plugin.configure(b"\xff\xfe\x00"), "not text");
    assert_eq!(plugin.world.metric("portcullis_bundle_generation"), 1);
    assert_eq!(plugin.world.metric("portcullis_panics_total"), 0);
}

#[test]
fn wrong_bytes_as_the_first_configuration_leave_no_policy() {
    let plugin = Plugin::unconfigured();
    assert!(!plugin.configure("{}"));
    assert!(!connects(&plugin, TIE));
    assert_eq!(plugin.world.state("portcullis_reason"), "no-policy");
}

#[test]
fn what_is_not_in_the_bytes_keeps_the_last_good_policy() {
    let good = fake::configuration(INGRESS);
    let plugin = Plugin::new(&good);
    let successor = plugin.another_root();
    assert!(!successor.configure(0), "wrong bytes, but now it knows its plugin");
    let size = plugin.hand(&good);
    plugin.world.mood.set(Mood::Failing);
    for root in [&plugin.root, &successor] {
        assert!(root.configure(size), "`false` would open the traffic of a worker");
        let (level, line) = last_log(&plugin);
        assert!(
            level == Level::Critical && line.contains("host status 10") && line.contains("last good"),
            "{line}"
        );
    }
    plugin.world.mood.set(Mood::Helpful);
    assert!(connects(&plugin, TIE) && !connects(&plugin, XWING));
    assert_eq!(
        plugin.stream_of(OTHER_ROOT).new_connection(),
        Action::Pause,
        "still the xwing"
    );
    plugin.world.set("source.address", TIE);
    assert_eq!(plugin.stream_of(OTHER_ROOT).new_connection(), Action::Continue);
}

#[test]
fn what_is_not_in_the_bytes_denies_if_there_is_no_good_policy() {
    let good = fake::configuration(INGRESS);
    for (mood, want) in [(Mood::Failing, "host status 10"), (Mood::Panicking, "internal error")] {
        let plugin = Plugin::unconfigured();
        let size = plugin.hand(&good);
        plugin.world.mood.set(mood);
        assert!(
            plugin.root.configure(size),
            "`false` would open the traffic of a worker"
        );
        plugin.world.mood.set(Mood::Helpful);
        let line = last_log(&plugin).1;
        assert!(line.contains(want) && line.contains("everything is denied"), "{line}");
        assert!(!connects(&plugin, TIE));
        assert_eq!(plugin.world.state("portcullis_reason"), "broken-configuration");
        assert!(
            plugin.configure(&good) && connects(&plugin, TIE),
            "and the next one heals it"
        );
    }
}

#[test]
fn a_configuration_that_arrives_in_part_is_not_one() {
    let plugin = Plugin::unconfigured();
    let good = fake::configuration(INGRESS);
    let size = plugin.hand(&good);
    assert!(plugin.root.configure(size + 1));
    assert!(last_log(&plugin).1.contains("bytes arrived"));
    assert!(!connects(&plugin, TIE));
    assert_eq!(plugin.world.state("portcullis_reason"), "broken-configuration");
    assert!(plugin.configure(&good));
    assert!(connects(&plugin, TIE));
}

#[test]
fn a_configuration_that_fits_into_no_vm_is_refused_by_its_size() {
    let plugin = Plugin::new(&fake::configuration(INGRESS));
    assert!(!plugin.root.configure(MAX_SIZE + 1), "before a byte of it was read");
    let (_, line) = last_log(&plugin);
    assert!(line.contains("refused") && line.contains("67108865 bytes"), "{line}");
    assert!(
        plugin.root.configure(MAX_SIZE),
        "only a part arrives, and that is not its fault"
    );
    assert!(last_log(&plugin).1.contains("bytes arrived"));
    assert!(connects(&plugin, TIE), "the last good policy stays");
}

#[test]
fn open_connections_follow_the_root_that_gets_the_new_ones() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    let (mut before, action) = plugin.connect(XWING, DEATHSTAR);
    assert_eq!(action, Action::Continue, "no policy isolates the deathstar");
    let (mut later, _) = plugin.connect(TIE, DEATHSTAR);

    let successor = plugin.another_root();
    let size = plugin.hand(fake::configuration(INGRESS));
    assert!(successor.configure(size));
    assert_eq!(plugin.world.metric("portcullis_bundle_generation"), 2);
    assert_eq!(
        before.data(Data::Downstream),
        Action::Pause,
        "the open connection is not allowed any more"
    );
    assert_eq!(later.data(Data::Downstream), Action::Continue);
    assert_eq!(
        plugin.world.state("portcullis_reason"),
        "allowed-by-rule",
        "this one is, by the new policy"
    );

    // The old configuration comes back: Envoy takes its old root without a word.
    assert!(connects(&plugin, XWING), "a new connection has the policy of its root");
    assert_eq!(plugin.world.metric("portcullis_bundle_generation"), 1);
    assert_eq!(later.data(Data::Downstream), Action::Continue);
    assert_eq!(
        plugin.world.state("portcullis_reason"),
        "not-isolated",
        "by the old policy again"
    );
}

#[test]
fn a_request_asks_its_own_root() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    plugin.world.listener("protocol", "http");
    let successor = plugin.another_root();
    let size = plugin.hand(fake::configuration(INGRESS));
    plugin.connect(XWING, DEATHSTAR);
    assert!(successor.configure(size));
    assert_eq!(
        plugin.stream_of(OTHER_ROOT).request_headers(),
        Action::Pause,
        "the new policy, on an open connection"
    );
    assert_eq!(
        plugin.get("deathstar", "/"),
        Action::Continue,
        "Envoy went back to the old one"
    );
}

#[test]
fn other_plugins_have_their_own_policy() {
    for (property, value) in [
        ("plugin_name", Some("other")),
        ("plugin_root_id", Some("other")),
        ("plugin_name", None),
        ("plugin_root_id", None),
    ] {
        let plugin = Plugin::new(&fake::without_policies(INGRESS));
        let (mut open, action) = plugin.connect(XWING, DEATHSTAR);
        assert_eq!(action, Action::Continue);
        match value {
            Some(value) => plugin.world.set(property, value),
            None => plugin.world.unset(property),
        }
        let other = plugin.another_root();
        let size = plugin.hand(fake::configuration(INGRESS));
        assert!(other.configure(size));
        assert_eq!(plugin.stream_of(OTHER_ROOT).new_connection(), Action::Pause);
        assert_eq!(
            open.data(Data::Downstream),
            Action::Continue,
            "{property} {value:?}: the first plugin has the policy that it had"
        );
        assert!(
            connects(&plugin, XWING),
            "{property} {value:?}: for new connections, too"
        );
    }
}

//! Policies that are too large, and large ones one after the other: what was in force stays, and memory is given back.

mod common;

use common::policy::Configuration;
use common::traffic::{busy_world, paths};
use common::{TIMEOUT, World, envoy};
use envoy_e2e::ecds::{self, Layer};
use envoy_e2e::run::{Answer, EnvoyProcess, Options, Pushed};
use envoy_e2e::world::tcp::{self, Probe};
use serde_json::{Value, json};

/// The largest configuration that the plugin looks at.
const LIMIT: usize = 64 << 20;
/// As many rules on requests as one rule of a policy may have, if they are short.
const MANY_RULES: usize = 150_000;
/// The pods of a large policy.
const ENDPOINTS: u32 = 10_000;
/// How often a large policy is replaced by another one; memory may grow in the first of these.
const PUSHES: u32 = 20;
const WARM_UP: u32 = 5;

/// A world in which TCP and `/both` are allowed, to the client alone.
struct Scene {
    world: World,
    envoy: EnvoyProcess,
}

impl Scene {
    /// With the whole world, and two workers.
    fn start() -> Option<Self> {
        Self::start_with(busy_world()?, &Options::default())
    }

    /// What is large is read once for each layer and built once for each worker: here there is one of both.
    fn start_small() -> Option<Self> {
        let options = Options {
            concurrency: 1,
            ..Options::default()
        };
        Self::start_with(busy_world()?.only(&["echo"]), &options)
    }

    fn start_with(world: World, options: &Options) -> Option<Self> {
        let envoy = envoy()?;
        ecds::write(&world.node, good(&world).text().as_bytes()).unwrap();
        let envoy = EnvoyProcess::start(&envoy, world.node.clone(), world.dir.path(), options).unwrap();
        Some(Self { world, envoy })
    }

    fn push(&self, configuration: &str) -> Pushed {
        self.envoy.push(configuration.as_bytes()).unwrap()
    }

    /// The good policy is in force, on connections to either worker.
    fn assert_good(&self, when: &str) {
        for _ in 0..4 {
            assert!(self.world.tcp_passes(), "{when}");
            let stranger = tcp::probe(self.world.stranger(), self.world.listener("echo"), b"", TIMEOUT);
            assert_eq!(stranger.unwrap(), Probe::Closed, "{when}");
            if self.world.node.speaks_http() {
                let passes = ["/both", "/neither"].map(|path| self.world.http_passes(path));
                assert_eq!(passes, [true, false], "{when}");
            }
        }
    }

    fn refusals(&self) -> u64 {
        let name = "wasmcustom.portcullis_config_rejected_total";
        self.envoy.admin().stat(name).unwrap().unwrap_or(0)
    }
}

fn good(world: &World) -> Configuration {
    Configuration::requests(world, paths(&["/both"]))
}

#[test]
fn a_configuration_beyond_the_limit_is_refused_with_its_size() {
    let Some(scene) = Scene::start_small() else { return };
    let padded = Configuration::deny_all(&scene.world).with("revision", json!(" ".repeat(LIMIT)));
    assert_eq!(scene.push(&padded.text()).network, Answer::Rejected);
    scene
        .envoy
        .wait_for_log(&format!("bytes, more than {LIMIT}"), TIMEOUT)
        .unwrap();
    scene.assert_good("after the refusal");
}

#[test]
fn the_largest_rule_is_taken_and_a_larger_one_is_not_published() {
    let Some(scene) = Scene::start_small() else { return };
    let with = |count| {
        let mut rules = vec![r#"{"method":"NONE"}"#; count];
        rules.push(r#"{"path":"/both"}"#);
        let text = Configuration::requests(&scene.world, json!(["MANY"])).text();
        text.replace("\"MANY\"", &rules.join(","))
    };
    assert!(scene.push(&with(MANY_RULES)).accepted());
    scene.assert_good("with the largest rule");
    let larger = scene
        .envoy
        .push(with(MANY_RULES * 2).as_bytes())
        .expect_err("no object is as large");
    assert!(
        format!("{larger:#}").contains("a rule of more than 2 MiB"),
        "{larger:#}"
    );
    scene.assert_good("after a larger one");
    assert_eq!(scene.refusals(), 0);
}

#[test]
fn large_policies_open_nothing_and_give_their_memory_back() {
    let Some(scene) = Scene::start() else { return };
    let mut warm = 0;
    for number in 1..=PUSHES {
        let pushed = scene.push(&large(&scene.world, number));
        assert!(pushed.accepted(), "{pushed:?}");
        scene.assert_good("a large policy");
        let memory = scene.envoy.resident_kilobytes().unwrap();
        if number % WARM_UP == 0 {
            println!("after {number} large policies: {memory} kB");
        }
        if number == WARM_UP {
            warm = memory;
        }
        assert!(
            warm == 0 || memory <= warm + warm / 10,
            "memory grew from {warm} to {memory} kB"
        );
    }
    let failures = Layer::ALL.map(|layer| {
        let name = format!("{}.config_fail", layer.stat_prefix());
        scene.envoy.admin().stat(&name).unwrap().unwrap_or(0)
    });
    assert_eq!((failures, scene.refusals()), ([0, 0], 0));
}

/// The good policy in a cluster of many pods; each number gives other ones.
fn large(world: &World, number: u32) -> String {
    let mut configuration: Value = serde_json::from_str(&good(world).text()).unwrap();
    let bundle = &mut configuration["bundle"];
    let identities = bundle["identities"].as_array_mut().unwrap();
    let first = identities.len();
    identities.extend((0..ENDPOINTS / 10).map(|app| json!({ "labels": [format!("k8s:app=app-{number}-{app}")] })));
    let endpoint = |n: u32| {
        json!({
            "name": format!("test/pod-{number}-{n}"),
            "identity": first + usize::try_from(n / 10).unwrap(),
            "addresses": [format!("10.{number}.{}.{}", n / 256, n % 256)],
        })
    };
    let endpoints = bundle["endpoints"].as_array_mut().unwrap();
    endpoints.extend((0..ENDPOINTS).map(endpoint));
    configuration.to_string()
}

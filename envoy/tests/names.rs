//! Where names lead that Envoy itself resolves: never to an address inside the cluster, whatever DNS says.

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use common::module::Module;
use common::{NAME, TIMEOUT, World, envoy_that_guards_names};
use envoy_e2e::config::{IpRange, Node};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{self, Request};
use envoy_e2e::world::http::HttpApp;

/// A world whose plugin allows everything, and its Envoy.
fn start(change: impl FnOnce(&mut World)) -> Option<(World, EnvoyProcess)> {
    let envoy = envoy_that_guards_names()?;
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(&Module::AllowAll.write(dir.path()));
    change(&mut world);
    let running = world.start(&envoy, "{}");
    Some((world, running))
}

/// An application inside the cluster, at the port to which names lead.
fn inside(world: &World) -> HttpApp {
    let address = SocketAddr::new(world.network.host(4), world.app.address().port());
    HttpApp::start(address, "inside", vec![]).unwrap()
}

/// What a request for `name` gets on the listener where clients name any host.
fn status(world: &World, listener: &str, name: &str) -> u16 {
    let host = format!("{name}:{}", world.app.address().port());
    world.get(listener, &host, "/").unwrap().status
}

#[test]
fn a_name_that_leads_inside_is_denied_before_anything_is_contacted() {
    let Some((world, envoy)) = start(|world| world.dns.set(NAME, vec![world.network.host(4)])) else {
        return;
    };
    let inside = inside(&world);
    for listener in ["names", "any-name"] {
        assert_eq!(status(&world, listener, NAME), 403, "{listener}");
        let line = envoy
            .wait_for_access(|line| line["listener"] == listener && line["log"] == "request", TIMEOUT)
            .unwrap();
        assert_eq!(line["http"], "allow", "the policy allows the name: {line}");
        assert_eq!(line["details"], "rbac_access_denied_matched_policy[none]");
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(inside.connections(), 0);
}

#[test]
fn an_upgrade_is_no_way_around_it() {
    let Some((world, _envoy)) = start(|world| world.dns.set(NAME, vec![world.network.host(4)])) else {
        return;
    };
    let inside = inside(&world);
    for listener in ["names", "any-name"] {
        let request = Request::new("GET", "/", &format!("{NAME}:{}", world.app.address().port()))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket");
        let answer = client::request(world.client(), world.listener(listener), &request, TIMEOUT);
        assert_eq!(answer.unwrap().status, 403, "{listener}");
    }
    assert_eq!(inside.connections(), 0);
}

#[test]
fn a_name_that_leads_outside_passes() {
    let Some((world, _envoy)) = start(|_| ()) else { return };
    for listener in ["names", "any-name"] {
        assert_eq!(status(&world, listener, NAME), 200, "{listener}");
    }
}

#[test]
fn a_second_address_inside_is_not_reached_when_the_first_one_refuses() {
    let Some((world, _envoy)) = start(|world| {
        // Nobody listens on host 5.
        let addresses: [IpAddr; 2] = [world.network.host(5), world.network.host(4)];
        world.dns.set(NAME, addresses.to_vec());
    }) else {
        return;
    };
    let inside = inside(&world);
    for listener in ["names", "any-name"] {
        for _ in 0..4 {
            assert_ne!(status(&world, listener, NAME), 200, "{listener}");
        }
    }
    assert_eq!(inside.requests(), []);
}

#[test]
fn of_several_addresses_those_outside_are_used() {
    let Some((world, _envoy)) = start(|world| {
        let addresses: [IpAddr; 2] = [world.network.host(4), world.network.host(2)];
        world.dns.set(NAME, addresses.to_vec());
    }) else {
        return;
    };
    let inside = inside(&world);
    for listener in ["names", "any-name"] {
        let statuses: BTreeSet<_> = (0..8).map(|_| status(&world, listener, NAME)).collect();
        assert_eq!(statuses, BTreeSet::from([200, 403]), "{listener}: they take turns");
    }
    assert_eq!(inside.connections(), 0);
}

#[test]
fn listeners_do_not_disturb_each_other() {
    let Some((world, _envoy)) = start(|world| {
        let again = world.node.listeners.iter().find(|listener| listener.name == "any-name");
        let mut again = again.unwrap().clone();
        again.name = "again".into();
        again.address = world.network.free(1).unwrap();
        world.node.listeners.push(again);
    }) else {
        return;
    };
    for listener in ["any-name", "again", "any-name", "names"] {
        assert_eq!(status(&world, listener, NAME), 200, "{listener}");
    }
}

#[test]
fn the_port_that_is_judged_is_the_one_that_is_contacted() {
    let Some(envoy) = envoy_that_guards_names() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(&Module::Tell.write(dir.path()));
    world.node.stand_in_ports = false;
    for listener in &mut world.node.listeners {
        listener.logical_port = None;
    }
    let running = world.start(&envoy, "{}");
    let port = world.app.address().port().to_string();
    for listener in ["names", "any-name"] {
        status(&world, listener, NAME);
        let line = running
            .wait_for_access(|line| line["listener"] == listener, TIMEOUT)
            .unwrap();
        assert_eq!(line["rule"], port, "the plugin's port on {listener}");
    }
}

#[test]
fn no_search_domain_is_ever_appended() {
    // Also with the system's resolvers, whose configuration has such domains in every pod.
    for dns_resolver in [None, Node::example().dns_resolver] {
        let node = Node {
            dns_resolver,
            ..Node::example()
        };
        let bootstrap = node.bootstrap().unwrap().to_yaml().unwrap();
        let found = bootstrap.matches("no_default_search_domain: true").count();
        assert_eq!(found, 2, "for one name and for any name: {dns_resolver:?}");
    }
}

#[test]
fn no_spelling_of_a_local_address_passes_by_default() {
    for address in [
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "fe80::1",
    ] {
        let Some((world, _envoy)) = start(|world| {
            world.node.cluster_ranges = IpRange::LOCAL.to_vec();
            world.dns.set(NAME, vec![address.parse().unwrap()]);
        }) else {
            return;
        };
        for listener in ["names", "any-name"] {
            assert_eq!(status(&world, listener, NAME), 403, "{listener}: {address}");
        }
    }
}

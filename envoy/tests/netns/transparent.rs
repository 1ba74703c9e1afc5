//! The node proxy of the empire: one Envoy for all pods, through which the kernel leads what they send.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use envoy_e2e::config::{Cluster as Upstream, Direction, Listener, ListenerKind, Node, OriginalDst, Route};
use envoy_e2e::netns::intercept::{self, Catch};

use super::Binaries;
use super::cluster::Cluster;
use super::empire::{CILIUM_IO, GOOGLE_COM};
use super::proxy::{self, Proxy, with_sources_kept};

/// The ports of Envoy's listeners, all on 127.0.0.1 of the node.
const HTTP: u16 = 15080;
const OUTSIDE: u16 = 15081;
const TCP: u16 = 15001;

/// Intercepts all traffic of the empire and starts its Envoy.
pub(crate) fn start(empire: &Cluster, binaries: &Binaries, configuration: &str) -> Proxy {
    intercept::tproxy(empire.network.node(), &catches()).unwrap();
    restart(empire, binaries, configuration)
}

/// Starts its Envoy where traffic is intercepted already.
pub(crate) fn restart(empire: &Cluster, binaries: &Binaries, configuration: &str) -> Proxy {
    let node = node(binaries, empire.dir.path());
    let bootstrap = with_sources_kept(&node.bootstrap().unwrap().to_yaml().unwrap());
    Proxy::start(empire.network.node(), &binaries.envoy, &node, &bootstrap, configuration)
}

/// Web pages outside are judged by their names, HTTP by requests, and the rest by connections.
fn catches() -> Vec<Catch> {
    let outside = (Ipv4Addr::new(198, 51, 100, 0), 24);
    let catch = |to, port, listener| Catch { to, port, listener };
    vec![
        catch(Some(outside), Some(80), OUTSIDE),
        catch(None, Some(80), HTTP),
        catch(None, Some(8080), HTTP),
        catch(None, Some(9090), HTTP),
        catch(None, None, TCP),
    ]
}

fn node(binaries: &Binaries, dir: &Path) -> Node {
    let listener = |name: &str, port, direction, kind| Listener {
        original_dst: Some(OriginalDst::Transparent),
        ..Listener::new(name, SocketAddr::from(([127, 0, 0, 1], port)), direction, kind)
    };
    let names = Route::Names {
        names: vec![CILIUM_IO.into(), GOOGLE_COM.into()],
        port: 80,
    };
    let http = |route| ListenerKind::Http { route };
    let original = || Upstream::ORIGINAL_DST.to_owned();
    let tcp = ListenerKind::Tcp { cluster: original() };
    let listeners = vec![
        listener("http", HTTP, Direction::Both, http(Route::Cluster(original()))),
        listener("outside", OUTSIDE, Direction::Egress, http(names)),
        listener("tcp", TCP, Direction::Both, tcp),
    ];
    Node {
        envoy: binaries.version,
        dns_resolver: Some(SocketAddr::from(([10, 200, 1, 53], 53))),
        ..proxy::node(binaries, dir, listeners)
    }
}

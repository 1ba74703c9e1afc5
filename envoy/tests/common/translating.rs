//! An Envoy that speaks HTTP/1 to the application, whatever the client speaks. As shipped it passes HTTP/2 on as HTTP/2;
//! translated, what passes as one field could become two lines.

use envoy_e2e::ecds;
use envoy_e2e::run::{EnvoyProcess, Options};

use super::policy::Configuration;
use super::{World, envoy, plugin};

/// The world with the real plugin and this Envoy; nothing if one of them is missing.
pub(crate) fn start(configuration: impl FnOnce(&World) -> Configuration) -> Option<(World, EnvoyProcess)> {
    let (envoy, plugin) = (envoy()?, plugin()?);
    let world = World::new(&plugin);
    ecds::write(&world.node, configuration(&world).text().as_bytes()).unwrap();
    let shipped = world.node.bootstrap().unwrap().to_yaml().unwrap();
    let as_it_came = "        use_downstream_protocol_config:\n          http_protocol_options: {}\n          http2_protocol_options: {}";
    let http1 = "        explicit_http_config:\n          http_protocol_options: {}";
    let yaml = shipped.replace(as_it_came, http1);
    assert_ne!(yaml, shipped, "the cluster looks otherwise");
    let (node, dir) = (world.node.clone(), world.dir.path());
    let running = EnvoyProcess::start_with(&envoy, node, &yaml, dir, &Options::default()).unwrap();
    Some((world, running))
}

//! The destination after load balancing: filters between the router and the endpoint.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    super::{
        envoy::{Listener, Manager, Snapshot, kind},
        fault,
        finding::Findings,
        json::Json as _,
    },
    http, layer,
};

/// Checks a connection manager, if the plugin shall judge the endpoint.
pub(super) fn check(snapshot: &Snapshot, listener: &Listener<'_>, manager: &Manager<'_>, found: &mut Findings) {
    if !listener.judges_upstream() {
        return;
    }
    let upstream = &manager.upstream;
    layer::UPSTREAM.check(&upstream.filters, &listener.name, &upstream.place, found);
    let reachable = reachable(http::routes(snapshot, manager));
    for cluster in snapshot.clusters() {
        let name = cluster.text("/name");
        let own = own_filters(cluster);
        if own.is_null() || reachable.as_ref().is_some_and(|reachable| !reachable.contains(name)) {
            continue;
        }
        let mut wrong = Findings::default();
        layer::UPSTREAM.check(&snapshot.filters(own), &listener.name, &upstream.place, &mut wrong);
        if !wrong.is_empty() {
            let message = "its own `http_filters` are without plugin and guard";
            found.add(
                &fault::UPSTREAM_OVERRIDDEN,
                &listener.name,
                format!("cluster `{name}`"),
                message,
            );
        }
    }
}

/// The upstream filters that a cluster has in place of the router's.
fn own_filters(cluster: &Value) -> &Value {
    let options = cluster.at("/typed_extension_protocol_options").get(kind::HTTP_OPTIONS);
    options.map_or(&Value::Null, |options| options.at("/http_filters"))
}

/// The clusters that routes name. `None` if they may lead to any: a header selects it, or the routes are not known.
fn reachable(routes: &Value) -> Option<BTreeSet<String>> {
    let mut actions = Vec::new();
    routes.everywhere("route", &mut actions);
    let open = [
        "cluster_header",
        "cluster_specifier_plugin",
        "inline_cluster_specifier_plugin",
    ];
    if actions.is_empty()
        || actions
            .iter()
            .any(|action| open.iter().any(|field| action.get(field).is_some()))
    {
        return None;
    }
    let names = actions.iter().flat_map(|action| {
        let weighted = action
            .items("/weighted_clusters/clusters")
            .map(|cluster| cluster.text("/name"));
        weighted
            .chain([action.text("/cluster")])
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    Some(names.filter(|name| !name.is_empty()).collect())
}

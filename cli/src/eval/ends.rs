//! Both ends of every flow of a line, as far as an answer about them would be right.

use std::net::IpAddr;

use policy_core::Bundle;

use super::{flow::Flow, line::Line};
use crate::{args::Peer, placement::Placement};

/// The ends of a flow, and whose policies can be asked about them.
pub(super) struct Ends {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// Whether the policies of the source are those of this cluster.
    pub(super) asks_egress: bool,
    /// Whether those of the destination are.
    pub(super) asks_ingress: bool,
}

/// The bundle in which everybody has an address, and the ends of each flow; `None` for a flow that is not supported.
///
/// An error says which flow names a pod that the line does not describe.
pub(super) fn place(line: &Line, bundle: Bundle) -> Result<(Bundle, Vec<Option<Ends>>), String> {
    let peers = line.flows.iter().flat_map(|flow| [&flow.from, &flow.to]);
    let foreign = peers.filter_map(|peer| match peer {
        Peer::Address(address) => Some(*address),
        Peer::Pod { .. } | Peer::Labels { .. } | Peer::Reserved(_) => None,
    });
    let mut placement = Placement::new(bundle, foreign);
    let flows = line.flows.iter().enumerate();
    let ends =
        flows.map(|(i, flow)| ends_of(flow, line, &mut placement).map_err(|error| format!("flows[{i}].{error}")));
    let ends = ends.collect::<Result<_, String>>()?;
    Ok((placement.into_bundle(), ends))
}

fn ends_of(flow: &Flow, line: &Line, placement: &mut Placement) -> Result<Option<Ends>, String> {
    let mut place = |key: &str, peer| match placement.place(peer) {
        Ok(address) => Ok(Some(address)),
        // A pod on the network of its node, or an invalid one: nobody can say who it is.
        Err(_) if describes(line, peer) => Ok(None),
        Err(error) => Err(format!("{key}: {error}")),
    };
    let (source, destination) = (place("from", &flow.from)?, place("to", &flow.to)?);
    let (Some(source), Some(destination)) = (source, destination) else {
        return Ok(None);
    };
    let is_apiserver = |address: IpAddr| line.apiserver_ips.contains(&address);
    let is_elsewhere = |address: IpAddr| {
        let cluster = placement.owner(address).and_then(|owner| line.pod_clusters.get(owner));
        cluster.is_some_and(|cluster| *cluster != line.options.cluster)
    };
    let has_policy = |address| !is_elsewhere(address) && !is_apiserver(address);
    Ok(Some(Ends {
        source,
        destination,
        asks_egress: has_policy(source),
        asks_ingress: has_policy(destination),
    }))
}

/// Whether the line has an object for this pod.
fn describes(line: &Line, peer: &Peer) -> bool {
    let Peer::Pod { namespace, name } = peer else {
        return false;
    };
    line.objects.iter().any(|object| {
        let metadata = &object["metadata"];
        let of_namespace = metadata["namespace"].as_str().unwrap_or("default");
        object["kind"] == "Pod" && of_namespace == namespace && metadata["name"] == name.as_str()
    })
}

//! `fromEntities` and `toEntities`.

use policy_core::bundle::{PeerPattern, ReservedEntity};

use super::super::{Context, Cursor, cursor::closest};
use crate::{
    diagnostic::Code,
    resource::{Peer, Peers},
};

const ENTITIES: [&str; 14] = [
    "all",
    "world",
    "world-ipv4",
    "world-ipv6",
    "cluster",
    "host",
    "init",
    "ingress",
    "unmanaged",
    "remote-node",
    "health",
    "none",
    "kube-apiserver",
    "cluster-mesh",
];

/// Reads a list that is not empty.
pub(super) fn entities(cx: &mut Context<'_>, items: &[Cursor<'_>]) -> Peers {
    let mut peers = Vec::new();
    let mut any = false;
    for item in items {
        let Some(name) = item.text(cx) else { continue };
        any |= name == "all";
        peers.extend(entity(cx, item, name).map(|entity| Peer::Pattern(PeerPattern::Entity(entity))));
    }
    if any { Peers::Any } else { Peers::OneOf(peers) }
}

/// `None` for `all`, which is no group of identities, and for what is wrong.
fn entity(cx: &mut Context<'_>, at: &Cursor<'_>, name: &str) -> Option<ReservedEntity> {
    let entity = match name {
        "all" => return None,
        "world" => ReservedEntity::World,
        "world-ipv4" => ReservedEntity::WorldIpv4,
        "world-ipv6" => ReservedEntity::WorldIpv6,
        "cluster" => ReservedEntity::Cluster,
        "cluster-mesh" => ReservedEntity::ClusterMesh,
        "host" => ReservedEntity::Host,
        "init" => ReservedEntity::Init,
        "ingress" => ReservedEntity::Ingress,
        "unmanaged" => ReservedEntity::Unmanaged,
        "remote-node" => ReservedEntity::RemoteNode,
        "health" => ReservedEntity::Health,
        "none" => ReservedEntity::None,
        "kube-apiserver" => ReservedEntity::KubeApiserver,
        _ => {
            let diagnostic = cx.error(at, Code::B3, format!("unknown entity `{name}`"));
            match closest(name, &ENTITIES) {
                Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
                None => diagnostic.help(format!("the entities are {}", ENTITIES.join(", "))),
            };
            return None;
        }
    };
    let prefix = match entity {
        ReservedEntity::WorldIpv4 => "0.0.0.0/0",
        ReservedEntity::WorldIpv6 => "::/0",
        _ => return Some(entity),
    };
    if cx.at_cluster() {
        cx.error(
            at,
            Code::D3,
            format!("the API server does not admit the entity `{name}`"),
        )
        .help(format!("the CIDR `{prefix}` selects the same peers"));
    }
    Some(entity)
}

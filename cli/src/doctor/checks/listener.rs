//! What the listener tells the plugin, and what it lets clients say.

use super::super::{
    envoy::{Chain, Listener, kind},
    fault,
    finding::Findings,
    json::Json as _,
};

/// Values of the metadata that the plugin understands, for keys that have a fixed list.
const VALUES: [(&str, &[&str]); 6] = [
    ("direction", &["ingress", "egress", "both"]),
    ("destination", &["address", "authority", "upstream"]),
    ("protocol", &["http", "tcp"]),
    ("authentication", &["network"]),
    ("transport", &["TCP", "UDP", "SCTP", "ICMP", "ICMPv6"]),
    ("certificate", &["ignored", "witnessed", "verified"]),
];

/// Checks the listener apart from its filter chains.
pub(super) fn check(listener: &Listener<'_>, found: &mut Findings) {
    if let Some(why) = listener.refused {
        let message = format!("Envoy refused its last update: {}", why.trim());
        found.add(&fault::LISTENER_REFUSED, &listener.name, "", message);
    }
    metadata(listener, found);
    direction(listener, found);
    let has = |kind| listener.listener_filters().any(|filter| filter == kind);
    let deprecated = |chain: &Chain<'_>| chain.config.flag("/use_proxy_proto");
    if has(kind::PROXY_PROTOCOL) || listener.chains.iter().any(deprecated) {
        let message = "clients send their address in a PROXY protocol header";
        found.add(&fault::PROXY_PROTOCOL, &listener.name, "listener_filters", message);
    }
    let wanted = listener.plugins_in_force().any(|(_, plugin)| {
        plugin
            .settings
            .as_ref()
            .is_ok_and(|settings| settings.bundle.server_names)
    });
    let passes_through = |chain: &Chain<'_>| chain.tcp_proxy().is_some() && chain.tls().is_none();
    if wanted && listener.chains.iter().any(passes_through) && !has(kind::TLS_INSPECTOR) {
        let message = "the policy has rules with server names, and nothing reads the name that a client asks for";
        found.add(
            &fault::SERVER_NAMES_UNKNOWN,
            &listener.name,
            "listener_filters",
            message,
        );
    }
}

fn metadata(listener: &Listener<'_>, found: &mut Findings) {
    let all = listener.config.at("/metadata/filter_metadata/portcullis");
    for (key, value) in all.as_object().into_iter().flatten() {
        let understood = match (value.as_str(), VALUES.iter().find(|(known, _)| known == key)) {
            (None, _) => false,
            (Some(value), Some((_, values))) => values.contains(&value),
            (Some(value), None) if key == "port" => value.parse::<u16>().is_ok_and(|port| port != 0),
            // Names of other things.
            (Some(_), None) => true,
        };
        if !understood {
            let message = format!("nobody defined what {value} means");
            found.add(
                &fault::BAD_METADATA,
                &listener.name,
                format!("metadata `{key}`"),
                message,
            );
        }
    }
}

fn direction(listener: &Listener<'_>, found: &mut Findings) {
    let said = listener.setting("direction", |settings| settings.direction.as_deref());
    let says_listener = said.is_none_or(|direction| direction == "listener");
    let unspecified = ["", "UNSPECIFIED"].contains(&listener.config.text("/traffic_direction"));
    // Without a plugin there is nobody to tell.
    if says_listener && unspecified && listener.plugins_in_force().next().is_some() {
        let message = "neither the listener nor the plugin's configuration say whose policy decides";
        found.add(&fault::NO_DIRECTION, &listener.name, "", message);
    }
}

//! `listener`: a custom listener that takes the connection.

use policy_core::{Direction, bundle::Listener};

use super::{Item, missing, named};
use crate::{
    decode::{Context, Cursor},
    diagnostic::Code,
};

const NAMESPACED: &str = "CiliumEnvoyConfig";
const CLUSTER_WIDE: &str = "CiliumClusterwideEnvoyConfig";

/// Reads `listener` of an item, whose `rules` may restrict requests or not.
pub(super) fn listener(cx: &mut Context<'_>, item: &Item<'_>, restricted: bool) -> Option<Listener> {
    let at = item.at.get("listener")?;
    at.fields(cx, &["name", "envoyConfig", "priority"]);
    if item.section.direction == Direction::Ingress {
        cx.error(&at, Code::C13, "`listener` is for egress only")
            .help("remove it, or move the element to `egress`");
    }
    if restricted {
        cx.error(&at, Code::C13, "`listener` and `rules` cannot be combined in one item")
            .help("remove `rules`: the listener decides about requests");
    }
    let name = named(cx, &at, "name", "write the name of a listener of the configuration");
    let config = config(cx, &at, item.section.for_nodes);
    let priority = priority(cx, &at);
    Some(Listener {
        name: format!("{config}/{name}").into(),
        priority,
    })
}

/// Kind and name of the configuration that has the listener.
fn config(cx: &mut Context<'_>, listener: &Cursor<'_>, for_nodes: bool) -> String {
    let Some(at) = listener.get("envoyConfig") else {
        missing(
            cx,
            listener,
            "envoyConfig",
            "write `envoyConfig:` and the name of the configuration",
        );
        return String::new();
    };
    at.fields(cx, &["kind", "name"]);
    let kind = kind(cx, &at, for_nodes);
    let name = named(cx, &at, "name", "write the name of the configuration");
    format!("{kind}/{name}")
}

/// The kind, which by default is that of the scope of the policy.
fn kind(cx: &mut Context<'_>, config: &Cursor<'_>, for_nodes: bool) -> &'static str {
    let cluster_wide = cx.object().namespace.is_empty();
    let default = if cluster_wide { CLUSTER_WIDE } else { NAMESPACED };
    let Some(value) = config.get("kind") else {
        return default;
    };
    match value.text(cx) {
        Some(CLUSTER_WIDE) => CLUSTER_WIDE,
        Some(NAMESPACED) => {
            // Policies of nodes are not computed here, so they cannot fail to be.
            if cluster_wide && !for_nodes {
                cx.error(
                    &value,
                    Code::LISTENER,
                    format!("a policy without namespace cannot name a `{NAMESPACED}`, which has one"),
                )
                .help(format!("use a `{CLUSTER_WIDE}`"));
            }
            NAMESPACED
        }
        Some("") | None if !cx.at_cluster() => default,
        Some(other) => {
            let message = format!("unknown kind `{other}`");
            let diagnostic = if cx.at_cluster() {
                cx.error(&value, Code::D11, message)
            } else {
                cx.warning(&value, Code::D11, message + &format!(": it is read as `{default}`"))
            };
            diagnostic.help(format!("the kinds are {NAMESPACED} and {CLUSTER_WIDE}"));
            default
        }
        None => default,
    }
}

/// The priority. To the agent 0 is the same as none.
fn priority(cx: &mut Context<'_>, listener: &Cursor<'_>) -> Option<u8> {
    let value = listener.get("priority")?;
    let number = value.integer(cx)?;
    let priority = u8::try_from(number).ok();
    if priority.is_none() || cx.at_cluster() && !(1..=100).contains(&number) {
        cx.error(&value, Code::D11, format!("{number} is not a priority"))
            .help("priorities are numbers from 1, which wins, to 100");
    }
    priority.filter(|priority| *priority > 0)
}

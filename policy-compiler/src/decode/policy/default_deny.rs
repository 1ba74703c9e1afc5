//! `enableDefaultDeny`.

use policy_core::Direction;

use super::{EGRESS_DENY, INGRESS_DENY};
use crate::{
    decode::{Context, Cursor},
    diagnostic::Code,
};

/// Whether the rule isolates its subject in this direction: what `enableDefaultDeny` says, else whether it has an
/// element there. Without an element it never does.
pub(super) fn default_deny(
    cx: &mut Context<'_>,
    at: &Cursor<'_>,
    direction: Direction,
    allows: bool,
    denies: bool,
) -> bool {
    let name = direction.as_str();
    let options = at.get("enableDefaultDeny");
    if let (Direction::Ingress, Some(options)) = (direction, &options) {
        options.fields(cx, &["ingress", "egress"]);
    }
    let written = options.and_then(|options| options.get(name));
    let wanted = written.as_ref().and_then(|value| value.boolean(cx));
    let has_elements = allows || denies;
    match wanted {
        Some(true) if !has_elements => {
            let at = written.unwrap_or_else(|| at.clone());
            cx.warning(
                &at,
                Code::NO_EFFECT,
                format!("has no effect: the rule has no element for {name}"),
            )
            .help(format!(
                "`{name}: [{{}}]` isolates the subject without allowing anything"
            ));
        }
        None if denies && !allows => {
            let list = if direction == Direction::Ingress {
                INGRESS_DENY
            } else {
                EGRESS_DENY
            };
            let at = at.get(list.name).unwrap_or_else(|| at.clone());
            cx.warning(
                &at,
                Code::ISOLATES,
                format!("also denies all other {name} that no rule allows"),
            )
            .help(format!(
                "`enableDefaultDeny: {{{name}: false}}` denies only what is listed"
            ));
        }
        _ => {}
    }
    wanted.unwrap_or(true) && has_elements
}

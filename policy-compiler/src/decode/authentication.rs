//! `authentication`: how a peer must have proven who it is.

use policy_core::bundle::Authentication;

use super::{Context, Cursor, cursor::closest};
use crate::diagnostic::Code;

const MODES: [Authentication; 3] = [
    Authentication::Disabled,
    Authentication::Required,
    Authentication::TestAlwaysFail,
];

/// Reads `authentication` of an element. To the agent an unknown mode is the same as none, so only a warning says so
/// at its level.
pub(super) fn authentication(cx: &mut Context<'_>, element: &Cursor<'_>) -> Option<Authentication> {
    let at = element.get("authentication")?;
    at.fields(cx, &["mode"]);
    let Some(value) = at.get("mode") else {
        if cx.at_cluster() {
            cx.error(&at, Code::D13, "`mode` is missing").help(known());
        } else {
            cx.warning(&at, Code::NO_EFFECT, "without `mode`, no authentication is asked for")
                .help(known());
        }
        return None;
    };
    let text = value.text(cx)?;
    let found = MODES.into_iter().find(|mode| mode.as_str() == text);
    if found.is_none() {
        let message = format!("unknown mode `{text}`");
        let diagnostic = if cx.at_cluster() {
            cx.error(&value, Code::D13, message)
        } else {
            cx.warning(&value, Code::C18, message + ": no authentication is asked for")
        };
        diagnostic.help(match closest(text, &MODES.map(Authentication::as_str)) {
            Some(close) => format!("did you mean `{close}`?"),
            None => known(),
        });
    }
    found
}

fn known() -> String {
    format!("the modes are {}", MODES.map(Authentication::as_str).join(", "))
}

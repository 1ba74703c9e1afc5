//! The annotation that says whether a policy has an effect.

use policy_core::bundle::Mode;

use super::{Context, Cursor};
use crate::diagnostic::Code;

const ANNOTATION: &str = "portcullis.io/mode";

/// The mode that the metadata of a policy asks for. A policy whose mode nobody knows is enforced: a typing error must
/// not switch it off.
pub(super) fn mode(cx: &mut Context<'_>, metadata: &Cursor<'_>) -> Mode {
    let annotations = metadata.get("annotations");
    let Some(at) = annotations.and_then(|annotations| annotations.get(ANNOTATION)) else {
        return Mode::Enforce;
    };
    match at.text(cx) {
        None | Some("enforce") => Mode::Enforce,
        Some("audit") => Mode::Audit,
        Some(other) => {
            cx.warning(
                &at,
                Code::NO_EFFECT,
                format!("unknown mode `{other}`: the policy is enforced"),
            )
            .help("the modes are enforce and audit");
            Mode::Enforce
        }
    }
}

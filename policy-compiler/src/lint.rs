//! Warnings about policies that are legal but probably not what their author meant.
//!
//! The lints read the bundle, so that they judge what the engine will see; the documents only tell where it stands.
//! Each lint is nearly linear in the size of its input: what could be compared with everything else is looked up.

mod coverage;
mod dead;
mod empty;
mod endpoints;
mod findings;
mod names;
mod outside;
mod site;

use policy_core::Bundle;

use self::findings::Findings;
use crate::{diagnostic::Diagnostic, input::Input, options::CompileOptions};

/// Adds what the lints find, each message at the place of its object among the others.
pub(crate) fn check(bundle: &Bundle, input: &Input, options: &CompileOptions, diagnostics: &mut Vec<Diagnostic>) {
    let mut findings = Findings::new(input, options, diagnostics);
    empty::check(bundle, &mut findings);
    endpoints::check(bundle, &mut findings);
    dead::check(bundle, &mut findings);
    names::check(bundle, &mut findings);
    outside::check(bundle, options.network_policy, &mut findings);
    findings.merge_into(diagnostics);
}

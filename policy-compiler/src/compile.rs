//! The compilation as a whole: input and options to a bundle.

mod endpoints;
mod policies;
mod services;

use std::collections::BTreeMap;

use policy_core::{
    Bundle, Labels,
    bundle::{CidrGroup, Options, VERSION},
};

use crate::{
    diagnostic::{Code, Diagnostic, ObjectRef, Severity},
    input::Input,
    lint,
    options::CompileOptions,
    places::Places,
    world,
};

/// The outcome of a compilation.
#[derive(Debug)]
pub struct Compiled {
    /// The policy that the valid objects make. The same objects and options give the same bundle, in whatever order
    /// and from whatever files they came.
    pub bundle: Bundle,
    /// Everything there is to say, in the order of the input.
    pub diagnostics: Vec<Diagnostic>,
    /// The objects that were rejected, which the bundle does without.
    pub rejected: Vec<Rejected>,
    pub(crate) places: Places,
}

/// An object that the bundle does without.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// The object.
    pub object: ObjectRef,
    /// Why: at least one.
    pub errors: Vec<Diagnostic>,
}

impl Compiled {
    /// Whether anything was wrong. A bundle of the rest may allow what a rejected policy would deny, so do not deploy
    /// it then.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Compiles all objects of the input into one bundle.
pub fn compile(input: &Input, options: &CompileOptions) -> Compiled {
    let (world, mut diagnostics) = world::collect(input, options);
    let mut endpoints = endpoints::Endpoints::new(&world, input, options);
    let subjects = subject_labels(&endpoints, options, &mut diagnostics);
    let lowered = policies::lower(&world, options, subjects.as_deref());
    let services = services::lower(&world, &endpoints);
    let bundle = Bundle {
        version: VERSION,
        digest: None,
        options: Options {
            enforcement: options.enforcement,
            cluster: options.cluster.clone(),
            stack: options.stack,
            allow_localhost: options.allow_localhost,
            audit: options.audit,
        },
        names: policies::names(&input.names, &lowered.policies, subjects.is_some()),
        selectors: lowered.selectors,
        policies: lowered.policies,
        addresses: std::mem::take(&mut endpoints.addresses),
        endpoints: endpoints.list(),
        identities: endpoints.identities,
        services,
        groups: groups(world.cidr_groups),
    };
    lint::check(&bundle, input, options, &mut diagnostics);
    Compiled {
        bundle,
        rejected: rejected(&diagnostics),
        places: Places::new(input, options),
        diagnostics,
    }
}

/// The groups that have addresses, by name.
fn groups(groups: BTreeMap<String, CidrGroup>) -> Vec<CidrGroup> {
    groups
        .into_values()
        .filter(|group| !group.prefixes.is_empty())
        .collect()
}

/// The label sets of the endpoints that the bundle is for; `None` when it is for all of them.
fn subject_labels(
    endpoints: &endpoints::Endpoints<'_>,
    options: &CompileOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<Labels>> {
    let subjects = options.subjects.as_ref()?;
    let mut labels = Vec::new();
    for name in subjects {
        match endpoints.labels_of(name) {
            Some(found) => labels.push(found.clone()),
            None => {
                let message = format!("no endpoint is named `{name}`");
                let mut diagnostic = Diagnostic::new(Severity::Error, Code::UNKNOWN_SUBJECT, message);
                diagnostic.help("endpoints are pods, by `namespace/name`");
                diagnostics.push(diagnostic);
            }
        }
    }
    Some(labels)
}

fn rejected(diagnostics: &[Diagnostic]) -> Vec<Rejected> {
    let mut rejected: Vec<Rejected> = Vec::new();
    for error in diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
        let Some(object) = &error.object else { continue };
        // The errors of one object stand together.
        match rejected.last_mut() {
            Some(last) if last.object == *object => last.errors.push(error.clone()),
            _ => rejected.push(Rejected {
                object: object.clone(),
                errors: vec![error.clone()],
            }),
        }
    }
    rejected
}

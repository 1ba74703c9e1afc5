//! From the command line to the compiler.

use std::{io, path::PathBuf};

use anyhow::{Result, bail};
use policy_compiler::{CompileOptions, Compiled, Input, Validation};
use policy_core::Bundle;
use serde_json::Value;

use crate::{
    args::{self, InputArgs, Name, ReadingArgs},
    input::is_stdin,
    output::{Style, render},
};

/// What messages call standard input.
const STDIN_NAME: &str = "<stdin>";

/// Compiles what `-f` names, and `more` objects, for all workloads or for one.
///
/// An error says that something could not be read. What is wrong with the objects is in the result.
pub(crate) fn compile(args: &InputArgs, more: &[Value], workload: Option<&str>) -> Result<Compiled> {
    compile_files(&args.files, &args.reading, more, workload)
}

/// The bundle of these files; `None` if an object is invalid. What there is to say about them goes to standard error.
pub(crate) fn bundle_of(files: &[PathBuf], reading: &ReadingArgs, style: Style) -> Result<Option<Bundle>> {
    let compiled = compile_files(files, reading, &[], None)?;
    eprint!("{}", render(&compiled.diagnostics, style));
    Ok((!compiled.has_errors()).then_some(compiled.bundle))
}

fn compile_files(files: &[PathBuf], reading: &ReadingArgs, more: &[Value], workload: Option<&str>) -> Result<Compiled> {
    let ReadingArgs {
        namespace,
        cluster,
        validation,
        fqdns,
    } = reading;
    let mut input = Input::new();
    if files.iter().filter(|path| is_stdin(path)).count() > 1 {
        bail!("`-` is there twice, but standard input can be read only once");
    }
    for path in files {
        let read = match is_stdin(path) {
            true => input.add_reader(STDIN_NAME, io::stdin().lock()),
            false => input.add_path(path),
        };
        read?;
    }
    for object in more {
        input.add_value(object);
    }
    for Name { name, addresses } in fqdns {
        input.names.entry(name.clone()).or_default().extend(addresses);
    }
    let options = CompileOptions {
        cluster: cluster.clone(),
        validation: match validation {
            args::Validation::Agent => Validation::Agent,
            args::Validation::Cluster => Validation::Cluster,
        },
        default_namespace: namespace.clone(),
        subjects: workload.map(|workload| vec![workload.to_owned()]),
        ..CompileOptions::default()
    };
    Ok(policy_compiler::compile(&input, &options))
}

/// The policies that a command about effects looks at: those that have one, or all of them as if audit were off.
pub(crate) fn in_effect(bundle: Bundle, audit_as_enforced: bool) -> Bundle {
    match audit_as_enforced {
        true => bundle.without_audit(),
        false => bundle.only_enforced(),
    }
}

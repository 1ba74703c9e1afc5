//! Every rule about objects, selectors and peers: what breaks it, where the message points, what it says to do.

mod objects;
mod options;
mod outside;
mod peers;
mod selectors;

use std::fmt::Write as _;

use policy_compiler::{Code, CompileOptions, Input, Severity, Validation, compile};

/// Rules of the agent hold at both levels.
const BOTH: [Validation; 2] = [Validation::Agent, Validation::Cluster];
const CLUSTER: [Validation; 1] = [Validation::Cluster];
const AGENT: [Validation; 1] = [Validation::Agent];

/// A group for policies to refer to.
const GROUP: &str = "---\napiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {name: g, labels: {env: prod}}\n\
                     spec: {externalCIDRs: [10.0.0.0/8]}\n";

/// The errors and warnings about an object, one line each, with their help on the next. Not whether anything tells the
/// addresses of a name, which is another matter.
fn messages(text: &str, options: &CompileOptions) -> String {
    let mut input = Input::new();
    input.add_text("p.yaml", text);
    let mut lines = Vec::new();
    for diagnostic in compile(&input, options).diagnostics {
        if diagnostic.severity != Severity::Note && diagnostic.code != Code::UNLEARNED_NAME {
            lines.push(diagnostic.to_string());
            lines.extend(diagnostic.help.map(|help| format!("help: {help}")));
        }
    }
    lines.join("\n")
}

fn options(validation: Validation) -> CompileOptions {
    CompileOptions {
        validation,
        ..CompileOptions::default()
    }
}

/// Asserts that each text gives exactly this message at these levels.
fn check(cases: &[(&[Validation], &str, &str)], wrap: impl Fn(&str) -> String) {
    let mut failures = String::new();
    for (levels, text, want) in cases {
        for level in *levels {
            let found = messages(&wrap(text), &options(*level));
            if found != *want {
                writeln!(failures, "--- {text} ({level:?})\nwant:\n{want}\nfound:\n{found}").expect("text");
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// A policy of a namespace; its spec is on line 4.
fn policy(spec: &str) -> String {
    format!(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: p, namespace: shop}}\nspec: {spec}\n"
    )
}

/// A policy of the cluster; its spec is on line 4.
fn cluster_wide(spec: &str) -> String {
    format!("apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {{name: p}}\nspec: {spec}\n")
}

/// A policy with one element, on line 7, and the group.
fn egress(element: &str) -> String {
    policy(&format!("\n  endpointSelector: {{}}\n  egress:\n  - {element}")) + GROUP
}

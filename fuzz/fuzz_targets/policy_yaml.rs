//! Objects from whoever may write policies: every text compiles to a bundle that the engine takes, and to messages.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_compiler::{CompileOptions, Input, NetworkPolicyDialect, Validation, compile};
use policy_core::{Bundle, Engine};

fuzz_target!(|text: &str| {
    let mut input = Input::new();
    input.add_text("input.yaml", text);
    for (validation, network_policy) in [
        (Validation::Cluster, NetworkPolicyDialect::Cilium),
        (Validation::Agent, NetworkPolicyDialect::Kubernetes),
    ] {
        let options = CompileOptions {
            validation,
            network_policy,
            default_namespace: Some("default".to_owned()),
            ..CompileOptions::default()
        };
        check(&input, &options);
    }
});

fn check(input: &Input, options: &CompileOptions) {
    let compiled = compile(input, options);
    for diagnostic in &compiled.diagnostics {
        assert!(!diagnostic.to_string().is_empty());
        assert!(!diagnostic.render(false).is_empty());
    }
    assert!(
        compiled.rejected.is_empty() || compiled.has_errors(),
        "an object was rejected without an error"
    );
    // What is wrong is left out, so the rest is a bundle in any case.
    let read = Bundle::from_json(&compiled.bundle.to_json()).expect("the compiler writes bundles");
    Engine::new(read).expect("the engine takes what the compiler lets through");
}

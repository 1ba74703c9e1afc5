//! The same policies in Rego, run by regorus.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use regorus::{Engine, Value};
use serde_json::json;

use crate::world::{PORT, Path, Shape, app, prefix, request_path};

/// How the policies are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    /// A rule for each policy, as in the other languages.
    Rules,
    /// One rule, which finds the policies of the peer in an object: the advice for large sets.
    Data,
}

/// An engine with its policies, and a request that one of them allows.
pub(super) struct Rego {
    engine: Engine,
    input: Value,
}

const RULE: &str = "data.bench.allow";

impl Rego {
    /// The policies of a world in which one subject has all of them.
    pub(super) fn new(shape: Shape, style: Style) -> Result<Self> {
        let mut engine = Engine::new();
        let mut module = "package bench\nimport rego.v1\ndefault allow := false\n".to_owned();
        match style {
            Style::Rules => {
                for policy in 0..shape.policies {
                    let (peer, prefix) = (app(shape.peer(policy)), prefix(policy));
                    writeln!(
                        module,
                        "allow if {{ input.peer == \"{peer}\"; input.port == {PORT}; input.method == \"GET\"; \
                         startswith(input.path, \"{prefix}\") }}"
                    )?;
                }
            }
            Style::Data => {
                module.push_str(
                    "allow if { some p in data.rules[input.peer]; input.port == p.port; input.method == p.method; \
                     startswith(input.path, p.prefix) }\n",
                );
                engine.add_data(Value::from_json_str(&json!({ "rules": rules(shape) }).to_string())?)?;
            }
        }
        engine.add_policy("bench.rego".into(), module)?;
        let asked = shape.asked();
        let path = request_path(asked, Path::Prefix);
        let input = json!({ "peer": app(shape.peer(asked)), "port": PORT, "method": "GET", "path": path });
        Ok(Self {
            engine,
            input: Value::from_json_str(&input.to_string())?,
        })
    }

    /// Whether the request is allowed.
    pub(super) fn allows(&mut self) -> Result<bool> {
        self.engine.set_input(self.input.clone());
        Ok(self.engine.eval_rule(RULE.into())? == Value::Bool(true))
    }
}

/// What each peer may do.
fn rules(shape: Shape) -> BTreeMap<String, Vec<serde_json::Value>> {
    let mut rules: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for policy in 0..shape.policies {
        let rule = json!({ "port": PORT, "method": "GET", "prefix": prefix(policy) });
        rules.entry(app(shape.peer(policy))).or_default().push(rule);
    }
    rules
}

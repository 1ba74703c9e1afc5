//! What a native guard opens for.

use serde_json::Value;

use super::super::{
    envoy::{Filter, kind},
    json::Json as _,
};

/// The guard between the router and the endpoint that was chosen, where RBAC decides too early. Nobody can tell what a
/// script does in general, so only this one is known to be right, as the envoy crate generates it.
const SCRIPT: &str = r#"
function envoy_on_request(handle)
  local known, word = pcall(function()
    return handle:streamInfo():filterState():get("wasm.portcullis_upstream")
  end)
  if not known or word ~= "allow" then
    handle:respond({[":status"] = "403"}, "Access denied\r\n")
  end
end
"#;

/// Whether a filter of the kind of a guard goes by filter state at all.
pub(super) fn reads_filter_state(filter: &Filter<'_>) -> bool {
    if filter.kind == kind::LUA {
        return script(filter.message).contains("filterState");
    }
    let mut states = Vec::new();
    filter.message.at("/rules").everywhere("filter_state", &mut states);
    !states.is_empty()
}

/// Whether a guard passes those only whose filter state `key` is exactly `allow`.
pub(super) fn is_right(filter: &Filter<'_>, key: &str) -> bool {
    if filter.kind == kind::LUA {
        return code(script(filter.message)).eq(code(SCRIPT)) && SCRIPT.contains(key);
    }
    opens_only_for(filter.message, key)
}

fn script(lua: &Value) -> &str {
    lua.text("/default_source_code/inline_string")
}

/// The lines of a script without comments and indentation.
fn code(script: &str) -> impl Iterator<Item = &str> {
    let lines = script.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("--"))
}

/// Whether an RBAC filter passes those only whose filter state `key` is exactly `allow`.
fn opens_only_for(rbac: &Value, key: &str) -> bool {
    let rules = rbac.at("/rules");
    let allows = ["", "ALLOW"].contains(&rules.text("/action"));
    let mut policies = rules.values("/policies").peekable();
    allows && policies.peek().is_some() && policies.all(|policy| is_for(policy, key))
}

/// One principal without the word would open the policy for everybody whom it matches.
fn is_for(policy: &Value, key: &str) -> bool {
    let mut principals = policy.items("/principals").peekable();
    principals.peek().is_some() && principals.all(|principal| demands(principal, key))
}

fn demands(principal: &Value, key: &str) -> bool {
    let state = principal.at("/filter_state");
    let word = state.at("/string_match");
    let demanded = state.text("/key") == key && word.text("/exact") == "allow" && !word.flag("/ignore_case");
    demanded || principal.items("/and_ids/ids").any(|part| demands(part, key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_exact_word_opens() {
        let state = |key: &str, word: Value| json!({ "filter_state": { "key": key, "string_match": word } });
        let allow = || state("wasm.k", json!({ "exact": "allow" }));
        let rules = |action: &str, principals: Value| json!({ "rules": { "action": action, "policies": { "p": { "principals": principals } } } });
        let with = |principal: Value| rules("", json!([principal]));
        for (rbac, right, why) in [
            (with(allow()), true, "Envoy leaves out ALLOW"),
            (rules("ALLOW", json!([allow()])), true, "and may write it"),
            (rules("DENY", json!([allow()])), false, "the opposite"),
            (rules("LOG", json!([allow()])), false, "passes everybody"),
            (
                with(state("wasm.other", json!({ "exact": "allow" }))),
                false,
                "another key",
            ),
            (with(state("wasm.k", json!({ "exact": "deny" }))), false, "another word"),
            (
                with(state("wasm.k", json!({ "prefix": "allow" }))),
                false,
                "no exact word",
            ),
            (
                with(state("wasm.k", json!({ "exact": "allow", "ignore_case": true }))),
                false,
                "other spellings",
            ),
            (rules("", json!([allow(), { "any": true }])), false, "or anybody"),
            (
                with(json!({ "and_ids": { "ids": [{ "any": true }, allow()] } })),
                true,
                "and more",
            ),
            (
                with(json!({ "or_ids": { "ids": [{ "any": true }, allow()] } })),
                false,
                "or more",
            ),
            (with(json!({ "not_id": allow() })), false, "the opposite"),
            (rules("", json!([])), false, "nobody"),
            (json!({ "shadow_rules": with(allow())["rules"] }), false, "only counts"),
            (json!({}), false, "no rules pass everybody"),
        ] {
            assert_eq!(opens_only_for(&rbac, "wasm.k"), right, "{why}");
        }
        let two = json!({ "rules": { "policies": {
            "p": { "principals": [allow()] }, "q": { "principals": [{ "any": true }] }
        } } });
        assert!(!opens_only_for(&two, "wasm.k"), "one policy is enough to pass");
    }
    #[test]
    fn the_script_is_that_of_the_generator() {
        let node = envoy_e2e::config::Node::gateway_example();
        let yaml = node.bootstrap().expect("a valid node").to_yaml().expect("YAML");
        let bootstrap: Value = serde_saphyr::from_str(&yaml).expect("YAML");
        let mut scripts = Vec::new();
        bootstrap.everywhere("default_source_code", &mut scripts);
        let scripts: Vec<_> = scripts.iter().map(|script| script.text("/inline_string")).collect();
        assert!(!scripts.is_empty());
        for script in scripts {
            assert_eq!(code(script).collect::<Vec<_>>(), code(SCRIPT).collect::<Vec<_>>());
        }
    }
}

//! Selectors, entities, prefixes and message rules, in policies.

use std::net::IpAddr;

use ipnet::IpNet;
use policy_core::Bundle;
use serde_json::{Map, Value, json};

use super::{Finding, Unit, texts};
use crate::run::portcullis_with;

/// The requirements of the selector are those that the bundle has, besides the namespace.
pub(super) fn selector(unit: &Unit) -> Finding {
    let policy = policy(
        "shop",
        &json!({"endpointSelector": unit.input["selector"], "ingress": [{}]}),
    );
    let output = portcullis_with(&["compile", "-f", "-"], &policy.to_string());
    let bundle = Bundle::from_json(output.stdout.as_bytes()).expect("a bundle");
    let subject = bundle.policies[0].rules[0].subject;
    let requirements = bundle.selectors[usize::try_from(subject).expect("an index")].requirements();
    let got: Vec<String> = requirements
        .iter()
        .map(ToString::to_string)
        .filter(|requirement| !requirement.contains("io.kubernetes.pod.namespace"))
        .collect();
    let canonical = &unit.expect["canonical"];
    let labels = canonical["matchLabels"].as_object().into_iter().flatten();
    let labels = labels.map(|(key, value)| format!("{key}={}", value.as_str().expect("a value")));
    let expressions = canonical["matchExpressions"].as_array().into_iter().flatten();
    let expressions = expressions.map(|expression| {
        let values: Vec<&str> = texts(&expression["values"]).collect();
        let (key, operator) = (&expression["key"], &expression["operator"]);
        assert_eq!(operator, "In", "the only operator of this kind");
        format!("{} in ({})", key.as_str().expect("a key"), values.join(","))
    });
    let mut want: Vec<String> = labels.chain(expressions).collect();
    let mut sorted = got.clone();
    want.sort();
    sorted.sort();
    match sorted == want {
        true => Finding::Same,
        false => Finding::Different(format!("got {got:?}, expected {want:?}")),
    }
}

/// Whether an egress rule for the entities lets the subject reach the identity.
pub(super) fn entity(unit: &Unit) -> Finding {
    let local = unit.input["local_cluster"].as_str().expect("a cluster");
    let labels: Vec<&str> = texts(&unit.input["identity_labels"]).collect();
    let (to, elsewhere) = match labels.as_slice() {
        ["reserved:none"] => return Finding::NotAsked("nobody has the label reserved:none".into()),
        [reserved] if reserved.starts_with("reserved:") => (*reserved, false),
        // Only what is outside every known cluster has no cluster: the nearest is a pod of another one.
        ["id=foo"] => ("shop/foo", true),
        [_, "id=foo"] => ("shop/foo", false),
        _ => return Finding::Different(format!("unknown labels {labels:?}")),
    };
    let mut line = line(&json!({"toEntities": unit.input["entities"]}));
    line["cluster"] = local.into();
    line["options"] = json!({"stack": "ipv4"});
    if elsewhere {
        line["pod_clusters"] = json!({"shop/foo": "another"});
    }
    line["flows"] = json!([flow(to, 80)]);
    let want = unit.expect["match"].as_bool().expect("an answer");
    Finding::of(&differences(&line, &[(to.to_owned(), want)]))
}

/// Whether an egress rule for the prefix or group lets the subject reach addresses with these labels.
pub(super) fn cidr(unit: &Unit) -> Finding {
    let modes: Vec<&str> = texts(&unit.input["cidr_match_mode"]).collect();
    if !modes.is_empty() {
        return Finding::NotAsked(format!("a prefix never matches {} here", modes.join(" and ")));
    }
    let mut line = line(&json!({"toCIDRSet": [unit.input["rule"]]}));
    let stack = match (unit.input["ipv4"] == true, unit.input["ipv6"] == true) {
        (true, false) => "ipv4",
        (false, true) => "ipv6",
        _ => "dual",
    };
    line["options"] = json!({"stack": stack});
    let (mut asked, mut impossible) = (Vec::new(), Vec::new());
    for (key, want) in [("match", true), ("no_match", false)] {
        for labels in unit.expect[key].as_array().into_iter().flatten() {
            let labels: Vec<&str> = texts(labels).collect();
            match address_with(&labels, stack, asked.len(), &mut line["objects"]) {
                Some(address) => asked.push((address.to_string(), want)),
                None => impossible.push(labels.join(" ")),
            }
        }
    }
    line["flows"] = asked.iter().map(|(to, _)| flow(to, 80)).collect();
    match (differences(&line, &asked), impossible.is_empty()) {
        (differences, true) => Finding::of(&differences),
        (differences, false) if !differences.is_empty() => Finding::of(&differences),
        _ => Finding::NotAsked(format!("no address has the labels {}", impossible.join(", or "))),
    }
}

/// An address outside the cluster that has these labels, and the group that gives them if that takes one. `None` if
/// no address has them: those outside are of the world of their version, and of no other.
fn address_with(labels: &[&str], stack: &str, index: usize, objects: &mut Value) -> Option<IpAddr> {
    let of_source = |source: &str| labels.iter().find_map(|label| label.strip_prefix(source));
    let prefix: Option<IpNet> = of_source("cidr:").map(|text| text.parse().expect("a prefix"));
    let world = of_source("reserved:")?;
    let address = match (prefix, world) {
        (Some(prefix), _) => prefix.addr(),
        (None, "world-ipv6") => "2001:db8:9::9".parse().expect("an address"),
        (None, _) => IpAddr::from([198, 51, 100, u8::try_from(index).expect("few cases")]),
    };
    let expected = match (stack, address) {
        ("dual", IpAddr::V4(_)) => "world-ipv4",
        ("dual", IpAddr::V6(_)) => "world-ipv6",
        ("ipv4", IpAddr::V6(_)) | ("ipv6", IpAddr::V4(_)) => return None,
        _ => "world",
    };
    if let Some(group) = of_source("cidrgroup:") {
        let (name, labels) = match group.strip_prefix("io.cilium.policy.cidrgroupname/") {
            Some(name) => (name.to_owned(), json!({})),
            None => {
                let (key, value) = group.split_once('=').expect("a label");
                (format!("group-{index}"), json!({key: value}))
            }
        };
        objects.as_array_mut().expect("a list").push(json!({
            "apiVersion": "cilium.io/v2", "kind": "CiliumCIDRGroup",
            "metadata": {"name": name, "labels": labels},
            "spec": {"externalCIDRs": [IpNet::from(address).to_string()]},
        }));
    }
    (world == expected).then_some(address)
}

pub(super) fn kafka(unit: &Unit) -> Finding {
    let port = json!({"port": "80", "protocol": "TCP"});
    let rules = &unit.input["kafka_rules"];
    let ports = match rules.is_null() {
        true => json!({"ports": [port]}),
        false => json!({"ports": [port], "rules": {"kafka": rules}}),
    };
    let want = unit.expect["allowed"].as_bool().expect("an answer");
    if rules.as_array().is_some_and(Vec::is_empty) && !want {
        return Finding::NotAsked("about a matcher without rules; in a policy, no rules are no restriction".into());
    }
    let mut line = line(&json!({"toEntities": ["all"], "toPorts": [ports]}));
    let request = &unit.input["request"];
    let mut asked = flow("198.51.100.1", 80);
    asked["kafka"] = json!({
        "api_key": request["apiKey"], "api_version": request["apiVersion"],
        "client_id": request["clientID"], "topics": request["topics"],
    });
    line["flows"] = json!([asked]);
    Finding::of(&differences(&line, &[("the request".into(), want)]))
}

pub(super) fn dns(unit: &Unit) -> Finding {
    let port = json!({"port": "53", "protocol": "UDP"});
    let ports = json!({"ports": [port], "rules": {"dns": unit.input["dns"]}});
    let mut line = line(&json!({"toEntities": ["all"], "toPorts": [ports]}));
    let mut asked = Vec::new();
    for (key, want) in [("allowed", true), ("denied", false)] {
        asked.extend(texts(&unit.expect[key]).map(|name| (name.to_owned(), want)));
    }
    let query = |name: &str| {
        let mut asked = flow("198.51.100.1", 53);
        asked["protocol"] = "UDP".into();
        asked["dns"] = json!({"name": name});
        asked
    };
    line["flows"] = asked.iter().map(|(name, _)| query(name)).collect();
    Finding::of(&differences(&line, &asked))
}

/// A line with two pods, the first of which has a policy with this egress element.
fn line(egress: &Value) -> Value {
    let pod = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": name}});
    let policy = policy("shop", &json!({"endpointSelector": {}, "egress": [egress]}));
    json!({"objects": [pod("subject"), pod("foo"), policy], "flows": []})
}

fn policy(namespace: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
        "metadata": {"namespace": namespace, "name": "p"}, "spec": spec,
    })
}

fn flow(to: &str, port: u16) -> Value {
    json!({"direction": "egress", "from": "shop/subject", "to": to, "protocol": "TCP", "port": port})
}

/// What `eval` answers otherwise than expected.
fn differences(line: &Value, want: &[(String, bool)]) -> Vec<String> {
    let output = portcullis_with(&["eval"], &line.to_string());
    let answer: Map<String, Value> = serde_json::from_str(&output.stdout).expect("an answer");
    let (Some(flows), true) = (answer.get("flows"), answer.get("rejected") == Some(&json!([]))) else {
        return vec![output.stdout];
    };
    let flows = flows.as_array().expect("a list");
    assert_eq!(flows.len(), want.len(), "{}", output.stdout);
    let differs = flows
        .iter()
        .zip(want)
        .filter(|(answer, (_, want))| (answer["verdict"] == "allow") != *want);
    differs
        .map(|(answer, (name, want))| format!("{name}: expected {want}, got {}", answer["reason"]))
        .collect()
}

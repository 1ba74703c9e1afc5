//! Configurations for tests.

use policy_core::packed::{self, Form};

/// What Envoy hands the plugin for this configuration. What cannot be packed stays as it is: the plugin says why not.
pub(crate) fn packed(configuration: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = configuration.as_ref();
    packed::configuration(bytes, Form::Bytes).unwrap_or_else(|error| {
        // Shown if the test fails.
        eprintln!("not packed: {error}");
        bytes.to_vec()
    })
}

/// A world of two pods in `empire` (tiefighter 10.0.0.2, deathstar 10.0.0.1) and one in `rebels` (xwing 10.0.0.3).
/// On port 80 the deathstar lets in its namespace, on port 8080 it lets in everybody, but only to `GET /metrics`;
/// the tiefighter may go to the deathstar and, by name, to `cilium.io`.
pub(crate) fn configuration(settings: &str) -> String {
    let deathstar = r#"{"kind":"CiliumNetworkPolicy","namespace":"empire","name":"deathstar","rules":[
        {"path":"spec","subject":0,"defaultDeny":{"ingress":true,"egress":false},"ingress":[
          {"peers":{"oneOf":[{"selector":1}]},
           "ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[80,80]}}}]}]},
          {"peers":"any",
           "ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[8080,8080]}}}],
                     "rules":{"http":[{"method":"GET","path":"/metrics","headers":[]},
                                      {"path":"/exhaust","headers":[{"name":"x-force","value":"true"}]}]}}]},
          {"peers":"any","ports":[{"ports":[{"icmp":{"family":"IPv4","type":8}}]}]}]}]}"#;
    let tiefighter = r#"{"kind":"CiliumNetworkPolicy","namespace":"empire","name":"tiefighter","rules":[
        {"path":"spec","subject":2,"defaultDeny":{"ingress":false,"egress":true},"egress":[
          {"peers":{"oneOf":[{"selector":0}]}},
          {"peers":{"oneOf":[{"matchName":"cilium.io."}]},
           "ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[80,80]}}}]}]}]}]}"#;
    with_policies(settings, &[deathstar, tiefighter])
}

/// The same world without policies, where everything is allowed.
pub(crate) fn without_policies(settings: &str) -> String {
    with_policies(settings, &[])
}

/// The same world with a policy for each of these lists of elements: what the deathstar lets in.
pub(crate) fn ingress(settings: &str, elements: &[&str]) -> String {
    let policies: Vec<String> = elements
        .iter()
        .enumerate()
        .map(|(n, elements)| {
            format!(
                r#"{{"kind":"CiliumNetworkPolicy","namespace":"empire","name":"p{n}","rules":[
                {{"path":"spec","subject":0,"defaultDeny":{{"ingress":true,"egress":false}},"ingress":[{elements}]}}]}}"#
            )
        })
        .collect();
    with_policies(settings, &policies.iter().map(String::as_str).collect::<Vec<_>>())
}

/// An element: any peer may come to this TCP port, with these further members of the port rule.
pub(crate) fn anybody(port: u16, members: &str) -> String {
    format!(
        r#"{{"peers":"any","ports":[{{"ports":[{{"port":{{"protocol":"TCP","numbers":{{"range":[{port},{port}]}}}}}}]{members}}}]}}"#
    )
}

/// The same world with these policies.
pub(crate) fn with_policies(settings: &str, policies: &[&str]) -> String {
    let policies = policies.join(",");
    format!(
        r#"{{"version":1,{settings}"bundle":{{"version":1,
      "selectors":[[{{"equals":{{"key":"any:app","value":"deathstar"}}}}],[{{"equals":{{"key":"any:ns","value":"empire"}}}}],
                   [{{"equals":{{"key":"any:app","value":"tiefighter"}}}}]],
      "policies":[{policies}],
      "identities":[{{"labels":["k8s:app=deathstar","k8s:ns=empire"]}},{{"labels":["k8s:app=tiefighter","k8s:ns=empire","k8s:io.kubernetes.pod.namespace=empire",
                                  "k8s:io.cilium.k8s.policy.serviceaccount=tie"]}},
                    {{"labels":["k8s:app=xwing","k8s:ns=rebels"]}}],
      "endpoints":[{{"name":"empire/deathstar","identity":0,"addresses":["10.0.0.1"]}},
                   {{"name":"empire/tiefighter","identity":1,"addresses":["10.0.0.2"]}},
                   {{"name":"rebels/xwing","identity":2,"addresses":["10.0.0.3"]}}]}}}}"#
    )
}

/// The same configuration with this policy in audit mode.
pub(crate) fn audited(configuration: &str, policy: &str) -> String {
    let name = format!(r#""name":"{policy}""#);
    assert!(configuration.contains(&name), "no policy is called {policy}");
    configuration.replacen(&name, &format!(r#"{name},"mode":"audit""#), 1)
}

/// The same configuration with all policies in audit mode.
pub(crate) fn all_audited(configuration: &str) -> String {
    let bundle = r#""bundle":{"version":1,"#;
    assert!(configuration.contains(bundle), "no bundle");
    configuration.replacen(bundle, &format!(r#"{bundle}"options":{{"audit":true}},"#), 1)
}

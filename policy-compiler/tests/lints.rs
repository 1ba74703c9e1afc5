//! Lints: what is said about policies that are legal but suspicious, and what is not.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use policy_compiler::{CompileOptions, Input, compile};

/// Pods of two namespaces.
const PODS: &str = r#"
{kind: List, apiVersion: v1, items: [
  {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}},
   spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}, status: {podIP: 10.0.0.1}},
  {apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, status: {podIP: 10.0.0.2}},
  {apiVersion: v1, kind: Pod, metadata: {name: mon, namespace: ops, labels: {app: mon}}, status: {podIP: 10.0.1.1}}]}
---
"#;

/// A policy for `app: web` in `shop`.
fn web(rules: &str) -> String {
    policy("web", "{matchLabels: {app: web}}", rules)
}

fn policy(name: &str, selector: &str, rules: &str) -> String {
    format!(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec:\n  endpointSelector: {selector}\n{rules}"
    )
}

/// Everything that is said, a line each: severity, code, path, message and help.
fn said(text: &str) -> Vec<String> {
    let mut input = Input::new();
    input.add_text("t", text);
    lines(&input)
}

fn lines(input: &Input) -> Vec<String> {
    let compiled = compile(input, &CompileOptions::default());
    let line = |diagnostic: &policy_compiler::Diagnostic| {
        let mut line = format!(
            "{}[{}] {}: {}",
            diagnostic.severity, diagnostic.code, diagnostic.path, diagnostic.message
        );
        if let Some(help) = &diagnostic.help {
            write!(line, "; {help}").expect("a string");
        }
        line
    };
    compiled.diagnostics.iter().map(line).collect()
}

fn check(cases: &[(String, &[&str], &str)]) {
    for (text, want, why) in cases {
        assert_eq!(said(text), *want, "{why}:\n{text}");
    }
}

#[test]
fn selectors_match_pods_of_the_input() {
    let with_pods = |policy: String| format!("{PODS}{policy}");
    let from = |peer: &str| web(&format!("  ingress: [{{fromEndpoints: [{peer}]}}]"));
    check(&[
        (
            with_pods(from("{matchLabels: {app: db}}")),
            &[],
            "a pod of the namespace",
        ),
        (
            with_pods(from("{matchLabels: {app: dbb}}")),
            &[
                "warning[matches-nothing] spec.ingress[0].fromEndpoints[0]: matches no pod of the input; \
               no pod there meets `any:app=dbb`, did you mean `db`?",
            ],
            "a misspelt label",
        ),
        (
            from("{matchLabels: {app: dbb}}"),
            &[],
            "no pods, nothing to compare with",
        ),
        (
            with_pods(from("{matchLabels: {io.kubernetes.pod.namespace: other, app: x}}")),
            &[],
            "nothing is known of the pods of that namespace",
        ),
        (
            with_pods(from(
                "{matchLabels: {io.kubernetes.pod.namespace: ops, app: mon, tier: x}}",
            )),
            &[
                "warning[matches-nothing] spec.ingress[0].fromEndpoints[0]: matches no pod of the input; \
               no pod there meets `any:tier=x`",
            ],
            "a label that no pod of that namespace has",
        ),
        (
            with_pods(from(
                "{matchLabels: {app: web}, matchExpressions: [{key: app, operator: In, values: [db]}]}",
            )),
            &[
                "warning[matches-nothing] spec.ingress[0].fromEndpoints[0]: matches no pod of the input; \
               each condition is met by some pod there, but no pod meets all of them",
            ],
            "each condition on its own is fine",
        ),
        (
            with_pods(from("{matchLabels: {\"reserved:host\": \"\"}}")),
            &[],
            "what is no pod",
        ),
        (
            with_pods(policy(
                "other",
                "{matchLabels: {app: wbe}}",
                "  ingress: [{fromEntities: [world]}]",
            )),
            &[
                "warning[matches-nothing] spec.endpointSelector: selects no pod of the input; \
               no pod there meets `any:app=wbe`, did you mean `web`?",
            ],
            "a subject",
        ),
        (
            with_pods(policy(
                "other",
                "{matchLabels: {io.kubernetes.pod.namespace: ops}}",
                "  ingress: [{fromEntities: [world]}]",
            )),
            &[
                "warning[matches-nothing] spec.endpointSelector: no endpoint is both in `ops` and in the namespace of \
               the policy, `shop`",
            ],
            "said once",
        ),
    ]);
}

#[test]
fn port_names_belong_to_pods_of_the_input() {
    let ports = |list: &str, name: &str| {
        format!(
            "{PODS}{}",
            web(&format!(
                "  {list}: [{{toPorts: [{{ports: [{{port: {name}, protocol: TCP}}]}}]}}]"
            ))
        )
    };
    check(&[
        (ports("ingress", "http"), &[], "the subject names it"),
        (
            ports("ingress", "htpp"),
            &["warning[matches-nothing] spec.ingress[0].toPorts[0]: no selected pod has a TCP port named `htpp`"],
            "a misspelt name",
        ),
        (ports("egress", "http"), &[], "some pod names it"),
        (
            ports("egress", "pg"),
            &["warning[matches-nothing] spec.egress[0].toPorts[0]: no pod of the input has a TCP port named `pg`"],
            "no pod does",
        ),
    ]);
}

#[test]
fn rules_change_something() {
    let db = "fromEndpoints: [{matchLabels: {app: db}}]";
    let http = "toPorts: [{ports: [{port: \"80\", protocol: TCP}], rules: {http: [{method: GET}]}}]";
    let plain = |port: &str| format!("toPorts: [{{ports: [{{port: \"{port}\", protocol: TCP}}]}}]");
    let two = |one: &str, other: &str| web(&format!("  ingress:\n  - {{{one}}}\n  - {{{other}}}\n"));
    let dead = |by: &str| {
        format!(
            "warning[no-effect] spec.ingress[0].toPorts[0].rules.http: these HTTP rules restrict nothing: {by} allows \
             the same peers the same ports without them; what any rule allows is allowed; remove the broader rule, \
             or narrow it to other peers or ports"
        )
    };
    let in_line_8 = dead("`spec.ingress[1]` in line 8");
    let cases: [(String, &[&str], &str); 14] = [
        (
            two(&format!("{db}, {http}"), db),
            &[&in_line_8],
            "every port for the same peers",
        ),
        (
            two(&format!("{db}, {http}"), &format!("{db}, {}", plain("80"))),
            &[&in_line_8],
            "the same port for the same peers",
        ),
        (
            two(&format!("{db}, {http}"), &format!("{db}, {}", plain("81"))),
            &[],
            "another port",
        ),
        (
            two(&format!("{db}, {http}"), "fromEndpoints: [{}]"),
            &[&in_line_8],
            "the whole namespace",
        ),
        (
            two(&format!("{db}, {http}"), "fromEntities: [cluster]"),
            &[&in_line_8],
            "the whole cluster",
        ),
        (two(&format!("{db}, {http}"), &plain("80")), &[&in_line_8], "any peer"),
        (
            two(&format!("{db}, {http}"), "fromEndpoints: [{matchLabels: {app: web}}]"),
            &[],
            "other peers",
        ),
        (
            two(&format!("{db}, {http}"), "fromEntities: [world]"),
            &[],
            "nobody in the cluster",
        ),
        (
            two(&format!("fromCIDR: [10.1.0.0/16], {http}"), "fromCIDR: [10.0.0.0/8]"),
            &[&in_line_8],
            "a wider prefix",
        ),
        (
            two(&format!("fromCIDR: [10.0.0.0/8], {http}"), "fromCIDR: [10.1.0.0/16]"),
            &[],
            "a narrower one",
        ),
        (
            format!(
                "{}\n---\n{}",
                web(&format!("  ingress: [{{{db}, {http}}}]")),
                policy("open", "{matchLabels: {app: web}}", &format!("  ingress: [{{{db}}}]"))
            ),
            &[&dead("`spec.ingress[0]` of CiliumNetworkPolicy/shop/open (t:13)")],
            "another policy for the same subject",
        ),
        (
            format!(
                "{}\n---\n{}",
                web(&format!("  ingress: [{{{db}, {http}}}]")),
                policy("open", "{matchLabels: {app: db}}", &format!("  ingress: [{{{db}}}]"))
            ),
            &[],
            "another subject",
        ),
        (
            two(&format!("{db}, {}", plain("80")), db),
            &[
                "warning[no-effect] spec.ingress[0].toPorts[0]: allows nothing that `spec.ingress[1]` in line 8 does \
               not allow already; remove one of them",
            ],
            "a port of a peer with every port",
        ),
        (
            two(db, db),
            &[
                "warning[no-effect] spec.ingress[1]: allows nothing that `spec.ingress[0]` in line 7 does not allow \
               already; remove one of them",
            ],
            "the same twice: the second is one too many",
        ),
    ];
    check(&cases);
}

/// A policy has no effect in audit mode, so it takes none from others; its own place is judged as if audit were off.
#[test]
fn an_audited_rule_is_no_reason_to_remove_another() {
    let db = "  ingress: [{fromEndpoints: [{matchLabels: {app: db}}]}]\n";
    let two = |one: &str, other: &str| {
        let audited = |name: &str, mode: &str| {
            let policy = policy(name, "{matchLabels: {app: web}}", db);
            policy.replace(
                "namespace: shop",
                &format!("namespace: shop, annotations: {{portcullis.io/mode: {mode}}}"),
            )
        };
        format!("{}\n---\n{}", audited("a", one), audited("b", other))
    };
    let dead = "warning[no-effect] spec.ingress[0]: allows nothing that `spec.ingress[0]` of CiliumNetworkPolicy/shop/";
    let told = |text: &str| {
        let said = said(text);
        let mut about: Vec<String> = Vec::new();
        for line in &said {
            let rest = line.strip_prefix(dead).expect("the only warning");
            about.push(rest.chars().take(1).collect());
        }
        about
    };
    for (one, other, want, why) in [
        ("enforce", "enforce", vec!["a"], "the second is one too many"),
        (
            "audit",
            "enforce",
            vec![],
            "the enforced one is what denies; of two equals the first is kept",
        ),
        ("enforce", "audit", vec!["a"], "the audited one adds nothing"),
        (
            "audit",
            "audit",
            vec!["a"],
            "with audit off, the second would be one too many",
        ),
    ] {
        assert_eq!(told(&two(one, other)), want, "{one} and {other}: {why}");
    }
}

#[test]
fn a_deny_beats_every_allow() {
    let db = "fromEndpoints: [{matchLabels: {app: db}}]";
    let plain = |port: &str| format!("toPorts: [{{ports: [{{port: \"{port}\", protocol: TCP}}]}}]");
    let both = |allow: &str, deny: &str| web(&format!("  ingress: [{{{allow}}}]\n  ingressDeny: [{{{deny}}}]\n"));
    let help = "a deny beats every allow; remove one of them, or narrow the deny";
    let all = format!(
        "warning[no-effect] spec.ingress[0]: allows nothing: `spec.ingressDeny[0]` in line 7 denies all of it; {help}"
    );
    let port = format!(
        "warning[no-effect] spec.ingress[0].toPorts[0]: allows nothing: `spec.ingressDeny[0]` in line 7 denies all \
         of it; {help}"
    );
    check(&[
        (both(db, db), &[&all], "the same peers"),
        (both(db, "fromEntities: [cluster]"), &[&all], "more peers"),
        (
            both(db, &format!("{db}, {}", plain("80"))),
            &[],
            "only one port of many",
        ),
        (
            both(&format!("{db}, {}", plain("80")), db),
            &[&port],
            "one port of those denied",
        ),
        (
            both("fromEntities: [world]", "fromCIDR: [10.0.0.0/8]"),
            &[],
            "a part of the peers",
        ),
        (
            both("fromCIDR: [10.0.0.0/8]", "fromEntities: [world]"),
            &[&all],
            "everything outside",
        ),
    ]);
}

#[test]
fn an_empty_element_is_not_what_it_is_in_a_network_policy() {
    let isolates = "warning[isolates] spec.ingress[0]: an empty element denies all ingress that no other rule allows; \
                    in a `NetworkPolicy` it would allow all; write `enableDefaultDeny: {ingress: true}` beside it if \
                    you mean that, or `fromEntities: [all]` to allow all";
    check(&[
        (web("  ingress: [{}]\n"), &[isolates], "alone"),
        (
            web("  enableDefaultDeny: {ingress: true}\n  ingress: [{}]\n"),
            &[],
            "whoever says so knows",
        ),
        (
            web("  ingress: [{}, {fromEntities: [world]}]\n"),
            &[
                "warning[no-effect] spec.ingress[0]: an empty element allows nothing, so it has no effect beside the \
               other ingress elements; remove it; `fromEntities: [all]` or `toEntities: [all]` would allow every peer",
            ],
            "beside others",
        ),
    ]);
}

#[test]
fn a_cidr_is_not_for_pods() {
    let from = |cidr: &str| format!("{PODS}{}", web(&format!("  ingress: [{{fromCIDR: [{cidr}]}}]")));
    check(&[
        (from("10.0.0.0/8"), &[], "a prefix that also has addresses outside"),
        (
            from("10.0.0.2/32"),
            &[
                "warning[matches-nothing] spec.ingress[0].fromCIDR[0]: `10.0.0.2/32` is the pod shop/db, and a CIDR \
               never matches a pod; select pods by their labels",
            ],
            "the address of a pod",
        ),
        (from("10.0.0.3/32"), &[], "the address of nobody"),
    ]);
}

#[test]
fn names_are_learned_from_dns() {
    let fqdn = "toFQDNs: [{matchName: api.example.com}]";
    let dns = |port: &str, rules: &str| {
        format!(
            "toEndpoints: [{{matchLabels: {{app: dns}}}}], toPorts: [{{ports: [{{port: \"{port}\", protocol: ANY}}]{rules}}}]"
        )
    };
    let two = |one: &str| web(&format!("  egress:\n  - {{{fqdn}}}\n  - {{{one}}}\n"));
    let unlearned = |why: &str| {
        format!(
            "warning[unlearned-name] spec.egress[0].toFQDNs[0]: matches no address: {why}, so the addresses of the \
             name stay unknown; allow port 53 of the DNS server with `rules: {{dns: [{{matchPattern: \"*\"}}]}}`"
        )
    };
    let none = unlearned("these pods may not ask DNS");
    let unwatched = unlearned("nothing watches the DNS queries of these pods");
    let other = |selector: &str| {
        format!(
            "{}\n---\n{}",
            web(&format!("  egress: [{{{fqdn}}}]")),
            policy(
                "dns",
                selector,
                &format!(
                    "  egress: [{{{}}}]",
                    dns("53", ", rules: {dns: [{matchPattern: \"*\"}]}")
                )
            )
        )
    };
    check(&[
        (web(&format!("  egress: [{{{fqdn}}}]")), &[&none], "no way to ask"),
        (
            two("toPorts: [{ports: [{port: \"443\", protocol: TCP}]}]"),
            &[&none],
            "another port",
        ),
        (two(&dns("53", "")), &[&unwatched], "the classic: port 53 without rules"),
        (
            two("toEndpoints: [{matchLabels: {app: dns}}]"),
            &[],
            "not about DNS as such: the names may come from elsewhere",
        ),
        (
            two(&dns("53", ", rules: {dns: [{matchPattern: \"*\"}]}")),
            &[],
            "any name",
        ),
        (
            two(&dns("53", ", rules: {dns: [{matchName: API.example.com.}]}")),
            &[],
            "this name, written otherwise",
        ),
        (
            two(&dns("53", ", rules: {dns: [{matchPattern: \"*.example.org\"}]}")),
            &[
                "warning[unlearned-name] spec.egress[0].toFQDNs[0]: no DNS rule lets the pods ask for \
               `api.example.com.`, so its addresses stay unknown; add `matchName: \"api.example.com.\"` to the \
               `rules.dns` of these pods",
            ],
            "other names only",
        ),
        (other("{}"), &[], "a policy for all pods of the namespace"),
        (other("{matchLabels: {app: db}}"), &[&none], "a policy for other pods"),
        (
            web(&format!(
                "  enableDefaultDeny: {{egress: false}}\n  egress: [{{{fqdn}}}]"
            )),
            &[],
            "a rule that isolates nobody lets them ask",
        ),
    ]);
    for (name, want, why) in [("api.example.com", 0, "known"), ("www.example.com", 1, "another is")] {
        let mut input = Input::new();
        input.add_text("t", &two("toEndpoints: [{matchLabels: {app: dns}}]"));
        input.names.insert(name.to_owned(), vec![[203, 0, 113, 1].into()]);
        assert_eq!(lines(&input).len(), want, "{why}");
    }
}

#[test]
fn groups_of_addresses_are_in_the_input() {
    let group = "{apiVersion: cilium.io/v2, kind: CiliumCIDRGroup, metadata: {name: corp, labels: {env: prod}}, \
                 spec: {externalCIDRs: [172.16.0.0/12]}}\n---\n";
    let set = |item: &str| format!("{group}{}", web(&format!("  ingress: [{{fromCIDRSet: [{item}]}}]")));
    check(&[
        (set("{cidrGroupRef: corp}"), &[], "it is there"),
        (
            set("{cidrGroupRef: crop}"),
            &[
                "warning[matches-nothing] spec.ingress[0].fromCIDRSet[0]: no `CiliumCIDRGroup` of the input is named \
               `crop`; without the group it matches no address",
            ],
            "it is not",
        ),
        (
            set("{cidrGroupSelector: {matchLabels: {env: prod}}}"),
            &[],
            "its label is there",
        ),
        (
            set("{cidrGroupSelector: {matchLabels: {env: dev}}}"),
            &[
                "warning[matches-nothing] spec.ingress[0].fromCIDRSet[0]: selects no `CiliumCIDRGroup` of the input; \
               without a group it matches no address",
            ],
            "its label is not",
        ),
    ]);
}

#[test]
fn many_policies_take_little_time() {
    let mut text = PODS.to_owned();
    for n in 0..1000 {
        let rules = format!(
            "  egress: [{{toFQDNs: [{{matchName: n{n}.example.com}}]}}]\n  ingress:\n  - {{fromEndpoints: [{{matchLabels: \
             {{app: a{n}}}}}], toPorts: [{{ports: [{{port: \"{n}\", protocol: TCP}}], rules: {{http: [{{}}]}}}}]}}\n  \
             - {{fromCIDR: [10.{}.{}.0/24], toPorts: [{{ports: [{{port: \"{n}\", protocol: TCP}}]}}]}}\n---\n",
            n / 256,
            n % 256
        );
        text += &policy(
            &format!("p{n}"),
            &format!("{{matchLabels: {{app: web, n: \"{}\"}}}}", n % 100),
            &rules,
        );
    }
    let mut input = Input::new();
    input.add_text("t", &text);
    let start = Instant::now();
    let said = compile(&input, &CompileOptions::default()).diagnostics;
    assert!(said.len() >= 1000, "{}", said.len());
    // Far more than it takes, even for a debug build on a busy machine, and far less than comparing all with all.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

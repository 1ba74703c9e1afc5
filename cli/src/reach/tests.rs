//! That classes are what they claim: whoever is in one is the same to every policy.

use std::{collections::BTreeSet, path::Path};

use policy_compiler::{CompileOptions, Input};
use policy_core::{AddressFacts, Bundle, Protocol, Scope};

use super::*;
use crate::args::Port;

pub(crate) fn compiled(files: &[&str], more: &str) -> Bundle {
    let mut input = Input::new();
    for file in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        input.add_path(&path).expect("a file");
    }
    input.add_reader("more.yaml", more.as_bytes()).expect("objects");
    let compiled = policy_compiler::compile(&input, &CompileOptions::default());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    compiled.bundle
}

/// Numbers that look random, always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }
}

/// Pods with few labels, and policies of every kind about them.
fn random_world(seed: u64) -> String {
    format!("{}\n---\n{}", pods(seed), policies(seed))
}

/// Pods with few labels.
pub(crate) fn pods(seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut objects = Vec::new();
    for i in 0..14 {
        let (namespace, app) = (dice.pick(&["red", "blue"]), dice.pick(&["web", "db"]));
        let port = dice.pick(&["80", "8080"]);
        objects.push(format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{i}, namespace: {namespace}, labels: {{app: {app}}}}}\n\
             spec: {{containers: [{{name: c, ports: [{{name: http, containerPort: {port}}}]}}]}}\nstatus: {{podIP: 10.0.0.{}}}",
            i + 1
        ));
    }
    objects.join("\n---\n")
}

/// Policies of every kind about such pods.
pub(crate) fn policies(seed: u64) -> String {
    let mut dice = Dice(!seed);
    let mut objects = Vec::new();
    for i in 0..6 {
        let namespace = dice.pick(&["red", "blue"]);
        let app = dice.pick(&["{}", "{matchLabels: {app: web}}", "{matchLabels: {app: db}}"]);
        let peers = [
            "Endpoints: [{}]",
            "Endpoints: [{matchLabels: {app: db}}]",
            "Endpoints: [{matchLabels: {'k8s:io.kubernetes.pod.namespace': red}}]",
            "Entities: [world]",
            "Entities: [cluster]",
            "CIDR: [172.16.0.0/12, 2001:db8:1::/48]",
            "CIDRSet: [{cidr: 0.0.0.0/0, except: [172.16.0.0/16]}]",
        ];
        let ports = dice.pick(&[
            "",
            ", toPorts: [{ports: [{port: http, protocol: TCP}]}]",
            ", toPorts: [{ports: [{port: '80', endPort: 90, protocol: TCP}, {port: '53', protocol: ANY}]}]",
            ", toPorts: [{ports: [{port: '85', protocol: TCP}], rules: {http: [{method: GET}]}}]",
            ", icmps: [{fields: [{type: 8, family: IPv4}]}]",
        ]);
        let (section, way) = if dice.roll(2) == 0 {
            ("ingress", "from")
        } else {
            ("egress", "to")
        };
        // Rules on messages have no place in a deny.
        let deny = if dice.roll(4) == 0 && !ports.contains("rules") {
            "Deny"
        } else {
            ""
        };
        let peers = dice.pick(&peers);
        objects.push(format!(
            "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: n{i}, namespace: {namespace}}}\n\
             spec: {{endpointSelector: {app}, {section}{deny}: [{{{way}{peers}{ports}}}]}}"
        ));
    }
    objects.push(format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: block, namespace: red}}\n\
         spec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: 10.0.0.0/{}}}}}]}}]}}",
        27 + dice.roll(4)
    ));
    objects.join("\n---\n")
}

/// The ports worth asking about: those at every edge of a class, and next to it.
fn edges(space: &Space) -> Vec<Port> {
    let mut ports = BTreeSet::new();
    for (protocol, first, last) in space.ports.iter().flat_map(PortClass::ranges) {
        let near = [first, first.saturating_add(1), last.saturating_sub(1), last];
        ports.extend(
            near.into_iter()
                .filter(|number| (first..=last).contains(number))
                .map(|number| (protocol, number)),
        );
    }
    ports.extend([(Protocol::Udp, 80), (Protocol::Tcp, 8080)]);
    ports
        .into_iter()
        .map(|(protocol, number)| Port { number, protocol })
        .collect()
}

fn check(bundle: Bundle, name: &str) {
    let addresses: Vec<(String, _)> = bundle
        .endpoints
        .iter()
        .filter_map(|endpoint| Some((endpoint.name.clone(), endpoint.addresses.first().copied()?)))
        .collect();
    let space = Space::new(vec![bundle]).expect("a space");
    let class_of = |name: &String| {
        let mut parties = space.parties.iter();
        parties
            .position(|party| party.members.contains(name))
            .expect("everybody is in a class")
    };
    let engine = &space.engines[0];
    let ports = edges(&space);
    for (from, source) in &addresses {
        for (to, destination) in &addresses {
            for port in &ports {
                let mut classes = space.ports.iter().filter(|class| class.contains(*port));
                let class = classes.next().expect("every port is in a class");
                assert!(classes.next().is_none(), "{name}: {port:?} is in one class only");
                let facts = AddressFacts {
                    authenticated: true,
                    ..AddressFacts::new(Some(*source), Some(*destination), port.protocol, port.number)
                };
                let asked = space.ask(0, class_of(from), class_of(to), class).expect("an answer");
                for probe in space.probes.iter().filter(|probe| probe.authenticated) {
                    let admission = engine.admit(&facts, Scope::Both);
                    let content = &probe.content;
                    let verdict = content.with_carried(|carried| admission.judge(content.server_name(), carried));
                    let showing = probe.describe();
                    assert_eq!(
                        asked.judge(probe),
                        verdict,
                        "{name}: {from} → {to} on {port:?} showing {showing:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn whoever_is_in_a_class_is_the_same_to_every_policy() {
    check(compiled(&["../examples/empire"], ""), "the empire");
    check(
        compiled(&["testdata/world.yaml", "testdata/policy.yaml"], ""),
        "the shop",
    );
    check(
        compiled(&["testdata/world.yaml", "testdata/shows.yaml"], ""),
        "what connections show",
    );
    for seed in 0..40 {
        check(compiled(&[], &random_world(seed)), &format!("seed {seed}"));
    }
}

#[test]
fn outside_every_address_has_a_class() {
    let world = random_world(3);
    let policy = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: out, namespace: red}\n\
                  spec: {endpointSelector: {}, egress: [{toCIDRSet: [{cidr: 172.16.0.0/12, except: [172.20.0.0/16]}]}, \
                  {toFQDNs: [{matchName: a.example}, {matchPattern: '*.example'}, {matchPattern: '*.test'}]}]}";
    let space = Space::new(vec![compiled(&[], &format!("{world}\n---\n{policy}"))]).expect("a space");
    let outside = space.parties.iter().filter(|party| party.group == Group::Outside);
    let names: Vec<&str> = outside.map(|party| party.name.as_str()).collect();
    for name in [
        "world",
        "172.16.0.0/12",
        "172.20.0.0/16",
        "a.example",
        "any.example",
        "any.test",
    ] {
        assert!(names.contains(&name), "{name} is none of {names:?}");
    }
}

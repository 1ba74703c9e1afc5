//! `matrix`.

use std::{collections::BTreeSet, fs};

use insta::assert_snapshot;
use serde_json::Value;

use crate::run::{Output, portcullis};

const EMPIRE: &str = "../../examples/empire";

fn matrix(more: &[&str]) -> Output {
    let output = portcullis(&[&["matrix", "-f", EMPIRE], more].concat());
    assert_eq!(output.status, 0, "{output:?}");
    output
}

fn json(args: &[&str]) -> Value {
    let output = portcullis(&[&["matrix", "-o", "json", "-f"], args].concat());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    serde_json::from_str(&output.stdout).expect("JSON")
}

/// The page for these objects, and the data in it.
fn page(args: &[&str]) -> (String, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("matrix.html");
    let path = path.to_str().expect("text");
    let output = portcullis(&[&["matrix", "--html", path, "-f"], args].concat());
    assert_eq!((output.status, output.stderr), (0, format!("wrote {path}\n")));
    let page = fs::read_to_string(path).expect("the page");
    let (_, data) = page.split_once(r#"id="data">"#).expect("a place for data");
    let (data, _) = data.split_once("</script>").expect("its end");
    let data = serde_json::from_str(data).expect("JSON");
    (page, data)
}

#[test]
fn a_table_for_people() {
    assert_snapshot!("matrix_of_the_empire", matrix(&[]).stdout);
    assert_snapshot!("matrix_of_one_port", matrix(&["--port", "8080"]).stdout);
    assert_snapshot!(
        "matrix_of_a_port_like_others",
        matrix(&["--port", "22", "--port", "53/UDP"]).stdout
    );
}

#[test]
fn a_graph() {
    assert_snapshot!("matrix_as_a_graph", matrix(&["-o", "dot"]).stdout);
}

#[test]
fn many_workloads_are_folded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("world.yaml");
    fs::write(&path, crowd(10, 20)).expect("write");
    let output = portcullis(&["matrix", "-f", path.to_str().expect("text")]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    assert_snapshot!("matrix_of_a_crowd", output.stdout);
}

/// So many namespaces of so many pods, each of which lets in its own namespace, and the first everybody on one port.
pub(crate) fn crowd(namespaces: usize, pods: usize) -> String {
    let mut objects = Vec::new();
    for namespace in 0..namespaces {
        let name = format!("team-{namespace}");
        objects.push(format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}"));
        for pod in 0..pods {
            objects.push(format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: app-{pod}, namespace: {name}, labels: {{app: app-{pod}}}}}\n\
                 status: {{podIP: 10.{namespace}.0.{pod}}}"
            ));
            let port = if pod == 0 {
                "  - toPorts: [{ports: [{port: \"443\"}]}]\n"
            } else {
                ""
            };
            objects.push(format!(
                "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: app-{pod}, namespace: {name}}}\n\
                 spec:\n  endpointSelector: {{matchLabels: {{app: app-{pod}}}}}\n  ingress:\n  - fromEndpoints: [{{}}]\n{port}"
            ));
        }
    }
    objects.join("\n---\n")
}

#[test]
fn every_cell_agrees_with_trace() {
    let asked: usize = ["policy.yaml", "shows.yaml"].into_iter().map(agreed_cells).sum();
    assert!(asked > 40, "only {asked} cells were compared");
}

/// Asks `trace` about every cell between pods on a single port, and returns how many there are.
fn agreed_cells(policy: &str) -> usize {
    let matrix = json(&["world.yaml", policy]);
    let workload = |name: &Value| {
        let mut parties = matrix["parties"].as_array().expect("a list").iter();
        let party = parties.find(|party| party["name"] == *name).expect("a party");
        (party["kind"] == "workloads").then(|| party["members"][0].as_str().expect("text").to_owned())
    };
    let mut asked = 0;
    for cell in matrix["cells"].as_array().expect("a list") {
        let (Some(from), Some(to)) = (workload(&cell["from"]), workload(&cell["to"])) else {
            continue;
        };
        for port in cell["ports"].as_array().expect("a list") {
            let port = port.as_str().expect("text");
            if port.starts_with("every") || port.contains('+') || port.contains(',') {
                continue;
            }
            let port = port.split_once('-').map_or(port.to_owned(), |(first, rest)| {
                let (_, protocol) = rest.split_once('/').expect("a protocol");
                format!("{first}/{protocol}")
            });
            let files = ["trace", "-f", "world.yaml", policy];
            let trace = portcullis(
                &[
                    &files[..],
                    &["--from", &from, "--to", &to, "--port", &port, "-o", "json"],
                ]
                .concat(),
            );
            let json: Value = serde_json::from_str(&trace.stdout).expect("JSON");
            assert_eq!(
                cell["reach"] == "none",
                json["verdict"] != "allow",
                "{from} {to} {port}: {cell}"
            );
            asked += 1;
        }
    }
    asked
}

#[test]
fn a_page_stands_on_its_own() {
    let (page, _) = page(&[EMPIRE]);
    for outside in [
        "http:",
        "https:",
        "src=",
        "href=",
        "url(",
        "@import",
        "fetch(",
        "XMLHttpRequest",
        "{{",
    ] {
        assert!(!page.contains(outside), "the page has `{outside}`");
    }
    assert_eq!(unclosed(&page), Vec::<String>::new());
}

/// The elements of a page that are not closed in order.
fn unclosed(page: &str) -> Vec<String> {
    const VOID: [&str; 3] = ["meta", "input", "!doctype"];
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').expect("a tag ends");
        let name = tag.split_whitespace().next().expect("a tag has a name");
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "closed out of order"),
            None if VOID.contains(&name) => {}
            None => open.push(name.to_owned()),
        }
        // What is inside of these is no markup.
        rest = match name {
            "script" | "style" => &after[after.find(&format!("</{name}>")).expect("an end")..],
            _ => after,
        };
    }
    open
}

#[test]
fn no_policy_writes_into_the_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hostile.yaml");
    let rule = "{path: '/</script><script>alert\\(1\\)</script>{{data}}'}";
    let policy = format!(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: p, namespace: shop}}\n\
         spec: {{endpointSelector: {{}}, ingress: [{{toPorts: [{{ports: [{{port: '80', protocol: TCP}}], rules: {{http: [{rule}]}}}}]}}]}}"
    );
    fs::write(&path, policy).expect("write");
    let (page, data) = page(&["world.yaml", path.to_str().expect("text")]);
    assert!(data.to_string().contains("<script>alert"), "the rule is in the data");
    assert!(!page.contains("<script>alert"), "and nowhere else");
    assert_eq!(unclosed(&page), Vec::<String>::new());
}

#[test]
fn a_page_holds_every_cell() {
    let files = ["world.yaml", "shows.yaml"];
    let (_, data) = page(&files);
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let mut names = std::collections::BTreeMap::new();
    for group in list(&data["groups"]) {
        for party in list(&group["parties"]) {
            let name = party["name"].as_str().expect("text");
            let full = match group["kind"] == "workloads" {
                true => format!("{}/{name}", group["name"].as_str().expect("text")),
                false => name.to_owned(),
            };
            names.insert(party["id"].as_u64().expect("a number"), full);
        }
    }
    let mut in_page = BTreeSet::new();
    let position = |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("small");
    for (from, row) in (0..).zip(list(&data["cells"])) {
        for (to, profile) in (0..).zip(list(&row)) {
            for (port, outcome) in data["ports"]
                .as_array()
                .expect("a list")
                .iter()
                .zip(list(&data["profiles"][position(&profile)]))
            {
                let outcome = &data["outcomes"][position(&outcome)];
                if outcome["reach"] != "unasked" {
                    let side = |name: &str| {
                        outcome[name]
                            .as_u64()
                            .map_or(Value::Null, |_| data["sides"][position(&outcome[name])].clone())
                    };
                    let told = [&side("egress"), &side("ingress"), &outcome["passing"]].map(Value::to_string);
                    in_page.insert(format!(
                        "{} {} {} {} {told:?}",
                        names[&from], names[&to], port["label"], outcome["reach"]
                    ));
                }
            }
        }
    }
    let mut in_document = BTreeSet::new();
    for cell in list(&json(&files)["cells"]) {
        for port in list(&cell["ports"]) {
            let told = ["egress", "ingress", "passing"].map(|name| cell[name].to_string());
            let text = |name: &str| cell[name].as_str().expect("text").to_owned();
            in_document.insert(format!(
                "{} {} {port} {} {told:?}",
                text("from"),
                text("to"),
                cell["reach"]
            ));
        }
    }
    assert!(in_page.len() > 100, "only {} cells", in_page.len());
    assert_eq!(in_page, in_document);
}

#[test]
fn a_matrix_needs_workloads() {
    let output = portcullis(&["matrix", "-f", "policy.yaml"]);
    assert_eq!(output.status, 2, "{output:?}");
    assert!(output.stderr.contains("a matrix needs pods"), "{output:?}");
}

//! The tables of `docs/security.md`: what they name exists, and nothing that has to be there is missing.

use std::fs;

use envoy_e2e::run::artefact::project_root;

/// What the tables have to be about; a row may say more.
const THREATS: [&str; 22] = [
    "spoofed `X-Forwarded-For`",
    "spoofed peer metadata",
    "forged SPIFFE id: untrusted chain",
    "multi-SAN certificate",
    "PROXY header from an untrusted port",
    "repeated headers",
    "headers that are not UTF-8",
    "oversized headers",
    "HTTP/1.0",
    "`CONNECT`",
    "websocket upgrade",
    "absolute-form URI",
    "two `Host` headers",
    "h2 pseudo-header tricks",
    "path confusion",
    "half-closed TCP",
    "slowloris client",
    "SNI absent or mismatching",
    "reload during traffic",
    "trap during traffic",
    "out-of-memory bundle",
    "worker-only configuration failure",
];

/// The rows of all tables: threat, behaviour, tests.
fn rows(text: &str) -> Vec<[&str; 3]> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| threat");
    let mut rows = Vec::new();
    for line in text.lines().filter(is_row) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        rows.push(cells.try_into().unwrap_or_else(|_| panic!("not three cells: {line}")));
    }
    rows
}

/// The tests that a cell names: a file and a function each.
fn tests(cell: &str) -> Vec<(&str, &str)> {
    let names = cell.split(", ").map(|name| name.trim_matches('`'));
    names
        .map(|name| name.split_once("::").unwrap_or_else(|| panic!("no test: {name}")))
        .collect()
}

/// Whether the source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let head = format!("fn {name}() {{");
    let lines: Vec<_> = source.lines().collect();
    lines.windows(2).any(|pair| pair[0] == "#[test]" && pair[1] == head)
}

#[test]
fn every_row_names_tests_that_exist() {
    let text = fs::read_to_string(project_root().join("docs/security.md")).unwrap();
    let rows = rows(&text);
    let mut missing = Vec::new();
    for [threat, behaviour, cell] in &rows {
        assert!(!behaviour.is_empty(), "{threat}");
        for (file, name) in tests(cell) {
            let source = fs::read_to_string(project_root().join(file)).unwrap_or_default();
            if !has_test(&source, name) {
                missing.push(format!("{threat}: {file} has no test {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    for wanted in THREATS {
        assert!(
            rows.iter().any(|[threat, ..]| threat.starts_with(wanted)),
            "no row: {wanted}"
        );
    }
}

#[test]
fn what_is_no_test_is_found_out() {
    let source = "#[test]\nfn one() {\n}\nfn two() {\n}\n#[test]\nfn three_and_more() {\n";
    for (name, expected) in [
        ("one", true),
        ("two", false),
        ("three", false),
        ("three_and_more", true),
    ] {
        assert_eq!(has_test(source, name), expected, "{name}");
    }
}

//! Rules about what files say.

use std::fs;

use crate::sources::{self, Source};

/// The only place of the plugin that speaks to Envoy; everything behind it runs in any host.
const HOST: &str = "filter/src/host/";

#[test]
fn only_one_place_knows_the_interface() {
    let mut wrong = Vec::new();
    for source in
        sources::rust().filter(|source| source.path.starts_with("filter/src/") && !source.path.starts_with(HOST))
    {
        for (number, line) in code_lines(&source) {
            if line.contains("extern \"C\"") || line.contains("unsafe {") {
                wrong.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "callbacks and host functions belong into {HOST} alone:\n{}",
        wrong.join("\n")
    );
}

/// Numbered lines that are not comments.
fn code_lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source
        .text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| {
            let line = line.trim_start();
            !line.starts_with("//")
        })
}

#[test]
fn nothing_is_left_for_later() {
    // In parts, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let mut found = Vec::new();
    for source in sources::all() {
        for (at, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| words(line).any(|word| word == *mark)) {
                found.push(format!("{}:{}: {}", source.path, at + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "do it or drop it:\n{}", found.join("\n"));
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

#[test]
fn the_map_names_only_places_that_exist() {
    let Ok(map) = fs::read_to_string(sources::root().join("ARCHITECTURE.md")) else {
        return;
    };
    let missing: Vec<&str> = paths(&map)
        .filter(|path| !sources::root().join(path).exists())
        .collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md names what does not exist: {missing:?}"
    );
}

/// Paths in a document: what stands between backticks, has no spaces, and ends as a folder or a file of ours does.
/// Build output comes and goes, so `target/` does not count.
fn paths(document: &str) -> impl Iterator<Item = &str> {
    let endings = ["/", ".rs", ".toml", ".md", ".yaml", ".json", ".sh"];
    document.split('`').skip(1).step_by(2).filter(move |span| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        span.chars().all(plain)
            && endings.iter().any(|ending| span.ends_with(ending))
            && (span.contains('/') || span.ends_with(".md") || span.ends_with(".toml"))
            && !span.starts_with('.')
            && !span.starts_with("target/")
    })
}

#[test]
fn paths_are_told_from_other_code() {
    let document = "`a/b.rs`, `a/`, `README.md`, `cargo x a/b.rs`, `ns/pod`, `f.rs`, a/c.rs, `*/d.rs`, `target/e.rs`, \
                    `portcullis.wasm`, `.rs`";
    assert_eq!(paths(document).collect::<Vec<_>>(), ["a/b.rs", "a/", "README.md"]);
}

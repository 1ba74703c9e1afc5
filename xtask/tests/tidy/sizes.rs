//! A file that a reader can hold in the head.

use std::io::Write as _;

use crate::sources;

/// Think about a split.
const WARN: usize = 300;
/// Split.
const LIMIT: usize = 450;

#[test]
fn files_stay_readable() {
    let mut too_long = Vec::new();
    for source in sources::rust().filter(|source| !source.is_test()) {
        let lines = lines_without_tests(&source.text);
        if lines > LIMIT {
            too_long.push(format!("{}: {lines} lines", source.path));
        } else if lines > WARN {
            // Not `eprintln!`, which is swallowed when the test passes.
            writeln!(
                std::io::stderr(),
                "tidy: {} has {lines} lines, think about a split",
                source.path
            )
            .unwrap();
        }
    }
    assert!(
        too_long.is_empty(),
        "more than {LIMIT} lines without tests, split them:\n{}",
        too_long.join("\n")
    );
}

/// Lines up to the test module at the end, the place where house style wants it.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let is_test_module = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ");
    lines.windows(2).position(is_test_module).unwrap_or(lines.len())
}

#[test]
fn tests_do_not_count() {
    let cases = [
        ("", 0, "empty"),
        ("fn a() {}\nfn b() {}\n", 2, "no tests"),
        (
            "fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n",
            2,
            "a test module ends the count",
        ),
        ("#[cfg(test)]\nuse x;\nfn a() {}\n", 3, "the attribute alone does not"),
    ];
    for (text, lines, why) in cases {
        assert_eq!(lines_without_tests(text), lines, "{why}");
    }
}

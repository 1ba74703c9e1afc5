//! The reference names every word that the code can say.

use std::fs;

use crate::sources;

/// Where the words for reasons are, as `=> "word"`.
const REASONS: [&str; 2] = ["policy-core/src/verdict.rs", "filter/src/report.rs"];

#[test]
fn the_reference_lists_every_reason() {
    let read = |path: &str| fs::read_to_string(sources::root().join(path)).expect(path);
    let reference = read("docs/plugin.md");
    let mut found = 0;
    for file in REASONS {
        let text = read(file);
        let words = text
            .lines()
            .filter_map(|line| line.split_once("=> \"")?.1.split_once('"'))
            .map(|(word, _)| word);
        for word in words.filter(|word| word.contains('-')) {
            assert!(
                reference.contains(&format!("| `{word}` |")),
                "docs/plugin.md does not list `{word}` of {file}"
            );
            found += 1;
        }
    }
    assert!(found > 15, "only {found} reasons were found");
}

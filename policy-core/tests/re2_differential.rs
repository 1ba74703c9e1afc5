//! Compares `policy_core::re2` with RE2 itself: which patterns are valid, and what they match.
//!
//! Needs a Python that has the package `google-re2`: `PORTCULLIS_PYTHON`, or else `python3`. `PORTCULLIS_RE2_SEED`
//! and `PORTCULLIS_RE2_CASES` choose other cases than the usual.

#[path = "re2_differential/generate.rs"]
mod generate;

use std::env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use generate::Case;
use policy_core::re2::Pattern;

#[test]
fn agrees_with_re2() {
    let Some(python) = python() else {
        eprintln!(
            "SKIPPED: NOT COMPARED WITH RE2: python3 has no package google-re2 (name another interpreter in PORTCULLIS_PYTHON)"
        );
        return;
    };
    let cases = generate::cases(
        number("PORTCULLIS_RE2_SEED", 1),
        number("PORTCULLIS_RE2_CASES", 8000) as usize,
    );
    let answers = ask(&python, &cases);
    assert_eq!(answers.len(), cases.len(), "one answer a case");

    let mut tally = Tally::default();
    for (case, answer) in cases.iter().zip(&answers) {
        compare(case, answer, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.disagreements.is_empty(), "{}", tally.disagreements.join("\n"));
    // Agreement would mean little if most cases were trivial.
    let share = |part: usize, of: usize| part * 100 / of.max(1);
    assert!(share(tally.valid, cases.len()) >= 30, "{tally:?}");
    assert!(share(tally.invalid, cases.len()) >= 10, "{tally:?}");
    assert!(share(tally.matches, tally.pairs) >= 10, "{tally:?}");
    assert!(share(tally.unsupported, cases.len()) <= 20, "{tally:?}");
    assert!(tally.merged * 1000 <= tally.pairs, "{tally:?}");
}

#[derive(Debug, Default)]
struct Tally {
    valid: usize,
    invalid: usize,
    /// Refused by us for a documented reason, whatever RE2 thinks.
    unsupported: usize,
    pairs: usize,
    matches: usize,
    /// The documented deviation: see [`is_merged_leniency`].
    merged: usize,
    disagreements: Vec<String>,
}

fn compare(case: &Case, answer: &str, tally: &mut Tally) {
    let (source, theirs) = (&case.pattern, answer.strip_prefix("valid "));
    match (Pattern::parse(source), theirs) {
        (Err(error), _) if error.kind().is_unsupported() => tally.unsupported += 1,
        (Err(_), None) => tally.invalid += 1,
        (Err(error), Some(_)) => tally
            .disagreements
            .push(format!("{source:?}: valid for RE2, but {error}")),
        (Ok(_), None) => tally.disagreements.push(format!("{source:?}: not valid for RE2")),
        (Ok(pattern), Some(theirs)) => {
            tally.valid += 1;
            for (input, theirs) in case.inputs.iter().zip(theirs.chars()) {
                let (ours, theirs) = (pattern.is_match(input), theirs == '1');
                tally.pairs += 1;
                tally.matches += usize::from(theirs);
                if is_merged_leniency(source, input, ours, theirs) {
                    tally.merged += 1;
                } else if ours != theirs {
                    let (input, strategy) = (input.escape_ascii(), pattern.strategy());
                    tally
                        .disagreements
                        .push(format!("{source:?} on {input} ({strategy:?}): {ours}, RE2 {theirs}"));
                }
            }
        }
    }
}

/// RE2 may merge alternatives into one class that contains everything from U+0080 up, and such classes are lenient
/// about malformed UTF-8. We keep alternatives apart, and so match less, never more, and nothing else differs.
fn is_merged_leniency(source: &str, input: &[u8], ours: bool, theirs: bool) -> bool {
    source.contains('|') && std::str::from_utf8(input).is_err() && theirs && !ours
}

/// The interpreter to use, if it has RE2. One that was asked for by name must.
fn python() -> Option<String> {
    let named = env::var("PORTCULLIS_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let status = Command::new(&python)
        .args(["-c", "import re2; re2.Options"])
        .stderr(Stdio::null())
        .status();
    let usable = status.is_ok_and(|status| status.success());
    assert!(
        usable || named.is_none(),
        "PORTCULLIS_PYTHON={python} has no package google-re2"
    );
    usable.then_some(python)
}

/// RE2's answers, one line a case.
fn ask(python: &str, cases: &[Case]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/re2_differential.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut stdin = child.stdin.take().expect("piped");
    for case in cases {
        let inputs: Vec<String> = case.inputs.iter().map(|input| format!("\"{}\"", hex(input))).collect();
        writeln!(
            stdin,
            r#"{{"pattern":"{}","inputs":[{}]}}"#,
            hex(case.pattern.as_bytes()),
            inputs.join(",")
        )
        .expect("the script reads");
    }
    drop(stdin);
    let output = child.wait_with_output().expect("the script ends");
    assert!(output.status.success(), "the script failed: {}", output.status);
    String::from_utf8(output.stdout)
        .expect("the script writes ASCII")
        .lines()
        .map(String::from)
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

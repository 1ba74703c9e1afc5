//! Suites that are not run, because something in them is wrong. Each error says where.

use insta::assert_snapshot;

use super::test;

#[test]
fn everything_that_is_wrong_is_said_where_it_stands() {
    for name in ["keys", "table", "unknown", "missing", "twice"] {
        let output = test(&[&format!("suite/malformed/{name}.yaml")]);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{name}: {output:?}");
        assert_snapshot!(format!("malformed_{name}"), output.stderr);
    }
}

#[test]
fn what_is_no_suite_is_not_run() {
    for (path, part, why) in [
        ("suite/malformed/nothing.yaml", "this suite has no cases", "no cases"),
        ("suite/malformed/empty.yaml", "this suite is empty", "an empty file"),
        ("suite/malformed/two.yaml", "a file is one suite", "two documents"),
        ("suite/malformed/syntax.yaml", "error[syntax]", "no YAML"),
        ("none.yaml", "cannot read none.yaml", "no file"),
        ("eval", "eval has no *.yaml or *.yml", "a folder without suites"),
    ] {
        let output = test(&[path]);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{why}: {output:?}");
        assert!(output.stderr.contains(part), "{why}: {output:?}");
    }
    let both = test(&["suite/passing.yaml", "suite/malformed/empty.yaml"]);
    assert_eq!(
        (both.status, both.stdout.as_str()),
        (2, ""),
        "no suite is run if one is wrong"
    );
}

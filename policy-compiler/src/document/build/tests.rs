use super::*;

fn parse_text(text: &str) -> (Vec<Node>, Vec<Diagnostic>) {
    parse(&Source::new("t.yaml", text))
}

fn one(text: &str) -> Node {
    let (mut nodes, errors) = parse_text(text);
    assert_eq!((nodes.len(), errors.len()), (1, 0), "{text}: {errors:?}");
    nodes.remove(0)
}

/// The tree as JSON, so that a test reads as what it means.
fn json(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Str(text) => format!("{text:?}"),
        Value::Seq(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Map(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|e| format!("{:?}:{}", e.key, json(&e.value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

#[test]
fn values_are_read_as_written() {
    for (text, want, why) in [
        (
            "a: 1\nb: [x, 'yes', yes, ~]",
            r#"{"a":1,"b":["x","yes",true,null]}"#,
            "quoting decides the type",
        ),
        (
            "{\"a\": \"\\u00e9\\/\",\n\t\"b\": [1, 2.5]}",
            r#"{"a":"é/","b":[1,2.5]}"#,
            "JSON is YAML, tabs and all",
        ),
        ("a: !!str 8", r#"{"a":"8"}"#, "a tag may say that it is text"),
        ("8: x\ntrue: z", r#"{"8":"x","true":"z"}"#, "keys are text"),
        (
            "x: &a {k: 1}\nz: *a",
            r#"{"x":{"k":1},"z":{"k":1}}"#,
            "an alias is what it refers to",
        ),
        (
            "x: &a {k: 1, l: 2}\nz: {<<: *a, l: 3}",
            r#"{"x":{"k":1,"l":2},"z":{"l":3,"k":1}}"#,
            "own entries beat merged ones",
        ),
        (
            "z: {<<: [{k: 1}, {k: 2, m: 3}]}",
            r#"{"z":{"k":1,"m":3}}"#,
            "the earlier merge wins",
        ),
        (
            "z: {'<<': {k: 1}}",
            r#"{"z":{"<<":{"k":1}}}"#,
            "a quoted merge key is a key",
        ),
        (
            "a: 1\na: 2",
            r#"{"a":1,"a":2}"#,
            "a duplicate key stays for its reader to report",
        ),
        (
            "a: |\n  x\n  --- y\n",
            "{\"a\":\"x\\n--- y\\n\"}",
            "an indented marker is text",
        ),
    ] {
        assert_eq!(json(&one(text)), want, "{why}");
    }
}

#[test]
fn documents_are_separate() {
    let (nodes, errors) = parse_text("# head\n---\na: 1\n--- # tail\n---\nb: 2\n...\n---\n");
    assert_eq!(nodes.iter().map(json).collect::<Vec<_>>(), [r#"{"a":1}"#, r#"{"b":2}"#]);
    assert!(errors.is_empty());

    let (nodes, errors) = parse_text("a: 1\n---\nb: [\n---\nc: 3\n");
    assert_eq!(nodes.len(), 2, "an error leaves the other documents alone");
    assert_eq!(errors.len(), 1);
}

#[test]
fn spans_point_into_the_source() {
    let text = "é: 1\n---\nlist:\n- ключ: value\n- [a, b]\nnext: 1\n";
    let (nodes, _) = parse_text(text);
    let at = |node: &Node| node.span.map(|span| &text[span.start..span.end]).expect("span");
    let list = nodes[1].get("list").expect("list");
    assert_eq!(
        at(list),
        "ключ: value\n- [a, b]",
        "a block ends with its last character"
    );
    let Value::Seq(items) = &list.value else {
        panic!("a list")
    };
    assert_eq!(at(items[0].get("ключ").expect("value")), "value");
    assert_eq!(at(&items[1]), "[a, b]");
}

#[test]
fn mistakes_are_located() {
    for (text, line, column, needle, why) in [
        ("a: 1\n\tb: 2\n", 2, 1, "blanks", "a tab as indentation"),
        ("a:\n  b: 1\n c: 2\n", 3, 2, "column", "a line that fits no level"),
        ("a: b: c\n", 1, 5, "quote", "a second colon"),
        ("a: [1, 2\n", 1, 8, "", "a list that never ends"),
        ("a: \"x\n", 1, 4, "", "a string that never ends"),
        ("a: *nowhere\n", 1, 4, "", "an alias without anchor"),
        ("a: &x [*x]\n", 1, 8, "", "an alias of itself"),
        ("a: !foo bar\n", 1, 4, "", "a tag of some other tool"),
        ("? [a]\n: b\n", 1, 3, "", "a list as key"),
        ("a: {<<: 3}\n", 1, 5, "", "a merge of nothing"),
    ] {
        let (nodes, errors) = parse_text(text);
        assert!(nodes.is_empty(), "{why}");
        let at = errors[0].location.as_ref().expect("location");
        assert_eq!((at.line(), at.column()), (line, column), "{why}: {}", errors[0]);
        assert!(
            errors[0].help.as_deref().unwrap_or_default().contains(needle),
            "{why}: {:?}",
            errors[0]
        );
    }
}

#[test]
fn aliases_and_nesting_are_bounded() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..9 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    let (_, errors) = parse_text(&laughs);
    assert!(errors[0].message.contains("aliases"), "{}", errors[0]);

    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(parse_text(&nested(MAX_DEPTH)).1.len(), 0, "as deep as allowed");
    assert_eq!(parse_text(&nested(MAX_DEPTH + 1)).1.len(), 1, "one too deep");
    assert_eq!(parse_text(&nested(100_000)).1.len(), 1, "far too deep");
    assert_eq!(
        parse_text(&"- ".repeat(20_000)).1.len(),
        1,
        "far too deep, in block style"
    );

    let half = |name: &str, inner: &str| format!("{name}: &{name} {}{inner}{}\n", "[".repeat(60), "]".repeat(60));
    let stacked = format!("{}{}", half("a", "1"), half("b", "*a"));
    assert!(
        parse_text(&stacked).1[0].message.contains("nested"),
        "aliases count for depth"
    );
}

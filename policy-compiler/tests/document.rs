//! Whatever the text is, reading it ends in values and errors that point into it.

use policy_compiler::{
    Source, Span,
    document::{Node, Value, parse},
};
use proptest::prelude::*;

/// Pieces that mean something to a YAML parser.
const PIECES: [&str; 40] = [
    "a",
    "b",
    "- ",
    "-",
    ": ",
    ":",
    "? ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\n",
    "\n  ",
    "\n\t",
    " ",
    "  ",
    "\r\n",
    "#",
    "'",
    "\"",
    "|\n",
    ">-\n",
    "&x ",
    "*x",
    "<<: ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "!!str ",
    "!t ",
    "~",
    "é",
    "\u{feff}",
    "\\",
    "\\u00",
    "@",
    "`",
    "80",
    "\0",
];

fn check(node: &Node, length: usize) {
    let inside = |span: Option<Span>| span.is_some_and(|span| span.start <= span.end && span.end <= length);
    assert!(inside(node.span), "{node:?}");
    match &node.value {
        Value::Seq(items) => items.iter().for_each(|item| check(item, length)),
        Value::Map(entries) => {
            for entry in entries {
                assert!(inside(entry.key_span), "{entry:?}");
                check(&entry.value, length);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_text_can_be_read(picks in prop::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = picks.iter().map(|pick| PIECES[*pick]).collect();
        let (nodes, errors) = parse(&Source::new("t.yaml", text.as_str()));
        nodes.iter().for_each(|node| check(node, text.len()));
        for error in errors {
            prop_assert!(error.location.as_ref().is_some_and(|at| at.span().end <= text.len()), "{error}");
            error.render(false);
        }
    }
}

//! The reader against `serde_json`, which reads more kinds of values but must say the same of these.

use proptest::prelude::*;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{Raw, from_slice};

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Everything {
    flag: bool,
    #[serde(default)]
    small: Option<u8>,
    #[serde(default)]
    signed: i16,
    #[serde(default)]
    text: String,
    #[serde(default)]
    list: Vec<Kind>,
    #[serde(default)]
    map: BTreeMap<String, Vec<u32>>,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Kind {
    Plain,
    One(u16),
    Two(u16, u16),
    Named { name: String },
}

fn both(text: &str) -> (Result<Everything, String>, Result<Everything, String>) {
    let ours = from_slice(text.as_bytes()).map_err(|error| error.to_string());
    let theirs = serde_json::from_str(text).map_err(|error| error.to_string());
    (ours, theirs)
}

#[test]
fn what_is_right_reads_the_same() {
    for text in [
        r#"{"flag":true}"#,
        " {\n\t\"flag\" : false ,\r\n \"small\" : 255 } ",
        r#"{"flag":true,"small":null,"signed":-32768}"#,
        r#"{"flag":true,"signed":-1,"list":[],"map":{}}"#,
        r#"{"flag":true,"list":["plain",{"one":0},{"two":[1,65535]},{"named":{"name":"x"}}, "plain"]}"#,
        r#"{"flag":true,"map":{"":[],"a":[4294967295],"b":[0,1]}}"#,
        r#"{"flag":true,"text":"\"\\\/\b\f\n\r\t \u00e9\ud83d\ude00é😀\u007f"}"#,
        r#"{"\u0066lag":true,"list":[{"\u006fne":7}]}"#,
    ] {
        let (ours, theirs) = both(text);
        assert!(theirs.is_ok(), "{text}: {theirs:?}");
        assert_eq!(ours, theirs, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_and_where() {
    for (text, want) in [
        ("", "unexpected end, expected an object at line 1 column 1"),
        ("[]", "expected an object at line 1 column 1"),
        (
            r#"{"flag":true"#,
            "unexpected end, expected `,` or `}` at line 1 column 13",
        ),
        (r#"{"flag":true,}"#, "trailing comma at line 1 column 14"),
        (r#"{,"flag":true}"#, "expected a string at line 1 column 2"),
        (r#"{"flag" true}"#, "expected `:` at line 1 column 9"),
        (r#"{"flag":True}"#, "expected true or false at line 1 column 9"),
        (r#"{"flag":true} {}"#, "trailing characters at line 1 column 15"),
        ("{}", "missing field `flag` at line 1 column 2"),
        (
            "{\"flag\":true,\n \"flog\":1}",
            "unknown field `flog`, expected one of `flag`, `small`, `signed`, `text`, `list`, `map` at line 2 column 8",
        ),
        (
            r#"{"flag":true,"flag":true}"#,
            "duplicate field `flag` at line 1 column 20",
        ),
        (
            r#"{"flag":true,"small":256}"#,
            "invalid value: integer `256`, expected u8 at line 1 column 25",
        ),
        (
            r#"{"flag":true,"small":-1}"#,
            "invalid value: integer `-1`, expected u8 at line 1 column 24",
        ),
        (
            r#"{"flag":true,"small":1.0}"#,
            "expected an integer at line 1 column 22",
        ),
        (r#"{"flag":true,"small":01}"#, "expected `,` or `}` at line 1 column 23"),
        (r#"{"flag":true,"small":"1"}"#, "expected a number at line 1 column 22"),
        (
            r#"{"flag":true,"small":99999999999999999999}"#,
            "expected an integer at line 1 column 22",
        ),
        (r#"{"flag":true,"small":nil}"#, "expected a value at line 1 column 22"),
        (r#"{"flag":true,"text":null}"#, "expected a string at line 1 column 21"),
        (
            "{\"flag\":true,\"text\":\"a\nb\"}",
            "expected the end of the string, or a control character as `\\u00..` at line 1 column 23",
        ),
        (r#"{"flag":true,"text":"\x"}"#, "no such escape at line 1 column 24"),
        (
            r#"{"flag":true,"text":"\u12g4"}"#,
            "expected four hexadecimal digits at line 1 column 24",
        ),
        (
            r#"{"flag":true,"text":"\u+123"}"#,
            "expected four hexadecimal digits at line 1 column 24",
        ),
        (
            r#"{"flag":true,"text":"\ud83d"}"#,
            "half of a character at line 1 column 28",
        ),
        (
            r#"{"flag":true,"text":"\ude00\ud83d"}"#,
            "half of a character at line 1 column 28",
        ),
        (
            r#"{"flag":true,"text":"\ud83d\u0041"}"#,
            "half of a character at line 1 column 34",
        ),
        (
            r#"{"flag":true,"list":["other"]}"#,
            "unknown variant `other`, expected one of `plain`, `one`, `two`, `named` at line 1 column 29",
        ),
        (
            r#"{"flag":true,"list":[7]}"#,
            "expected a variant: a string, or an object with one key at line 1 column 22",
        ),
        (
            r#"{"flag":true,"list":["one"]}"#,
            "this variant has a content: expected an object with its name as key at line 1 column 27",
        ),
        (
            r#"{"flag":true,"list":[{"plain":null}]}"#,
            "this variant has no content: expected its name only at line 1 column 30",
        ),
        (
            r#"{"flag":true,"list":[{"two":[1]}]}"#,
            "invalid length 1, expected tuple variant Kind::Two with 2 elements at line 1 column 31",
        ),
        (
            r#"{"flag":true,"list":[{"two":[1,2,3]}]}"#,
            "too many items at line 1 column 33",
        ),
        (
            r#"{"flag":true,"list":[{"one":1,"two":[1,2]}]}"#,
            "expected `}` after the one key of a variant at line 1 column 30",
        ),
    ] {
        let (ours, theirs) = both(text);
        assert_eq!(ours.expect_err(text), want, "{text}");
        let is_stricter = text.contains(r#"{"plain":null}"#);
        assert_eq!(theirs.is_err(), !is_stricter, "{text}");
    }
    let error = from_slice::<Everything>(b"{\"flag\":true,\n\"\xff").expect_err("not text");
    assert_eq!(error.to_string(), "not UTF-8 at line 2 column 2");
}

#[test]
fn what_is_skipped_is_checked() {
    for text in [
        "0",
        "-1.5e+7",
        "\"\"",
        "[[],{}]",
        r#"{"a":[1,{"b":null}],"c":"\n"}"#,
        "true",
    ] {
        let padded = format!(" {text} ");
        let raw: Raw<'_> = from_slice(padded.as_bytes()).expect(text);
        assert_eq!(raw.get(), text, "without the blanks around it");
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(from_slice::<Raw<'_>>(nested(128).as_bytes()).is_ok());
    let error = from_slice::<Raw<'_>>(nested(129).as_bytes()).expect_err("a stack is finite");
    assert_eq!(error.to_string(), "nested too deep at line 1 column 129");
}

/// Texts that are nearly JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        prop::sample::select(
            [
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                "\"",
                "\\",
                "null",
                "true",
                "false",
                "tru",
                "0",
                "-",
                "1",
                "12",
                ".",
                "e",
                "E+",
                "\\u0041",
                "\\n",
                " ",
                "\n",
                "\u{1}",
                "é",
                "\"a\"",
                "\"a\":1",
                "[1,2]",
                "{\"b\":[]}",
            ]
            .as_slice()
        )
        .prop_map(String::from),
        "[ -~]",
    ];
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_same_texts_are_json(text in nearly_json()) {
        // What nobody looks at may hold half a character for `serde_json`.
        prop_assume!(!text.to_ascii_lowercase().contains(r"\ud"));
        let ours = from_slice::<Raw<'_>>(text.as_bytes());
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        match (ours, theirs) {
            (Ok(ours), Ok(_)) => prop_assert_eq!(ours.get(), text.trim_matches([' ', '\n'])),
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "{}: {:?} {:?}", text, ours, theirs.is_ok()),
        }
    }

    #[test]
    fn the_same_values_are_read(text in ".*", small in any::<Option<u8>>(), signed in any::<i16>(), cut in any::<prop::sample::Index>()) {
        let json = serde_json::json!({
            "flag": true, "small": small, "signed": signed, "text": text,
            "list": [{"named": {"name": text}}, "plain"], "map": {text.as_str(): [1]},
        });
        let json = json.to_string();
        let (ours, theirs) = both(&json);
        prop_assert_eq!(ours, theirs);
        let cut = cut.index(json.len());
        if json.is_char_boundary(cut) {
            prop_assert!(from_slice::<Everything>(&json.as_bytes()[..cut]).is_err(), "nothing but the whole");
        }
    }
}

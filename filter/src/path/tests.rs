use super::*;
use proptest::prelude::*;

#[test]
fn paths_that_could_mean_two_things() {
    for (path, why) in [
        ("/pub/..;/x", "a parameter hides the dots from Envoy"),
        ("/pub/..;a=b/x", "with a value"),
        ("/pub/..;", "at the end"),
        ("/pub/.;a=b/x", "one dot"),
        ("/pub/%2e%2e;/x", "encoded"),
        ("/pub/.%2E/x", "encoded in part, in upper case"),
        ("/pub/%2e%2e", "encoded, at the end"),
        ("/pub/..%3b/x", "an encoded semicolon"),
        ("/pub/../x", "nobody resolved it"),
        ("/..", "the first segment"),
        ("..;/x", "without a leading slash"),
        ("/pub\\..\\x", "a backslash is a slash to some"),
        ("/pub%2fx", "an encoded slash"),
        ("/pub%2Fx", "in upper case"),
        ("/pub%5cx", "an encoded backslash"),
        ("/pub%5Cx?a", "before a query"),
        ("/pub;a=%2f/x", "in a parameter"),
        ("/pub%00", "an encoded NUL ends names in C"),
        ("/pub/.%0d./x", "a server drops the carriage return"),
        ("/pub%0a", "a line feed ends what a regular expression looks at"),
        ("/pub%7f", "the last of the control characters"),
        ("/pub/%u002e%u002e/x", "characters by number"),
        ("/pub/%U002Fx", "in upper case"),
        ("/pub/..%23x", "dots before the end"),
        ("/pub/%252e%252e/x", "dots that are encoded twice"),
        ("/pub/..%252Fx", "a slash behind them that is"),
        ("/pub/x%255c..%252f..%252fy", "between separators that are"),
        ("/pub/..%253fx", "an end that is"),
        ("/pub%250a", "a control character that is"),
        ("/pub/%25u002e", "a number that is"),
    ] {
        assert!(is_ambiguous(path.as_bytes()), "{path}: {why}");
    }
}

#[test]
fn paths_that_mean_one_thing() {
    for (path, why) in [
        ("", "nothing"),
        ("/", "the root"),
        ("*", "OPTIONS on the server"),
        ("http://deathstar/pub", "an absolute form"),
        ("/pub//x", "an empty segment"),
        ("/pub;a=b/x", "a parameter of something else"),
        ("/pub/;a=b", "a parameter of nothing"),
        ("/pub/...", "three dots are a name"),
        ("/pub/...;a", "with a parameter"),
        ("/.well-known/..a", "names that start with dots"),
        ("/a..;b/a.", "names that end with dots"),
        ("/pub;..", "dots in a parameter"),
        ("/%2525252e%2525252e;/x", "nobody decodes as often"),
        (
            "/pub%252Fx",
            "a slash that only a second server decodes is for the readings",
        ),
        ("/%2", "cut off"),
        ("/%2g%zz%", "no digits"),
        ("/%20%c3%a9", "other bytes"),
        ("/%u002g/%u00/u002e", "no number"),
        ("/pub%3Fx%23", "an encoded question mark is a character of a name"),
        ("/pub?/../..;/%2f%5c%00", "the query is no path"),
        ("/pub?a?/..", "the first question mark counts"),
    ] {
        assert!(!is_ambiguous(path.as_bytes()), "{path}: {why}");
    }
}

proptest! {
    #[test]
    fn dots_are_found_however_they_are_written(
        before in "[a-z/]{0,8}", dots in "(\\.|%2e|%2E){1,2}", after in "(;[a-z=.]{0,5})?(/[a-z]{0,5})?(\\?.{0,5})?",
    ) {
        let path = format!("/{before}/{dots}{after}");
        prop_assert!(is_ambiguous(path.as_bytes()), "{}", path);
    }

    #[test]
    fn arbitrary_bytes_are_read(path: Vec<u8>) {
        is_ambiguous(&path);
    }
}

proptest! {
    #[test]
    fn a_plain_path_has_one_reading(path in "[/a-zB.%;#?\\\\]{0,12}|.{0,12}", which in 0..16_u8) {
        let every = [Reading::Decoded, Reading::Parameters, Reading::Slashes, Reading::Case];
        let some = every.into_iter().enumerate().filter(|(i, _)| which >> i & 1 == 1);
        let readings = Readings::from_iter(some.map(|(_, reading)| reading));
        if is_plain(path.as_bytes(), readings) {
            prop_assert!(!is_ambiguous(path.as_bytes()));
            prop_assert!(variants(path.as_bytes(), readings).is_empty());
        }
    }
}

#[test]
fn most_paths_are_plain() {
    for (path, plain, why) in [
        ("/", true, "the root"),
        ("/v1/items/42.json", true, "a dot inside of a name"),
        ("/v1/?q=a%20b//../x", true, "the query is no path"),
        ("*", true, "of OPTIONS"),
        ("/.well-known/x", false, "a dot before a name has to be looked at"),
        ("//x", false, "an empty name"),
        ("..", false, "no slash before it"),
        ("/a;b", false, "parameters"),
        ("/Items", true, "case is heeded"),
    ] {
        assert_eq!(is_plain(path.as_bytes(), Readings::default()), plain, "{path}: {why}");
    }
    assert!(!is_plain(b"/Items", all()), "unless it is ignored");
}

fn all() -> Readings {
    Readings::from_iter([Reading::Decoded, Reading::Parameters, Reading::Slashes, Reading::Case])
}

fn texts(path: &str, readings: Readings) -> Vec<String> {
    let texts = variants(path.as_bytes(), readings).into_iter().map(String::from_utf8);
    texts.collect::<Result<_, _>>().expect("text")
}

#[test]
fn paths_are_read_in_other_ways() {
    for (path, want, why) in [
        ("/%61dmin", &["/admin"][..], "decoded"),
        ("/%2561dmin", &["/%61dmin", "/admin"], "decoded, and decoded again"),
        ("/%252561", &["/%2561", "/%61"], "not three times"),
        (
            "/pub%3Fx",
            &["/pub?x", "/pub"],
            "the path ends where it is decoded, or not",
        ),
        (
            "/pub/;a/..%23",
            &[
                "/pub/;a/..",
                "/pub//..",
                "/pub/",
                "/",
                "/pub/;a/..#",
                "/pub//..%23",
                "/pub/..%23",
                "/pub//..#",
                "/pub/..#",
            ],
            "the same, with parameters and dots",
        ),
        ("/pub;a=b/x;c", &["/pub/x"], "without parameters"),
        ("/;a/x", &["//x", "/x"], "a segment that is nothing else"),
        ("/pub//x", &["/pub/x"], "slashes"),
        ("//x", &["/x"], "at the start"),
        ("/x//", &["/x/"], "at the end"),
        ("/pub\\x", &["/pub/x"], "a backslash"),
        ("\\pub", &["/pub"], "at the start"),
        (
            "/pub;a\\x;b",
            &["/pub;a/x;b", "/pub\\x", "/pub/x"],
            "a backslash ends parameters",
        ),
        ("/pub/../x/./y", &["/x/y"], "dots"),
        ("/../../x", &["/x"], "above the root"),
        ("/pub/..", &["/"], "up at the end"),
        ("/pub/x/..", &["/pub/"], "up at the end"),
        ("/pub/.", &["/pub/"], "here at the end"),
        (
            "/pub/..;/x",
            &["/x", "/pub/../x"],
            "resolved once the parameters are gone",
        ),
        (
            "/a/%2e%2e;/%62",
            &["/a/%2e%2e/%62", "/a/..;/b", "/a/../b", "/b"],
            "all of it together",
        ),
        (
            "/a%3bb;c/x",
            &["/a%3bb/x", "/a;b;c/x", "/a/x"],
            "a parameter that begins encoded",
        ),
        (
            "/a%3fb?c",
            &["/a?b?c", "/a?c"],
            "an encoded question mark is of the path, or ends it",
        ),
        ("/%61?%61;b//c", &["/a?%61;b//c"], "the query stays as it is"),
        ("%61", &["a"], "without a slash"),
        ("a;b//", &["a;b/", "a//", "a/"], "without a slash at the start"),
    ] {
        let mut want: Vec<_> = want.to_vec();
        let mut got = texts(path, Readings::default());
        want.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, want, "{path}: {why}");
    }
    assert_eq!(
        variants(b"/%ff%C3?%ff", Readings::default()),
        [b"/\xff\xc3?%ff"],
        "other bytes than text"
    );
}

#[test]
fn paths_that_are_read_in_one_way() {
    for (path, why) in [
        ("", "nothing"),
        ("/", "the root"),
        ("*", "OPTIONS on the server"),
        ("/pub/x", "plain"),
        ("/pub/x/", "a slash at the end counts"),
        ("/Pub/X", "the case counts"),
        ("/.well-known/a.b/...", "names with dots"),
        ("/pub./x.", "a dot at the end counts"),
        ("/pub?a;b//%61/../\\", "the query is no path"),
        ("/a+b,c=d&e:f@g~h", "characters of names"),
        ("/caf\u{e9}", "other bytes"),
        ("/100%", "no digits"),
        ("/%zz", "no digits"),
    ] {
        assert_eq!(texts(path, Readings::default()), [""; 0], "{path}: {why}");
    }
    assert_eq!(variants(b"/pub/x", all()).capacity(), 0, "no memory for a plain path");
}

#[test]
fn only_the_chosen_readings_count() {
    let path = "/A%2561;b//c";
    for (readings, want) in [
        (&[][..], &[][..]),
        (&[Reading::Decoded], &["/A%61;b//c", "/Aa;b//c"]),
        (&[Reading::Parameters], &["/A%2561//c"]),
        (&[Reading::Slashes], &["/A%2561;b/c"]),
        (&[Reading::Case], &["/a%2561;b//c"]),
        (
            &[Reading::Parameters, Reading::Slashes],
            &["/A%2561;b/c", "/A%2561//c", "/A%2561/c"],
        ),
        (
            &[Reading::Case, Reading::Slashes],
            &["/a%2561;b//c", "/A%2561;b/c", "/a%2561;b/c"],
        ),
    ] {
        let got = texts(path, readings.iter().copied().collect());
        assert_eq!(got, want, "{readings:?}");
    }
    assert_eq!(
        texts(path, Readings::default()).len(),
        11,
        "never, once or twice decoded; with and without parameters; with all slashes or not; but not as it came"
    );
    let most = texts(path, all());
    assert_eq!(most.len(), 16, "with the case, too: {most:?}");
    for variant in ["/a%2561;b//c", "/aa;b/c", "/aa/c"] {
        assert!(most.iter().any(|one| one == variant), "{variant} of {most:?}");
    }
}

#[test]
fn readings_have_words() {
    for (word, want) in [
        ("decoded", Some(Reading::Decoded)),
        ("parameters", Some(Reading::Parameters)),
        ("slashes", Some(Reading::Slashes)),
        ("case", Some(Reading::Case)),
        ("Case", None),
        ("", None),
    ] {
        let got: Option<Reading> = serde_json::from_value(word.into()).ok();
        assert_eq!(got, want, "{word}");
    }
    assert_eq!(
        Readings::default(),
        [
            Reading::Slashes,
            Reading::Decoded,
            Reading::Parameters,
            Reading::Slashes
        ]
        .into_iter()
        .collect(),
        "in any order, and as often as they like"
    );
}

proptest! {
    #[test]
    fn variants_differ_from_the_path_and_from_each_other(
        path in "/(%25|%2f|%5c|%3b|%2e|%3f|%23|%4|%61|[/\\\\.;?aB]){0,24}",
        chosen in prop::sample::subsequence(
            vec![Reading::Decoded, Reading::Parameters, Reading::Slashes, Reading::Case], 0..=4,
        ),
    ) {
        let readings = chosen.into_iter().collect();
        let variants = variants(path.as_bytes(), readings);
        let (name, query) = split_query(path.as_bytes());
        prop_assert!(variants.len() <= 34);
        for (at, variant) in variants.iter().enumerate() {
            prop_assert!(variant.starts_with(b"/") && variant.ends_with(query));
            prop_assert_ne!(&variant[..], path.as_bytes());
            prop_assert!(!variants[..at].contains(variant));
            prop_assert!(variant.len() <= path.len());
        }
        if !readings.concern(name) {
            prop_assert!(variants.is_empty());
        }
    }

    #[test]
    fn plain_paths_are_read_in_one_way(path in "(/[a-z0-9_-]{1,8}){0,6}/?", query in "(\\?.*)?") {
        prop_assert_eq!(variants(format!("{path}{query}").as_bytes(), all()), [b""; 0]);
    }

    #[test]
    fn a_path_that_was_read_is_read_in_the_same_way_again(path: Vec<u8>) {
        let bare = without_parameters(&path);
        prop_assert_eq!(without_parameters(&bare), &bare[..]);
        let resolved_path = resolved(&path);
        prop_assert!(is_resolved(&resolved_path));
        prop_assert_eq!(resolved(&resolved_path), &resolved_path[..]);
        prop_assert_eq!(is_resolved(&path), resolved_path == path);
    }

    #[test]
    fn what_hides_behind_all_readings_is_found(plain in "(/[a-z]{1,4}){1,4}", odd in any::<u64>()) {
        // Writes the plain path in an odd way: encoded letters, twice encoded ones, parameters, slashes and dots.
        let mut written = String::new();
        for (at, letter) in plain.chars().enumerate() {
            let code = u32::from(letter);
            written += &match (letter, odd >> (2 * at) & 3) {
                ('/', 0) => "//".to_owned(),
                ('/', 1) => ";p=1/".to_owned(),
                ('/', 2) => "/./".to_owned(),
                ('/', _) => "/x/../".to_owned(),
                (_, 0) => format!("%{code:02x}"),
                (_, 1) => format!("%25{code:02X}"),
                _ => letter.to_string(),
            };
        }
        let found = texts(&written, Readings::default());
        prop_assert!(written == plain || found.contains(&plain), "{} of {:?}", plain, found);
    }

    #[test]
    fn arbitrary_paths_have_variants(path: Vec<u8>) {
        let variants = variants(&path, all());
        prop_assert!(variants.len() <= 18 && !variants.contains(&path));
    }
}

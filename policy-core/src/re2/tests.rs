//! One line per case. Every expectation here was checked against RE2 itself; `tests/re2_differential.rs` checks
//! thousands more.

mod oracle;

use alloc::string::String;
use std::format;

use super::{Budget, Pattern, PatternErrorKind as Kind, Strategy};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;

fn is_match(source: &str, input: &[u8]) -> bool {
    match Pattern::parse(source) {
        Ok(pattern) => pattern.is_match(input),
        Err(error) => panic!("{source:?}: {error}"),
    }
}

fn kind(source: &str) -> Option<Kind> {
    Pattern::parse(source).err().map(|error| error.kind())
}

fn strategy(source: &str) -> Strategy {
    Pattern::parse(source).unwrap().strategy()
}

/// The pattern matches each of the inputs.
macro_rules! matches {
    ($($name:ident: $source:expr => $($input:expr),+;)+) => { $(
        #[test]
        fn $name() {
            $( assert!(is_match($source, $input.as_ref()), "{:?} should match {:?}", $source, $input); )+
        }
    )+ };
}

/// The pattern matches none of the inputs.
macro_rules! nmatches {
    ($($name:ident: $source:expr => $($input:expr),+;)+) => { $(
        #[test]
        fn $name() {
            $( assert!(!is_match($source, $input.as_ref()), "{:?} should not match {:?}", $source, $input); )+
        }
    )+ };
}

/// The pattern is refused, with this kind of error.
macro_rules! refused {
    ($($name:ident: $kind:ident => $($source:expr),+;)+) => { $(
        #[test]
        fn $name() {
            $( assert_eq!(kind($source), Some(Kind::$kind), "{:?}", $source); )+
        }
    )+ };
}

/// The pattern decides by this strategy.
macro_rules! strategies {
    ($($name:ident: $strategy:expr => $($source:expr),+;)+) => { $(
        #[test]
        fn $name() {
            $( assert_eq!(strategy($source), $strategy, "{:?}", $source); )+
        }
    )+ };
}

matches! {
    the_empty_pattern_matches_the_empty_text: "" => "";
    a_literal: "/public" => "/public";
    a_literal_beyond_ascii: "é中🦀" => "é中🦀";
    alternation: "GET|HEAD" => "GET", "HEAD";
    alternation_in_a_group: "P(OST|UT)" => "POST", "PUT";
    an_empty_alternative: "a|" => "a", "";
    empty_alternatives_in_the_middle: "a||b" => "", "a", "b";
    only_empty_alternatives: "||" => "";
    the_shorter_alternative_first: "a|ab" => "a", "ab";
    star: "a*" => "", "a", "aaa";
    plus: "a+" => "a", "aaa";
    optional: "/admin(/.*)?" => "/admin", "/admin/", "/admin/x";
    lazy_operators_match_the_same_texts: "a*?b+?c??d{1,2}?" => "abcd", "bdd";
    exact_count: "/x{2}" => "/xx";
    open_count: "x{2,}" => "xx", "xxx";
    bounded_count: "x{2,3}" => "xx", "xxx";
    count_zero: "x{0}" => "";
    count_without_minimum_is_literal: "a{,2}" => "a{,2}";
    count_with_leading_zero_is_literal: "a{01}" => "a{01}";
    count_with_ten_digits_is_literal: "a{1000000000}" => "a{1000000000}";
    count_with_a_space_is_literal: "a{ 1}" => "a{ 1}";
    count_unclosed_is_literal: "a{1,2" => "a{1,2";
    a_count_repeats_the_literal_brace: "a{,2}{2}" => "a{,2}}";
    a_lone_brace_is_literal: "{" => "{";
    closing_brackets_are_literal: "a]b}" => "a]b}";
    nested_stars: "(?:a*)*" => "", "aa";
    nested_counts: "((a{2}){2}){2}" => "aaaaaaaa";
    the_largest_count: "a{1000}" => "a".repeat(1000);
    groups_of_all_kinds: "(a)(?:b)(?P<n>c)(?<m>d)" => "abcd";
    group_names_may_repeat: "(?P<n>a)(?P<n>b)" => "ab";
    dot: "a.c" => "abc", "a c", "aéc", "a🦀c";
    dot_matches_nul: "." => b"\0";
    dot_with_s: "(?s)." => "\n";
    dot_matches_surrogates: "." => b"\xed\xa0\x80";
    dot_matches_overlong_forms: "." => b"\xe0\x80\x80", b"\xf0\x80\x80\x80";
    dot_matches_beyond_the_last_code_point: "." => b"\xf4\xbf\xbf\xbf";
    a_negated_class_is_as_lenient_as_dot: "[^a]" => b"\xe0\x80\x80", b"\xed\xa0\x80", "é", "\n";
    a_negated_perl_class_is_as_lenient_as_dot: r"\D" => b"\xe0\x80\x80";
    anchors_are_harmless: "^/exact$" => "/exact";
    anchors_in_branches: "^a$|^b$" => "a", "b";
    anchors_in_groups: "(^(a))(b$)" => "ab";
    repeated_anchors: "^^a$$" => "a";
    anchors_can_be_repeated: "^*a$+" => "a";
    optional_anchor_in_the_middle: "a^?b" => "ab";
    text_anchors: r"\Aab\z" => "ab";
    line_anchors: "(?m)a$\n^b" => "a\nb";
    line_anchors_at_the_edges: "(?m)^$" => "";
    line_start_after_newline: "(?m)\n^" => "\n";
    word_boundary: r"\bab\b c" => "ab c";
    word_boundary_in_the_middle: r"a\b.*" => "a-", "a";
    no_word_boundary: r"a\Bb" => "ab";
    no_word_boundary_in_nothing: r"\B" => "";
    no_word_boundary_between_others: r"-\B-" => "--";
    word_boundary_is_ascii: r"é\ba" => "éa";
    repeated_word_boundary: r"\b+a" => "a";
    a_loop_over_an_assertion: r"(a\b-?|b)*" => "a-ba", "ba";
    class: "[abc]" => "a", "b", "c";
    class_range: "[a-c0-9]" => "b", "5";
    class_negated: "[^/]+" => "abc", "é";
    class_with_leading_bracket: "[]a]" => "]", "a";
    class_negated_with_leading_bracket: "[^]a]" => "b";
    class_with_dash_first: "[-a]" => "-", "a";
    class_with_dash_last: "[a-]" => "-", "a";
    class_with_dash_after_range: "[a-z-9]" => "-", "9", "m";
    class_with_dash_after_group: r"[\d-z]" => "-", "z", "5";
    class_range_from_dash: "[--/]" => "-", ".", "/";
    class_range_to_dash: "[+--]" => "+", ",", "-";
    class_with_caret: "[a^]" => "^";
    class_with_open_bracket: "[[a]" => "[", "a";
    class_does_not_nest: "[[a]]" => "[]", "a]";
    class_has_no_intersection: "[a&&b]" => "a", "&", "b";
    class_has_no_difference: "[a~~b]" => "~";
    class_with_dot: "[.*$^]+" => ".*$^";
    class_with_escapes: r"[\n\]\\\-\x41\07]" => "\n", "]", "\\", "-", "A", "\x07";
    class_range_of_escapes: r"[\x61-\x{7A}]" => "m";
    class_beyond_ascii: "[à-ü]" => "é";
    class_across_lengths: r"[a-\x{10000}]" => "a", "é", "中", "𐀀";
    class_over_surrogates: r"[\x{D7FF}-\x{E000}]" => b"\xed\xa0\x80";
    class_of_posix: "[[:alpha:]]" => "a", "Z";
    class_of_posix_negated: "[[:^alpha:]]" => "1", "é";
    class_of_posix_and_others: "[[:digit:]a-c_]+" => "1b_";
    class_of_posix_then_dash: "[[:digit:]-z]" => "-", "z";
    class_posix_punct: "[[:punct:]]" => "!", "/", ":", "@", "[", "`", "{", "~";
    class_posix_space_has_vertical_tab: "[[:space:]]" => "\x0b", " ";
    class_posix_word: "[[:word:]]" => "_", "a", "0";
    class_posix_unclosed_is_members: "[[:alpha]" => ":", "[", "h";
    class_posix_outside_brackets_is_members: "[:alpha:]" => ":", "a", "p";
    perl_digit: r"\d" => "0", "9";
    perl_space: r"\s" => " ", "\t", "\n", "\x0c", "\r";
    perl_word: r"\w" => "a", "Z", "0", "_";
    perl_negated: r"\D\S\W" => "aa-";
    perl_negated_takes_whole_characters: r"\W" => "é";
    escapes_of_controls: r"\a\f\t\n\r\v" => "\x07\x0c\t\n\r\x0b";
    escapes_of_punctuation: r"\.\*\-\#\ \/\_" => ".*-# /_";
    escapes_of_controls_by_themselves: "\\\n\\\x00" => "\n\0";
    escape_hex: r"\x41\x{42}\x{0000043}\x{1F980}" => "ABC🦀";
    escape_octal: r"\101\012\0\07\08" => "A\n\0\x07\x008";
    escape_octal_stops_after_three: r"\1234\0123" => "S4\n3";
    escape_octal_beyond_a_byte: r"\400\777" => "\u{100}\u{1ff}";
    escape_surrogate: r"\x{D800}" => b"\xed\xa0\x80";
    quotation: r"\Qa.b*\E+" => "a.b*", "a.b**";
    quotation_unclosed: r"\Q(a|b" => "(a|b";
    quotation_of_a_backslash: r"\Q\\E" => "\\";
    quotation_with_trailing_backslash: r"\Qa\" => r"a\";
    quotation_empty_leaves_the_item_before: r"a\Q\E*" => "", "aa";
    fold: "(?i)get" => "GET", "get", "gEt";
    fold_scoped: "(?i:a)b" => "Ab";
    fold_until_the_end_of_the_group: "(?:a(?i)b|c)d" => "aBd", "Cd";
    fold_switched_off: "(?i)a(?-i)b" => "Ab";
    fold_of_k_and_s: "(?i)ks" => "\u{212a}\u{17f}", "KS";
    fold_of_the_variants_themselves: "(?i)\u{212a}\u{17f}" => "kS";
    fold_of_class: "(?i)[a-z]" => "A", "\u{212a}", "\u{17f}";
    fold_of_negated_class: "(?i)[^k]" => "a", "s";
    fold_of_posix: "(?i)[[:lower:]]" => "A", "\u{17f}";
    fold_of_perl: r"(?i)\w" => "\u{17f}";
    fold_of_everything_beyond_ascii: r"(?i)[\x{80}-\x{10FFFF}]" => "k", "S", "é";
    fold_of_quotation: r"(?i)\Qa.\E" => "A.";
    flags_combined: "(?ims-U:^a.$)" => "A\n";
    flags_empty: "(?)a" => "a";
    a_repetition_reaches_over_flags: "a(?i)*" => "", "aa";
    a_repetition_reaches_over_flags_to_a_repetition: "a*(?i)*" => "aa";
    any_text: ".*" => "", "abc é";
    some_text: ".+" => "a";
    prefix: "/api/.*" => "/api/", "/api/é";
    prefix_and_some_text: "/api/.+" => "/api/x";
    suffix: r".*\.example\.com" => ".example.com", "a.b.example.com";
    both_ends: r"/a/.*\.txt" => "/a/.txt", "/a/b.txt";
    text_with_newlines: "(?s)a.*" => "a\n\n";
    a_query: r"/public(\?.*)?" => "/public", "/public?", "/public?x=1";
    a_version: "/api/v[0-9]+/users" => "/api/v10/users";
    wide_counts: "[a-z0-9-]{1,63}" => "a", "-".repeat(63);
    blow_up: "(a|b)*a(a|b){12}" => "abbbbbbbbbbbb";
}

nmatches! {
    the_empty_pattern_matches_nothing_else: "" => "a", "\n";
    a_literal_is_the_whole_text: "/public" => "/publi", "/public/", "x/public", "/public\n", "";
    a_literal_is_case_sensitive: "GET" => "get", "Get";
    alternation_is_the_whole_text: "GET|HEAD" => "GETX", "XHEAD", "GETHEAD", "";
    plus_needs_one: "a+" => "";
    counts_end: "x{2,3}" => "x", "xxxx";
    a_thousand_is_not_less: "a{1000}" => "a".repeat(999), "a".repeat(1001);
    literal_counts_are_not_counts: "a{,2}" => "", "a", "aa";
    dot_excludes_newline: "." => "\n";
    dot_is_one_character: "." => "", "ab", "éé";
    dot_does_not_match_invalid_bytes: "." => b"\x80", b"\xff", b"\xc3", b"\xc0\x80", b"\xc1\xbf", b"\xf5\x80\x80\x80";
    dot_does_not_match_truncated_characters: "(?s).*" => b"\xe2\x84", b"a\xc3", b"\xf0\x9f\xa6";
    any_text_excludes_invalid_bytes: "(?s).*" => b"\xff", b"a\x80b";
    negated_class_does_not_match_invalid_bytes: "[^a]" => b"\xff", b"\x80", "a";
    a_strict_class_has_no_overlong_forms: r"[^\x{80}]" => b"\xe0\x80\x80", b"\xf4\x90\x80\x80", b"\xc2\x80";
    a_literal_does_not_match_latin1: "é" => b"\xe9";
    a_contradiction: "a^b" => "ab", "a^b";
    an_anchor_is_not_a_line_anchor: "a$\n^b" => "a\nb";
    text_anchors_ignore_m: r"(?m)a\z\nb" => "a\nb";
    line_start_not_elsewhere: "(?m)a^b" => "ab";
    word_boundary_not_in_nothing: r"\b" => "";
    word_boundary_not_between_letters: r"a\bb" => "ab";
    no_word_boundary_not_at_the_edge: r"\Ba" => "a";
    non_ascii_is_no_word: r"a\Bé" => "aé";
    the_empty_class: r"[^\x00-\x{10FFFF}]" => "", "a", b"\xff";
    the_empty_class_of_opposites: r"[^\d\D]" => "a", "1";
    class_does_not_nest_here: "[[a]]" => "a", "[";
    class_negated_excludes: "[^/]+" => "a/b", "";
    class_with_range_excludes_dash: "[a-c]" => "-";
    perl_is_ascii: r"\w" => "é", "٣";
    perl_digit_is_ascii: r"\d" => "٣";
    perl_space_has_no_vertical_tab: r"\s" => "\x0b", "\u{a0}";
    posix_graph_has_no_space: "[[:graph:]]" => " ";
    fold_not_outside_its_group: "(?:(?i)a)b" => "AB";
    fold_of_negated_class_excludes_variants: "(?i)[^k]" => "K", "\u{212a}";
    fold_of_negated_perl_excludes_variants: r"(?i)\W" => "\u{17f}", "\u{212a}";
    fold_of_negated_posix_excludes_variants: "(?i)[[:^lower:]]" => "A";
    without_fold_no_variants: "[a-z]" => "\u{212a}";
    not_any_text: ".*" => "\n", "a\nb", b"\xff";
    some_text_is_not_none: ".+" => "", "\n";
    prefix_is_complete: "/api/.*" => "/api", "/apix", "/api/\n", b"/api/\xff";
    prefix_and_some_text_is_not_none: "/api/.+" => "/api/";
    suffix_dot_is_literal: r".*\.example\.com" => "example.com", "aXexample.com", "a.example.com.";
    ends_do_not_overlap: r"aba.*aba" => "aba", "ababa", "abaab";
    a_query_needs_its_mark: r"/public(\?.*)?" => "/publicx", "/public/x";
    host_pattern_is_a_wildcard: "foo.com" => "fooo.com", "foo.com:8080", "FOO.com";
    wide_counts_end: "[a-z0-9-]{1,63}" => "", "-".repeat(64), "A";
    blow_up_counts: "(a|b)*a(a|b){12}" => "bbbbbbbbbbbbb", "abbbbbbbbbbb";
}

refused! {
    backslash_at_the_end: TrailingBackslash => r"\", r"a\", r"[\", r"[a\";
    unknown_escapes: InvalidEscape => r"\y", r"\e", r"\cA", r"\Z", r"\G", r"\u0041", r"\h", r"\X41", r"\é", r"\E", r"a\Q\E\E";
    malformed_hex: InvalidEscape => r"\x", r"\x1", r"\x1g", r"\x{}", r"\x{41", r"\x{g}", r"\x{110000}", r"\x{FFFFFFFFFFFF}";
    escapes_unknown_in_class: InvalidEscape => r"[\b]", r"[\Q]", r"[\E]", r"[\A]", r"[\C]", r"[a-\d]", r"[a-\pL]";
    back_references: BackReference => r"(a)\1", r"\8", r"\18", r"[\1]";
    look_around: LookAround => "(?=a)", "(?!a)", "(?<=a)", "(?<!a)";
    malformed_flags: InvalidGroup => "(?", "(?i", "(?i-)", "(?-)", "(?-:a)", "(?i--s)", "(?x)", "(?#c)", "(?>a)", "(?P=n)", "(?^i)";
    malformed_names: InvalidGroupName => "(?P<>a)", "(?P<n", "(?<n", "(?P<a-b>x)", "(?P<a b>x)";
    open_groups: UnclosedGroup => "(", "(a", "((a)", "(?i:", r"(\Q)", "a|(b";
    closed_too_often: UnopenedGroup => ")", "a)", "(?i:a))", "a)(b";
    open_classes: UnclosedClass => "[", "[]", "[^]", "[a", "[a-", "[^", "[[:alpha:]", "[[:";
    ranges_out_of_order: ReversedRange => "[z-a]", "[a--]", r"[a-\]]";
    unknown_class_names: UnknownClassName => "[[:foo:]]", "[[:^foo:]]", "[[:x]b:]]", "[[::]]";
    nothing_to_repeat: NothingToRepeat => "*", "+", "?", "{1}", "|*", "(*)", "a|*", "(?i)*", "a|(?i)*", r"\Q\E*", "({2})";
    stacked_operators: StackedRepetition => "a**", "a*+", "a???", "a{2}{3}", "a{2}*", "a*?*", "()**", "a{1}{1001}";
    counts_too_large: InvalidRepetition => "a{1001}", "a{1,1001}", "a{1001,}", "a{2,1}", "a{999999999}";
    nested_counts_too_large: InvalidRepetition => "(a{100}){11}", "((a{10}){10}){11}", "(a|b{500}){3}", "(a{2,}){501}";
    nested_counts_of_nothing_too_large: InvalidRepetition => "((){1000}){2}", "((a{1000}){0}){2}", "((a{1000})*){2}";
    any_byte: AnyByte => r"\C", r"a\C*";
    unicode_classes: UnicodeClass => r"\pL", r"\PN", r"\p{Greek}", r"[\pL]", r"[^\P{^Lu}]";
    unicode_fold: UnicodeFold => "(?i)é", "(?i)[à-ü]", r"(?i)\x{e9}", "(?i)中", r"(?i)[a-\x{80}]";
    unicode_names: UnicodeGroupName => "(?P<né>a)", "(?<日>a)";
    too_many_instructions: TooLarge => "[^/]{1000}[^/]{1000}";
}

strategies! {
    one_text: Strategy::Literal => "", "/a", "^/a$", "(?:/(a))", "a{3}", "[a]", r"\Qa.b\E", "(?m)^a$";
    several_texts: Strategy::AnyOf(2) => "GET|HEAD", "P(OST|UT)", "^(a|b)$", "ab?", "/x{2,3}", "[ab]", "a|b|a";
    no_text: Strategy::AnyOf(0) => r"[^\x00-\x{10FFFF}]", r"a[^\d\D]";
    text_then_anything: Strategy::Prefix => "/a/.*", "^/a/.*$", "/a/.+", "(?s)/a/.*", "/a/(.*)", "/a/.{0,}";
    anything_then_text: Strategy::Suffix => r".*\.corp\.internal", "(.*)a", ".+a";
    text_anything_text: Strategy::PrefixAndSuffix => "a.*b";
    anything: Strategy::Any => ".*", "(?s).*", "^.*$", ".+", "(?U).*?";
    the_rest: Strategy::Automaton => "[a-z]+", "/admin(/.*)?", ".*a.*", "[^a]*", r"\b", "a.{2,}", "(?i)get|head";
    states_that_multiply: Strategy::Simulation => "(a|b)*a(a|b){16}", r"\b(.*[a-y]){300}";
}

#[test]
fn every_match_begins_with_the_lead() {
    for (source, lead, why) in [
        ("", "", "nothing"),
        ("/a", "/a", "one text, all of it"),
        ("/health|/healthz|/heap", "/hea", "what several texts share"),
        ("GET|HEAD", "", "and they may share nothing"),
        (r"[^\x00-\x{10FFFF}]", "", "of no texts"),
        ("/a/.*b", "/a/", "before anything"),
        (".*b", "", "anything first"),
        ("^/v1/items/[0-9]+$", "/v1/items/", "before a class"),
        ("/v1(/items)/[0-9]+", "/v1/items/", "groups are transparent"),
        ("/a(/.*)?", "/a", "what may be missing leads nowhere"),
        ("/(ab)+[0-9]", "/ab", "what must be there once"),
        ("/a{3}[0-9]", "/aaa", "or so often"),
        ("/(ab[0-9]|ac[0-9])x", "/a", "all branches begin so"),
        ("/(é[0-9]|è[0-9])", "/\u{c3}", "byte by byte"),
        ("/(?i)a[0-9]", "/", "either case"),
        (r"/\bab[0-9]", "/", "an assertion ends it"),
    ] {
        // As Latin-1, so that half a character can be written.
        let lead: Vec<u8> = lead.chars().filter_map(|c| u8::try_from(c).ok()).collect();
        assert_eq!(Pattern::parse(source).unwrap().lead(), lead, "{source}: {why}");
    }
}

#[test]
fn a_thousand_nested_bounds_are_still_accepted() {
    for source in [
        "((a{10}){10}){10}",
        "(a{1000}){1}",
        "((a{1000}){0}){1}",
        "((a{1000}){1,}){1,}",
        "((a{31}){32})",
    ] {
        assert_eq!(kind(source), None, "{source}");
    }
}

#[test]
fn groups_nest_up_to_the_limit() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")*".repeat(depth));
    assert_eq!(kind(&nested(100)), None);
    assert_eq!(kind(&nested(101)), Some(Kind::TooDeep));
}

#[test]
fn sources_are_bounded() {
    assert_eq!(kind(&"a".repeat(64 << 10)), None);
    assert_eq!(kind(&"a".repeat((64 << 10) + 1)), Some(Kind::TooLarge));
}

#[test]
fn many_literals_need_no_program() {
    let source: String = (0..5000).map(|n| format!("/p/{n:04}|")).collect();
    assert_eq!(strategy(&source), Strategy::AnyOf(5001));
    assert!(is_match(&source, b"/p/4999"));
    assert!(!is_match(&source, b"/p/5000"));
}

#[test]
fn errors_say_where_and_what() {
    let error = Pattern::parse("/é/[z-a]").unwrap_err();
    assert_eq!((error.offset(), error.kind()), (5, Kind::ReversedRange));
    assert_eq!(format!("{error}"), "character class range out of order at byte 5");
    assert!(!error.kind().is_unsupported());
    assert!(Pattern::parse(r"a\pN").unwrap_err().kind().is_unsupported());
}

#[test]
fn a_pattern_shows_its_source() {
    let pattern = Pattern::parse("a|b").unwrap();
    assert_eq!(pattern.source(), "a|b");
    assert_eq!(format!("{pattern:?}"), r#"Pattern("a|b")"#);
}

#[test]
fn patterns_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Pattern>();
}

/// Two thousand patterns that each want a large table.
#[test]
fn many_expensive_patterns_share_a_budget() {
    let mut budget = Budget::default();
    let sources = (0..2000).map(|i| std::format!("/.*[ab].{{15}}c{i}"));
    let patterns: Vec<Pattern> = sources
        .map(|source| Pattern::parse_within(&source, &mut budget).unwrap())
        .collect();
    assert!(
        patterns
            .iter()
            .all(|pattern| pattern.strategy() == Strategy::Simulation)
    );
    assert!(patterns[7].is_match(b"/xxa0123456789abcdec7"));
    assert!(!patterns[7].is_match(b"/xxa0123456789abcdec8"));
    assert!(budget.work.load(Ordering::Relaxed) < 1 << 23, "some of it was spent");

    let mut spent = Budget {
        work: Arc::default(),
        ..Budget::default()
    };
    let simulated = Pattern::parse_within("/v1/items/[0-9]+", &mut spent).unwrap();
    assert_eq!(simulated.strategy(), Strategy::Simulation);
    assert!(simulated.is_match(b"/v1/items/42") && !simulated.is_match(b"/v1/items/x"));
    let mut none = Budget {
        instructions: 0,
        ..Budget::default()
    };
    let error = Pattern::parse_within("/v1/items/[0-9]+", &mut none).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
}

/// The length of a text is its author's choice; how long it takes to say no is not.
#[test]
fn a_long_text_is_given_up() {
    let pattern = Pattern::parse("/.*a.{500}b").unwrap();
    assert_eq!(pattern.strategy(), Strategy::Simulation);
    let text = |filler: usize| [b"/", &*b"a".repeat(filler), &*b"x".repeat(500), b"b"].concat();
    assert!(pattern.is_match(&text(10)));
    assert!(
        !pattern.is_match(&text(60_000)),
        "it would match, but nobody waits that long"
    );
}

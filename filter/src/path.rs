//! Paths that the server may read differently than the policy does.

use core::iter;

/// Whether a server that decodes once more, or cuts off parameters, may serve something else than the policy judged.
///
/// Envoy resolves dot segments and decodes slashes, but what comes out may again have some: `/a/%2e%2e;/b` becomes
/// `/a/..;/b`, which many servers take for `/b`. Two things make the path before the query ambiguous:
///
/// - a segment that is `.` or `..` once it is decoded and has lost its parameters;
/// - an encoded slash, backslash or NUL.
pub(crate) fn is_ambiguous(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'?')
        .take(1)
        .flat_map(|path| path.split(|byte| matches!(byte, b'/' | b'\\')))
        .any(|segment| is_dots(segment) || hides_a_separator(segment))
}

/// Decoded before the parameters are looked for, so an encoded semicolon starts them, too.
fn is_dots(segment: &[u8]) -> bool {
    let mut name = decoded(segment).take_while(|byte| *byte != b';');
    matches!(
        (name.next(), name.next(), name.next()),
        (Some(b'.'), None, None) | (Some(b'.'), Some(b'.'), None)
    )
}

/// Its plain slashes are where it was split, so each one found here was encoded.
fn hides_a_separator(segment: &[u8]) -> bool {
    decoded(segment).any(|byte| matches!(byte, b'/' | b'\\' | 0))
}

/// The bytes with each `%XX` decoded, once. A percent sign without two digits stands for itself.
fn decoded(mut rest: &[u8]) -> impl Iterator<Item = u8> {
    iter::from_fn(move || {
        if let [b'%', high, low, tail @ ..] = rest
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            rest = tail;
            return Some(high << 4 | low);
        }
        let (first, tail) = rest.split_first()?;
        rest = tail;
        Some(*first)
    })
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
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
            ("/%252e%252e;/x", "decoded once, it is no dot"),
            ("/%2", "cut off"),
            ("/%2g%zz%", "no digits"),
            ("/%20%c3%a9", "other bytes"),
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
}

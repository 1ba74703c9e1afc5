//! Items of `toFQDNs`, and DNS rules, which are written the same way.

use policy_core::{FqdnPattern, bundle::PeerPattern};

use super::super::{Context, Cursor};
use crate::diagnostic::Code;

const MAX_LENGTH: usize = 255;

/// One item of `toFQDNs`.
pub(super) fn fqdn(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<PeerPattern> {
    let (name, pattern) = read(cx, at, Code::B7);
    match (name, pattern) {
        (Some(_), Some(_)) => {
            cx.error(at, Code::B7, "has both `matchName` and `matchPattern`")
                .help("write an item for each");
            None
        }
        (Some(name), None) => Some(PeerPattern::MatchName(canonical(name))),
        (None, Some(pattern)) => Some(PeerPattern::MatchPattern(canonical(pattern))),
        (None, None) => {
            if !cx.has_errors() {
                cx.warning(
                    at,
                    Code::MATCHES_NOTHING,
                    "an item without name matches only the root of DNS",
                );
            }
            Some(PeerPattern::MatchName(".".into()))
        }
    }
}

/// The name and the pattern of an item of a DNS rule, as in a bundle. `code` is the rule that a bad one breaks.
pub(in crate::decode) fn dns_names(
    cx: &mut Context<'_>,
    at: &Cursor<'_>,
    code: Code,
) -> (Option<Box<str>>, Option<Box<str>>) {
    let (name, pattern) = read(cx, at, code);
    (name.map(canonical), pattern.map(canonical))
}

fn read<'a>(cx: &mut Context<'_>, at: &Cursor<'a>, code: Code) -> (Option<&'a str>, Option<&'a str>) {
    at.fields(cx, &["matchName", "matchPattern"]);
    let name = field(cx, at, "matchName", code, |text| {
        // The agent does not trim a name as it trims a pattern.
        let blank = text
            .chars()
            .find(|c| c.is_whitespace())
            .map(|c| format!("{c:?} is no character of a DNS name"));
        blank.or_else(|| FqdnPattern::name(text).err().map(|error| error.to_string()))
    });
    let pattern = field(cx, at, "matchPattern", code, |text| {
        let long = (text.len() > MAX_LENGTH).then(|| format!("longer than {MAX_LENGTH} characters"));
        long.or_else(|| FqdnPattern::pattern(text).err().map(|error| error.to_string()))
    });
    if cx.at_cluster() && name.is_some() == pattern.is_some() {
        cx.error(at, Code::D6, "needs exactly one of `matchName` and `matchPattern`");
    }
    (name, pattern)
}

fn field<'a>(
    cx: &mut Context<'_>,
    at: &Cursor<'a>,
    key: &'static str,
    code: Code,
    problem: impl Fn(&str) -> Option<String>,
) -> Option<&'a str> {
    let value = at.get(key)?;
    let text = value.text(cx)?;
    if text.is_empty() {
        return None;
    }
    if let Some(problem) = problem(text) {
        let diagnostic = cx.error(&value, code, format!("invalid `{key}`: {problem}"));
        if key == "matchName" && text.contains('*') {
            diagnostic.help("a name with `*` belongs in `matchPattern`");
        }
    } else if cx.at_cluster() && !fits_schema(text) {
        cx.error(&value, Code::D6, format!("the API server does not admit `{text}`"))
            .help(format!(
                "at most {MAX_LENGTH} characters, and no empty label between dots"
            ));
    }
    Some(text)
}

/// Labels separated by single dots, perhaps with one at the end.
fn fits_schema(text: &str) -> bool {
    let stem = text.strip_suffix('.').unwrap_or(text);
    text.len() <= MAX_LENGTH
        && stem
            .split('.')
            .all(|label| !label.is_empty() && !label.contains(char::is_whitespace))
}

/// Lower case with a trailing dot, as the names in a bundle.
fn canonical(text: &str) -> Box<str> {
    let text = text.trim().to_ascii_lowercase();
    if text.ends_with('.') {
        text.into()
    } else {
        format!("{text}.").into()
    }
}

//! DNS name patterns of `toFQDNs`: an exact name, or a pattern with `*`.

use alloc::{boxed::Box, string::String};
use core::fmt;

/// A configured DNS name pattern.
///
/// Names are compared in lower case, with a trailing dot. In a pattern a `*` is any number of name characters but
/// never a dot; a **leading** run of two or more `*` followed by a dot is one or more whole labels; a pattern of
/// nothing but `*` (and perhaps a final dot) is every name, the root included. `*cilium.io` therefore matches
/// `cilium.io` and `subcilium.io` but not `a.cilium.io`, and `*.cilium.io` neither `cilium.io` nor `a.b.cilium.io`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FqdnPattern {
    /// Every name.
    Any,
    /// Exactly this name: lower case, trailing dot.
    Name(Box<str>),
    /// A pattern: lower case, trailing dot, runs of `*` reduced to one.
    Pattern {
        /// Whether one or more whole labels come before `rest`.
        leading_labels: bool,
        /// What follows, where `*` is any run of name characters.
        rest: Box<str>,
    },
}

/// A text that is not a DNS name or pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{input}` has `{character}`, which no DNS {what} may contain")]
pub struct FqdnError {
    input: String,
    character: char,
    what: &'static str,
}

impl FqdnPattern {
    /// An exact name (`matchName`). Surrounding blanks are dropped. The empty name is the root.
    pub fn name(text: &str) -> Result<Self, FqdnError> {
        let name = canonical(text, "name", is_name_character)?;
        Ok(Self::Name(name.into()))
    }

    /// A pattern (`matchPattern`). Surrounding blanks are dropped.
    pub fn pattern(text: &str) -> Result<Self, FqdnError> {
        let pattern = canonical(text, "pattern", |c| is_name_character(c) || c == '*')?;
        let stem = pattern.strip_suffix('.').unwrap_or(&pattern);
        if !stem.is_empty() && stem.bytes().all(|b| b == b'*') {
            return Ok(Self::Any);
        }
        let after_stars = pattern.trim_start_matches('*');
        let stars = pattern.len().saturating_sub(after_stars.len());
        match after_stars.strip_prefix('.') {
            Some(rest) if stars >= 2 => Ok(Self::Pattern {
                leading_labels: true,
                rest: reduce(rest),
            }),
            _ => Ok(Self::Pattern {
                leading_labels: false,
                rest: reduce(&pattern),
            }),
        }
    }

    /// Whether a name matches. The name may be in any case and lack the trailing dot.
    pub fn matches(&self, name: &[u8]) -> bool {
        let name = name.strip_suffix(b".").unwrap_or(name);
        match self {
            Self::Any => name.is_empty() || is_hostname(name),
            Self::Name(want) => name.eq_ignore_ascii_case(stem(want)),
            Self::Pattern {
                leading_labels: false,
                rest,
            } => glob(stem(rest), name),
            Self::Pattern {
                leading_labels: true,
                rest,
            } => {
                let dots = name.iter().enumerate().filter(|(_, byte)| **byte == b'.');
                dots.map(|(at, _)| name.split_at_checked(at)).any(|halves| {
                    halves.is_some_and(|(labels, rest_of_name)| {
                        is_hostname(labels) && glob(stem(rest), rest_of_name.get(1..).unwrap_or_default())
                    })
                })
            }
        }
    }
}

fn canonical(text: &str, what: &'static str, allowed: impl Fn(char) -> bool) -> Result<String, FqdnError> {
    let text = text.trim();
    if let Some(character) = text.chars().find(|c| !allowed(*c)) {
        return Err(FqdnError {
            input: text.into(),
            character,
            what,
        });
    }
    let mut name = text.to_ascii_lowercase();
    if !name.ends_with('.') {
        name.push('.');
    }
    Ok(name)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Without the trailing dot; the root becomes the empty name.
fn stem(canonical: &str) -> &[u8] {
    canonical.strip_suffix('.').unwrap_or(canonical).as_bytes()
}

/// Every run of `*` becomes one.
fn reduce(pattern: &str) -> Box<str> {
    let mut reduced = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        if c != '*' || !reduced.ends_with('*') {
            reduced.push(c);
        }
    }
    reduced.into()
}

/// One or more non-empty labels of name characters.
pub(crate) fn is_hostname(name: &[u8]) -> bool {
    name.split(|byte| *byte == b'.')
        .all(|label| !label.is_empty() && label.iter().copied().all(is_label_byte))
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Matches with one backtracking point: a later `*` makes an earlier one's choice irrelevant within a label, and no
/// `*` crosses a dot, so the last one is enough.
pub(crate) fn glob(mut pattern: &[u8], mut name: &[u8]) -> bool {
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => return true,
            (Some((b'*', rest)), _) => {
                retry = Some((rest, name));
                pattern = rest;
                continue;
            }
            (Some((want, pattern_rest)), Some((got, name_rest))) if *want == got.to_ascii_lowercase() => {
                pattern = pattern_rest;
                name = name_rest;
                continue;
            }
            _ => {}
        }
        let Some((after_star, from)) = retry else { return false };
        match from.split_first() {
            Some((byte, from_rest)) if is_label_byte(*byte) => {
                retry = Some((after_star, from_rest));
                pattern = after_star;
                name = from_rest;
            }
            _ => return false,
        }
    }
}

impl fmt::Display for FqdnPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |canonical: &str| String::from_utf8_lossy(stem(canonical)).into_owned();
        match self {
            Self::Any => f.write_str("*"),
            Self::Name(name) => f.write_str(&text(name)),
            Self::Pattern { leading_labels, rest } => {
                f.write_str(if *leading_labels { "**." } else { "" })?;
                f.write_str(&text(rest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_exactly_in_any_case() {
        let name = FqdnPattern::name("Example.COM").expect("name");
        for (other, want) in [
            ("example.com", true),
            ("EXAMPLE.com.", true),
            ("a.example.com", false),
            ("example.co", false),
        ] {
            assert_eq!(name.matches(other.as_bytes()), want, "{other}");
        }
        assert!(FqdnPattern::name("*.a.com").is_err() && FqdnPattern::name("a b").is_err());
    }

    #[test]
    fn patterns_follow_the_star_rules() {
        for (pattern, name, want) in [
            ("*.cilium.io", "a.cilium.io", true),
            ("*.cilium.io", ".cilium.io", true),
            ("*.cilium.io", "cilium.io", false),
            ("*.cilium.io", "a.b.cilium.io", false),
            ("*cilium.io", "cilium.io", true),
            ("*cilium.io", "subcilium.io", true),
            ("*cilium.io", "a.cilium.io", false),
            ("**.cilium.io", "a.cilium.io", true),
            ("**.cilium.io", "a.b.cilium.io", true),
            ("**.cilium.io", "cilium.io", false),
            ("***.cilium.io", "a.b.cilium.io", true),
            ("sub*.x.io", "sub.x.io", true),
            ("sub*.x.io", "sub-1.x.io", true),
            ("sub*.x.io", "su.x.io", false),
            ("test.**.x.io", "test.a.x.io", true),
            ("test.**.x.io", "test.a.b.x.io", false),
            ("*a*b*.io", "xaxbx.io", true),
            ("*a*b*.io", "xbxa.io", false),
            ("a*aab.io", "aaaab.io", true),
            ("*", "anything.at.all", true),
            ("**.", ".", true),
            ("*", "not valid", false),
            ("**.x.io", "a..x.io", false),
        ] {
            let compiled = FqdnPattern::pattern(pattern).expect(pattern);
            assert_eq!(compiled.matches(name.as_bytes()), want, "{pattern} on {name}");
        }
        assert!(FqdnPattern::pattern("a?b").is_err());
    }
}

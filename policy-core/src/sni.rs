//! TLS server name patterns of `serverNames`.

use alloc::{boxed::Box, string::String};
use core::fmt;

use crate::fqdn::{glob, is_hostname};

/// A configured server name pattern, compared with the whole server name in lower case.
///
/// A `*` is any number of name characters but never a dot; a **leading** run of two or more `*` followed by a dot is
/// one or more whole labels; a pattern of nothing but `*` is every name. A server name with a trailing dot matches
/// nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SniPattern {
    canonical: Box<str>,
}

/// A text that is not a server name pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SniError {
    /// Nothing to match.
    #[error("a server name must not be empty")]
    Empty,
    /// A name with two dots in a row, or one in front.
    #[error("`{input}` has an empty label, which no server name has")]
    EmptyLabel {
        /// The text.
        input: String,
    },
    /// A character that no server name has.
    #[error("`{input}` has `{character}`, which no server name may contain")]
    Character {
        /// The text.
        input: String,
        /// The first such character.
        character: char,
    },
}

impl SniPattern {
    /// Reads a pattern and brings it into its canonical form.
    pub fn parse(text: &str) -> Result<Self, SniError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*');
        if let Some(character) = text.chars().find(|c| !allowed(*c)) {
            return Err(SniError::Character {
                input: text.into(),
                character,
            });
        }
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_suffix('.').unwrap_or(&lower);
        if name.is_empty() {
            return Err(SniError::Empty);
        }
        if name.split('.').any(str::is_empty) {
            return Err(SniError::EmptyLabel { input: text.into() });
        }
        let after_stars = name.trim_start_matches('*');
        let leading_labels = name.len().saturating_sub(after_stars.len()) >= 2 && after_stars.starts_with('.');
        let mut canonical = String::from(if leading_labels { "**" } else { "" });
        for c in if leading_labels { after_stars } else { name }.chars() {
            if c != '*' || !canonical.ends_with('*') {
                canonical.push(c);
            }
        }
        Ok(Self {
            canonical: canonical.into(),
        })
    }

    /// Whether a server name matches.
    pub fn matches(&self, name: &[u8]) -> bool {
        let pattern = self.canonical.as_bytes();
        if name.ends_with(b".") {
            return false;
        }
        match pattern.strip_prefix(b"**.") {
            _ if pattern == b"*" => is_hostname(name),
            None => glob(pattern, name),
            Some(rest) => {
                let dots = name.iter().enumerate().filter(|(_, byte)| **byte == b'.');
                let mut halves = dots.filter_map(|(at, _)| name.split_at_checked(at));
                halves.any(|(labels, tail)| is_hostname(labels) && glob(rest, tail.get(1..).unwrap_or_default()))
            }
        }
    }
}

impl fmt::Display for SniPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn patterns_follow_the_star_rules() {
        for (pattern, canonical, name, want) in [
            ("*.example.com", "*.example.com", "foo.example.com", true),
            ("*.example.com", "*.example.com", "example.com", false),
            ("*.example.com", "*.example.com", "a.b.example.com", false),
            ("***.x.io", "**.x.io", "a.b.x.io", true),
            ("**.x.io.", "**.x.io", "x.io", false),
            ("sub.**.x.io", "sub.*.x.io", "sub.a.x.io", true),
            ("sub.**.x.io", "sub.*.x.io", "sub.a.b.x.io", false),
            ("EXAMPLE.com", "example.com", "example.COM", true),
            ("example.com", "example.com", "example.com.", false),
            ("*.*", "*.*", "a.", false),
            ("**", "*", "a.b", true),
            ("*", "*", "a..b", false),
            ("*", "*", "", false),
            ("a*", "a*", "a", true),
        ] {
            let compiled = SniPattern::parse(pattern).expect(pattern);
            assert_eq!(compiled.to_string(), canonical);
            assert_eq!(compiled.matches(name.as_bytes()), want, "{pattern} on {name}");
        }
        for text in ["", ".", "a b", "a?", "é", "a..b", ".a", "**.."] {
            assert!(SniPattern::parse(text).is_err(), "{text}");
        }
    }
}

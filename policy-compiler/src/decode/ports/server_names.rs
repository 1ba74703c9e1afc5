//! `serverNames`: the names that a client may ask for in its TLS handshake.

use policy_core::SniPattern;

use super::Item;
use crate::{
    decode::{Context, Cursor},
    diagnostic::Code,
};

const MAX_LENGTH: usize = 255;

/// Reads `serverNames` of an item, whose `rules` may restrict requests or not, as canonical patterns.
pub(super) fn server_names(cx: &mut Context<'_>, item: &Item<'_>, restricted: bool) -> Vec<Box<str>> {
    let Some(at) = item.at.get("serverNames") else {
        return Vec::new();
    };
    let items = at.items(cx);
    if items.is_empty() && cx.at_cluster() {
        cx.error(&at, Code::D10, "needs at least one name")
            .help("remove `serverNames` if any name will do");
    }
    if !items.is_empty() && restricted && item.at.get("terminatingTLS").is_none() {
        cx.error(
            &at,
            Code::C12,
            "`serverNames` beside `rules` need `terminatingTLS`: requests inside TLS cannot be seen",
        )
        .help("add `terminatingTLS`, or remove one of the two");
    }
    let mut written = Vec::new();
    let mut patterns: Vec<Box<str>> = Vec::new();
    for item in &items {
        let Some(text) = item.text(cx) else { continue };
        if written.contains(&text) && cx.at_cluster() {
            cx.error(item, Code::D10, format!("`{text}` is written twice"))
                .help("remove one of them");
        }
        written.push(text);
        let pattern = server_name(cx, item, text);
        patterns.extend(pattern.filter(|pattern| !patterns.contains(pattern)));
    }
    patterns
}

fn server_name(cx: &mut Context<'_>, at: &Cursor<'_>, text: &str) -> Option<Box<str>> {
    if text.is_empty() {
        cx.error(at, Code::C12, "a server name is empty")
            .help("remove it; without `serverNames` any name will do");
        return None;
    }
    let pattern = match pattern(text) {
        Ok(pattern) => pattern,
        Err(problem) => {
            let code = if cx.at_cluster() { Code::D10 } else { Code::C12 };
            cx.error(at, code, format!("invalid server name: {problem}"))
                .help("names have letters, digits, `-` and `_` between single dots; `*` stands for any of them");
            return None;
        }
    };
    if text.trim_start_matches('*').contains("**") {
        cx.warning(
            at,
            Code::NO_EFFECT,
            "`**` spans several labels only at the start, here it is the same as `*`",
        )
        .help(format!("write `{pattern}`"));
    }
    Some(pattern.into())
}

/// The canonical form, in which equal patterns are equal texts.
fn pattern(text: &str) -> Result<String, String> {
    let pattern = SniPattern::parse(text).map_err(|error| error.to_string())?.to_string();
    if text.len() > MAX_LENGTH {
        Err(format!("longer than {MAX_LENGTH} characters"))
    } else if pattern.split('.').any(str::is_empty) {
        Err(format!("`{text}` has nothing before a dot"))
    } else {
        Ok(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_names_with_stars() {
        let fits = "a".repeat(MAX_LENGTH);
        let long = "a".repeat(MAX_LENGTH + 1);
        for (text, want, why) in [
            ("A.Com.", Some("a.com"), "case and the last dot do not matter"),
            ("***.a.com", Some("**.a.com"), "in its canonical form"),
            ("**.", Some("*"), "the last dot goes first"),
            (".", None, "only a dot"),
            ("a..com", None, "an empty label"),
            (".com", None, "an empty label in front"),
            ("a.com..", None, "two dots at the end"),
            ("a com", None, "a blank"),
            ("^a.com$", None, "a regular expression"),
            (&*fits, Some(&*fits), "as long as allowed"),
            (&*long, None, "one longer"),
        ] {
            assert_eq!(pattern(text).ok().as_deref(), want, "{text}: {why}");
        }
    }
}

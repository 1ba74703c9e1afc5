//! Texts that patterns match.

/// A name that a pattern of names matches.
pub(super) fn name(pattern: &str) -> String {
    let pattern = pattern.trim_end_matches('.');
    if !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*') {
        return "a.example".into();
    }
    pattern.replace("**", "*").replace('*', "a")
}

/// An expression that matches this text and no other.
pub(super) fn exactly(text: &str) -> String {
    let escaped = text.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c.to_string(),
        false => format!("\\{c}"),
    });
    escaped.collect()
}

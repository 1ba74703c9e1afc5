//! §4.4, §5.9 and §6.4: patterns of DNS names and of TLS server names, tried letter by letter.

use policy_core::bundle::DnsRule;

/// `matchName`: the same name, in any case, with or without the dot at the end.
pub(super) fn is_name(wanted: &str, name: &str) -> bool {
    absolute(wanted) == absolute(name)
}

/// `matchPattern`.
pub(super) fn is_of_pattern(pattern: &str, name: &str) -> bool {
    let pattern = pattern.trim().to_ascii_lowercase();
    let name = absolute(name);
    let stars = pattern.strip_suffix('.').unwrap_or(&pattern);
    if !stars.is_empty() && stars.chars().all(|c| c == '*') {
        return name == "." || is_labels(name.strip_suffix('.').unwrap_or(&name));
    }
    matches_stars(&absolute(&pattern), &name)
}

/// A DNS rule, on a query.
pub(super) fn is_query_of(rule: &DnsRule, name: &str) -> bool {
    match rule {
        DnsRule::MatchName(wanted) => is_name(wanted, name),
        DnsRule::MatchPattern(pattern) => is_of_pattern(pattern, name),
    }
}

/// A pattern of server names. A dot at the end of the pattern does not count, one at the end of the name does.
pub(super) fn is_server_name(pattern: &str, name: &str) -> bool {
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern).to_ascii_lowercase();
    let name = name.to_ascii_lowercase();
    if pattern.chars().all(|c| c == '*') {
        return is_labels(&name);
    }
    matches_stars(&pattern, &name)
}

fn absolute(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    if name.ends_with('.') { name } else { name + "." }
}

fn is_labels(name: &str) -> bool {
    name.split('.')
        .all(|label| !label.is_empty() && label.chars().all(is_in_label))
}

fn is_in_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// Several stars and a dot in front are one label or more; every other run of stars is a part of one label.
fn matches_stars(pattern: &str, name: &str) -> bool {
    let after = pattern.trim_start_matches('*');
    if pattern.len() - after.len() >= 2 && after.starts_with('.') {
        let mut splits = (0..=name.len()).filter_map(|at| Some((name.get(..at)?, name.get(at..)?)));
        return splits.any(|(labels, rest)| is_labels(labels) && matches_in_labels(after, rest));
    }
    matches_in_labels(pattern, name)
}

fn matches_in_labels(pattern: &str, name: &str) -> bool {
    let mut left = name.chars();
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            let taken = left.next().is_some_and(is_in_label) && matches_in_labels(pattern, left.as_str());
            taken || matches_in_labels(&pattern[1..], name)
        }
        Some(wanted) => left.next() == Some(wanted) && matches_in_labels(&pattern[wanted.len_utf8()..], left.as_str()),
    }
}

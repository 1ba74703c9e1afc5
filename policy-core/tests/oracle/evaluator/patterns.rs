//! A few regular expressions: letters, `.`, `[0-9]`, each perhaps with `*` or `+`, and alternatives of such. What the
//! engine's own compiler does with the rest of the dialect is tested against RE2 itself.

/// Whether the pattern matches all of the value.
pub(super) fn is_whole(pattern: &str, value: &[u8]) -> bool {
    pattern.split('|').any(|alternative| sequence(alternative, value))
}

fn sequence(pattern: &str, value: &[u8]) -> bool {
    let Some((atom, rest)) = first_atom(pattern) else {
        return value.is_empty();
    };
    let fits = |value: &[u8]| value.first().is_some_and(|byte| atom_matches(atom, *byte));
    match rest.chars().next() {
        Some('*') => (fits(value) && sequence(pattern, &value[1..])) || sequence(&rest[1..], value),
        Some('+') => {
            let more = fits(value) && sequence(pattern, &value[1..]);
            more || (fits(value) && sequence(&rest[1..], &value[1..]))
        }
        _ => fits(value) && sequence(rest, &value[1..]),
    }
}

fn first_atom(pattern: &str) -> Option<(&str, &str)> {
    let length = match pattern.chars().next()? {
        '[' => pattern.find(']')? + 1,
        c => c.len_utf8(),
    };
    Some(pattern.split_at(length))
}

fn atom_matches(atom: &str, byte: u8) -> bool {
    match atom {
        "." => byte != b'\n',
        "[0-9]" => byte.is_ascii_digit(),
        letter => letter.as_bytes() == [byte],
    }
}

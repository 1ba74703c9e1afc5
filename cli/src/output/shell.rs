//! Words for a shell, to copy.

/// The word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_words_back() {
        for (word, want) in [
            ("empire/deathstar", "empire/deathstar"),
            ("8080/TCP", "8080/TCP"),
            ("GET /metrics", "'GET /metrics'"),
            ("", "''"),
            ("GET /it's", r"'GET /it'\''s'"),
            ("x: $HOME", "'x: $HOME'"),
        ] {
            assert_eq!(quoted(word), want);
        }
    }
}

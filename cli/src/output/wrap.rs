//! Lines of bounded width.

/// Breaks at blanks, so that no line is wider than `width` unless a single word is.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let long = line.chars().count() + 1 + word.chars().count() > width;
        if long && !line.is_empty() {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks() {
        for (text, lines, why) in [
            ("", vec![""], "nothing is an empty line"),
            ("a b c", vec!["a b c"], "just fits"),
            ("aa b c", vec!["aa b", "c"], "one character too many"),
            ("a  b", vec!["a  b"], "two blanks stay"),
            ("abcdefgh i", vec!["abcdefgh", "i"], "a long word stands alone"),
        ] {
            assert_eq!(wrap(text, 5), lines, "{why}");
        }
    }
}

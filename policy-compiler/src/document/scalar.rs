//! What an unquoted YAML scalar means.
//!
//! Kubernetes tools read YAML 1.1 in this respect, and so do we: `yes`, `on` and `y` are booleans, `0777` is octal.
//! Whoever writes `app: on` gets an error about a boolean here, as from `kubectl`, not a label that differs between
//! tools. Quoted scalars are always text.

use super::Value;

/// The value of a plain scalar.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        _ => number(text).unwrap_or_else(|| Value::Str(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if !numeric {
        return None;
    }
    let digits = text.replace('_', "");
    integer(&digits)
        .map(Value::Int)
        .or_else(|| float(&digits).map(Value::Float))
}

fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// Digits with at most one point and an exponent; in particular not the words that Rust also reads as numbers.
fn float(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_kubernetes_tools_make_of_them() {
        let text = |t: &str| Value::Str(t.to_owned());
        for (plain, want, why) in [
            ("", Value::Null, "nothing is null"),
            ("~", Value::Null, "tilde"),
            ("nUll", text("nUll"), "only three spellings of null"),
            ("yes", Value::Bool(true), "YAML 1.1 boolean"),
            ("No", Value::Bool(false), "the Norway problem"),
            ("off", Value::Bool(false), "YAML 1.1 boolean"),
            ("yEs", text("yEs"), "mixed case is text"),
            ("80", Value::Int(80), "decimal"),
            ("+80", Value::Int(80), "signed"),
            ("-1", Value::Int(-1), "negative"),
            ("010", Value::Int(8), "leading zero is octal"),
            ("08", Value::Float(8.0), "not octal, so a float"),
            ("0x50", Value::Int(80), "hexadecimal"),
            ("8_0", Value::Int(80), "underscores separate digits"),
            ("0x+5", text("0x+5"), "a sign belongs in front"),
            ("1.5", Value::Float(1.5), "float"),
            ("1e3", Value::Float(1000.0), "float with exponent"),
            ("10.0.0.1", text("10.0.0.1"), "an address is no number"),
            ("10.0.0.0/8", text("10.0.0.0/8"), "nor a prefix"),
            ("v1", text("v1"), "text"),
            ("-", text("-"), "text"),
            ("1.2.3", text("1.2.3"), "a version"),
            ("infinity", text("infinity"), "a word"),
            ("99999999999999999999", Value::Float(1e20), "beyond 64 bits"),
        ] {
            assert_eq!(resolve(plain), want, "{plain}: {why}");
        }
    }
}

//! Reading what Envoy wrote. It leaves out every field that has its default value, so what is absent reads as that.

use serde_json::Value;

/// Fields by their path, `/a/b/0/c`.
pub(super) trait Json {
    /// The value there, or `Null`.
    fn at(&self, path: &str) -> &Value;
    /// The text there, or nothing.
    fn text(&self, path: &str) -> &str;
    /// Whether it is `true` there.
    fn flag(&self, path: &str) -> bool;
    /// The number there, or 0. Envoy writes 64 bits as text.
    fn number(&self, path: &str) -> u64;
    /// The elements of the list there.
    fn items(&self, path: &str) -> impl Iterator<Item = &Value>;
    /// The values of the map there.
    fn values(&self, path: &str) -> impl Iterator<Item = &Value>;
    /// Every object in it, itself included, that has this field, with the field's value.
    fn everywhere<'a>(&'a self, field: &str, found: &mut Vec<&'a Value>);
}

impl Json for Value {
    fn at(&self, path: &str) -> &Value {
        self.pointer(path).unwrap_or(&Self::Null)
    }

    fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    fn flag(&self, path: &str) -> bool {
        self.at(path).as_bool().unwrap_or_default()
    }

    fn number(&self, path: &str) -> u64 {
        let value = self.at(path);
        let number = value.as_u64();
        number.or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
    }

    fn items(&self, path: &str) -> impl Iterator<Item = &Value> {
        self.at(path).as_array().into_iter().flatten()
    }

    fn values(&self, path: &str) -> impl Iterator<Item = &Value> {
        self.at(path).as_object().into_iter().flat_map(|map| map.values())
    }

    fn everywhere<'a>(&'a self, field: &str, found: &mut Vec<&'a Value>) {
        match self {
            Self::Object(map) => {
                found.extend(map.get(field));
                map.values().for_each(|value| value.everywhere(field, found));
            }
            Self::Array(items) => items.iter().for_each(|item| item.everywhere(field, found)),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_has_its_default() {
        let value = json!({ "a": { "text": "x", "on": true, "number": 7, "big": "8", "list": [1, 2] } });
        assert_eq!(
            (value.text("/a/text"), value.text("/a/none"), value.text("/a/on")),
            ("x", "", "")
        );
        assert_eq!(
            (value.flag("/a/on"), value.flag("/a/off"), value.flag("/a/text")),
            (true, false, false)
        );
        assert_eq!(
            (value.number("/a/number"), value.number("/a/big"), value.number("/b")),
            (7, 8, 0)
        );
        assert_eq!((value.items("/a/list").count(), value.items("/b").count()), (2, 0));
        assert_eq!((value.values("/a").count(), value.values("/a/list").count()), (5, 0));
    }

    #[test]
    fn fields_are_found_at_any_depth() {
        let value = json!({ "x": 1, "list": [{ "x": { "x": 2 } }, 3] });
        let mut found = Vec::new();
        value.everywhere("x", &mut found);
        assert_eq!(found, [&json!(1), &json!({ "x": 2 }), &json!(2)]);
    }
}

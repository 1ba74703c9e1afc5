//! JSON values that are in memory already.

use serde_json::Value as Json;

use super::{Entry, Node, Value};

impl From<&Json> for Node {
    fn from(json: &Json) -> Self {
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Value::Int(whole),
                // A JSON number is always a float or fits one.
                None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::Str(text.clone()),
            Json::Array(items) => Value::Seq(items.iter().map(Self::from).collect()),
            Json::Object(fields) => Value::Map(fields.iter().map(entry).collect()),
        };
        Self { value, span: None }
    }
}

fn entry((key, value): (&String, &Json)) -> Entry {
    Entry {
        key: key.clone(),
        key_span: None,
        value: value.into(),
    }
}

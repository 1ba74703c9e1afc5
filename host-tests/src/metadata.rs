//! Structured metadata, as in `google.protobuf.Struct`: of nodes, listeners, connections, requests.

use std::collections::BTreeMap;

use crate::value::Value;

/// One value of a metadata structure.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// A nested structure.
    Struct(BTreeMap<String, MetadataValue>),
}

impl From<&str> for MetadataValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for MetadataValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for MetadataValue {
    fn from(fields: [(&str, &str); N]) -> Self {
        Self::Struct(
            fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.into()))
                .collect(),
        )
    }
}

impl MetadataValue {
    fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => Value::text(text),
            Self::Number(number) => Value::Double(*number),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Struct(fields) => {
                let pairs = fields
                    .iter()
                    .map(|(key, value)| (key.clone().into_bytes(), value.to_value()));
                Value::Map(pairs.collect())
            }
        }
    }
}

/// Metadata by namespace: `filter_metadata` of Envoy's `Metadata`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(BTreeMap<String, BTreeMap<String, MetadataValue>>);

impl Metadata {
    /// Sets one value.
    pub fn set(&mut self, namespace: &str, key: &str, value: impl Into<MetadataValue>) {
        self.0
            .entry(namespace.to_owned())
            .or_default()
            .insert(key.to_owned(), value.into());
    }

    /// The value at `filter_metadata.NAMESPACE.KEY…`.
    pub(crate) fn get(&self, path: &[&[u8]]) -> Option<Value> {
        let [b"filter_metadata", namespace, keys @ ..] = path else {
            return path.is_empty().then_some(Value::Opaque);
        };
        let fields = self.0.get(std::str::from_utf8(namespace).ok()?)?;
        descend(fields, keys)
    }
}

/// The value at `keys` below `fields`; the whole structure when there are no keys.
pub(crate) fn descend(fields: &BTreeMap<String, MetadataValue>, keys: &[&[u8]]) -> Option<Value> {
    let Some((key, rest)) = keys.split_first() else {
        return Some(MetadataValue::Struct(fields.clone()).to_value());
    };
    match (fields.get(std::str::from_utf8(key).ok()?)?, rest) {
        (value, []) => Some(value.to_value()),
        (MetadataValue::Struct(fields), rest) => descend(fields, rest),
        _ => None,
    }
}

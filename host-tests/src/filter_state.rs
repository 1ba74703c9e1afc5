//! Filter state: objects that filters leave for each other and for access logs.

use std::collections::BTreeMap;

use crate::value::Value;

/// Objects by key. A plugin writes key `k` as `wasm.k`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterState(BTreeMap<Vec<u8>, Object>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Object {
    Bytes(Vec<u8>),
    /// An object of a native filter whose fields can only be read one by one.
    Fields(BTreeMap<String, Vec<u8>>),
}

impl FilterState {
    /// Sets an object of plain bytes.
    pub fn set(&mut self, key: &str, value: &[u8]) {
        self.insert(key.as_bytes().to_vec(), value.to_vec());
    }

    /// Sets one field of an object with fields, such as `envoy.network.proxy_protocol.tlv`.
    pub fn set_field(&mut self, key: &str, field: &str, value: &[u8]) {
        let object = self.0.entry(key.as_bytes().to_vec());
        let object = object.or_insert_with(|| Object::Fields(BTreeMap::new()));
        if let Object::Fields(fields) = object {
            fields.insert(field.to_owned(), value.to_vec());
        }
    }

    /// The bytes at `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        match self.0.get(key.as_bytes())? {
            Object::Bytes(bytes) => Some(bytes),
            Object::Fields(_) => None,
        }
    }

    pub(crate) fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert(key, Object::Bytes(value));
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn read(&self, key: &[u8], rest: &[&[u8]]) -> Option<Value> {
        match (self.0.get(key)?, rest) {
            (Object::Bytes(bytes), []) => Some(Value::Bytes(bytes.clone())),
            // The whole object reads as an empty map.
            (Object::Fields(_), []) => Some(Value::Map(Vec::new())),
            (Object::Fields(fields), [field]) => {
                let value = fields.get(std::str::from_utf8(field).ok()?)?;
                Some(Value::Bytes(value.clone()))
            }
            _ => None,
        }
    }
}

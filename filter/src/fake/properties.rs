//! Properties that are made of others.

use std::collections::BTreeMap;

use crate::headers;

/// What there is below a path, as a host hands over maps.
pub(super) fn map_of(properties: &BTreeMap<String, Vec<u8>>, path: &str) -> Option<Vec<u8>> {
    let below = |(other, value): (&'_ String, &'_ Vec<u8>)| {
        let key = other.strip_prefix(path)?.strip_prefix('\0')?;
        Some((key.as_bytes().to_vec(), value.clone()))
    };
    let pairs: Vec<_> = properties.iter().filter_map(below).collect();
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(key, value)| (&key[..], &value[..])).collect();
    (!pairs.is_empty()).then(|| headers::encode(&pairs))
}

/// Where the property is that has filter state of this name.
pub(super) fn state_path(name: &str) -> String {
    format!("filter_state\0wasm.{name}")
}

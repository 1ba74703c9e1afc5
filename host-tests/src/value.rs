//! Values of properties and their wire form.

use crate::abi::Status;
use crate::headers::encode_pairs;

/// A property's value before it is encoded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bytes(Vec<u8>),
    Int(i64),
    Uint(u64),
    Double(f64),
    Bool(bool),
    Map(Vec<(Vec<u8>, Value)>),
    /// A root map such as `request`: it can be looked into, but not read as a whole. Envoy can
    /// serialize whole protobuf messages (the node, a listener's metadata); this host does not.
    Opaque,
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }

    /// The wire form: numbers are 8 bytes little endian, truth is one byte, maps are pairs.
    pub(crate) fn encode(self) -> Result<Vec<u8>, Status> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Int(number) => Ok(number.to_le_bytes().to_vec()),
            Self::Uint(number) => Ok(number.to_le_bytes().to_vec()),
            Self::Double(number) => Ok(number.to_le_bytes().to_vec()),
            Self::Bool(truth) => Ok(vec![u8::from(truth)]),
            Self::Map(fields) => {
                let encode = |(key, value): (Vec<u8>, Self)| Ok((key, value.encode()?));
                let fields: Vec<_> = fields.into_iter().map(encode).collect::<Result<_, Status>>()?;
                Ok(encode_pairs(
                    fields.iter().map(|(key, value)| (key.as_slice(), value.as_slice())),
                ))
            }
            Self::Opaque => Err(Status::SerializationFailure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_forms_are_those_of_envoy() {
        let map = |value| Value::Map(vec![(b"k".to_vec(), value)]);
        let rows = [
            ("text is raw", Value::text("a"), Ok(&b"a"[..])),
            ("empty text is a value", Value::text(""), Ok(b"")),
            (
                "a signed number",
                Value::Int(-2),
                Ok(&[254, 255, 255, 255, 255, 255, 255, 255]),
            ),
            ("an unsigned number", Value::Uint(258), Ok(&[2, 1, 0, 0, 0, 0, 0, 0])),
            ("truth is one byte", Value::Bool(true), Ok(&[1])),
            ("an empty map", Value::Map(Vec::new()), Ok(&[0, 0, 0, 0])),
            (
                "a map",
                map(Value::text("v")),
                Ok(b"\x01\0\0\0\x01\0\0\0\x01\0\0\0k\0v\0"),
            ),
            (
                "a root map has no form",
                Value::Opaque,
                Err(Status::SerializationFailure),
            ),
            (
                "nor has a map with one inside",
                map(Value::Opaque),
                Err(Status::SerializationFailure),
            ),
        ];
        for (why, value, expected) in rows {
            let got = value.encode();
            assert_eq!(got, expected.map(<[u8]>::to_vec), "{why}");
        }
    }
}

//! Values to bytes.

use alloc::vec::Vec;

use serde::{
    Serialize,
    ser::{
        Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleVariant, Serializer,
    },
};

use super::Unreadable;

/// A value as bytes.
pub(crate) fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    value.serialize(Writer(&mut bytes))?;
    Ok(bytes)
}

/// Seven bits at a time, the lowest first; all bytes but the last have the highest bit.
pub(crate) fn number(mut value: u64, to: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            to.push(low & 0x7f);
            return;
        }
        to.push(low | 0x80);
    }
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn length(&mut self, length: Option<usize>) -> Result<(), Unreadable> {
        let length = length.and_then(|length| u64::try_from(length).ok());
        number(length.ok_or(Unreadable)?, self.0);
        Ok(())
    }

    fn bytes(mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        self.length(Some(bytes.len()))?;
        self.0.extend(bytes);
        Ok(())
    }
}

/// Small numbers of either sign are short.
fn signed(value: i64) -> u64 {
    let doubled = value.wrapping_shl(1);
    (doubled ^ (value >> 63)).cast_unsigned()
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Unreadable;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Impossible<(), Unreadable>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), Unreadable> {
        self.0.push(value.into());
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Unreadable> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Unreadable> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Unreadable> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Unreadable> {
        number(value, self.0);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Unreadable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Unreadable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Unreadable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Unreadable> {
        number(signed(value), self.0);
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Unreadable> {
        self.bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unreadable> {
        self.bytes(value)
    }

    fn serialize_none(self) -> Result<(), Unreadable> {
        self.serialize_bool(false)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unreadable> {
        self.0.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unreadable> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unreadable> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, variant: u32, _: &'static str) -> Result<(), Unreadable> {
        self.serialize_u32(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unreadable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unreadable> {
        number(variant.into(), self.0);
        value.serialize(self)
    }

    fn serialize_seq(mut self, length: Option<usize>) -> Result<Items<'a>, Unreadable> {
        self.length(length)?;
        Ok(Items(self.0))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, Unreadable> {
        Ok(Items(self.0))
    }

    /// No type of a bundle is one, nor has a fraction or a single character.
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Unreadable> {
        Err(Unreadable)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Items<'a>, Unreadable> {
        number(variant.into(), self.0);
        Ok(Items(self.0))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Items<'a>, Unreadable> {
        self.serialize_seq(length)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, Unreadable> {
        Ok(Fields(self.0))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Unreadable> {
        number(variant.into(), self.0);
        Ok(Fields(self.0))
    }

    fn serialize_f32(self, _: f32) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_f64(self, _: f64) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn serialize_char(self, _: char) -> Result<(), Unreadable> {
        Err(Unreadable)
    }
}

/// One after the other, without anything between them.
pub(crate) struct Items<'a>(&'a mut Vec<u8>);

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        value.serialize(Writer(self.0))
    }
}

/// What `serde` calls them differs, what becomes of them does not.
macro_rules! sequence {
    ($($kind:ident: $item:ident),+) => {$(
        impl $kind for Items<'_> {
            type Ok = ();
            type Error = Unreadable;

            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
                self.item(value)
            }

            fn end(self) -> Result<(), Unreadable> {
                Ok(())
            }
        }
    )+};
}

sequence!(SerializeSeq: serialize_element, SerializeTuple: serialize_element, SerializeTupleVariant: serialize_field);

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = Unreadable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unreadable> {
        self.item(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        self.item(value)
    }

    fn end(self) -> Result<(), Unreadable> {
        Ok(())
    }
}

/// Each with a byte that says whether it is there.
pub(crate) struct Fields<'a>(&'a mut Vec<u8>);

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Unreadable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Unreadable> {
        self.0.push(1);
        value.serialize(Writer(self.0))
    }

    fn skip_field(&mut self, _: &'static str) -> Result<(), Unreadable> {
        self.0.push(0);
        Ok(())
    }

    fn end(self) -> Result<(), Unreadable> {
        Ok(())
    }
}

impl SerializeStructVariant for Fields<'_> {
    type Ok = ();
    type Error = Unreadable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unreadable> {
        SerializeStruct::serialize_field(self, name, value)
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), Unreadable> {
        SerializeStruct::skip_field(self, name)
    }

    fn end(self) -> Result<(), Unreadable> {
        Ok(())
    }
}

//! Protocol Buffers' wire format, as much of it as the Sparkplug schema needs.
//!
//! ```text
//! field   = tag value            tag = varint(number << 3 | type)
//! type 0  = varint               type 1 = 8 bytes, little-endian
//! type 2  = varint(length) bytes type 5 = 4 bytes, little-endian
//! ```
//!
//! Source: "Encoding", Protocol Buffers documentation, protobuf.dev.

use crate::decode::Error;

/// The most bytes of a varint of 64 bits.
const VARINT_MAX: usize = 10;

/// Appends a varint.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

fn low_bits(value: u64) -> u8 {
    (value & 0x7f) as u8
}

/// Appends a field of type 0.
pub(crate) fn put_varint(out: &mut Vec<u8>, field: u32, value: u64) {
    varint(out, u64::from(field) << 3);
    varint(out, value);
}

/// Appends a field of type 1.
pub(crate) fn put_fixed64(out: &mut Vec<u8>, field: u32, value: [u8; 8]) {
    varint(out, u64::from(field) << 3 | 1);
    out.extend_from_slice(&value);
}

/// Appends a field of type 5.
pub(crate) fn put_fixed32(out: &mut Vec<u8>, field: u32, value: [u8; 4]) {
    varint(out, u64::from(field) << 3 | 5);
    out.extend_from_slice(&value);
}

/// Appends a field of type 2.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    varint(out, u64::from(field) << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends a field of type 2 whose bytes `body` appends.
///
/// The length is put before the body afterwards: a few bytes move, nothing is allocated.
pub(crate) fn put_nested(out: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    varint(out, u64::from(field) << 3 | 2);
    let start = out.len();
    body(out);
    let end = out.len();
    varint(out, (end - start) as u64);
    let length = out.len() - end;
    out[start..].rotate_right(length);
}

/// The value of a field, by its wire type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

impl<'a> Field<'a> {
    pub(crate) fn u64(self) -> Result<u64, Error> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(Error::WireType),
        }
    }

    /// A `uint32`: higher bits are cut off, as protobuf says of readers.
    #[expect(clippy::cast_possible_truncation, reason = "what protobuf prescribes")]
    pub(crate) fn u32(self) -> Result<u32, Error> {
        self.u64().map(|value| value as u32)
    }

    pub(crate) fn bool(self) -> Result<bool, Error> {
        self.u64().map(|value| value != 0)
    }

    pub(crate) fn f64(self) -> Result<f64, Error> {
        match self {
            Self::Fixed64(bytes) => Ok(f64::from_le_bytes(bytes)),
            _ => Err(Error::WireType),
        }
    }

    pub(crate) fn f32(self) -> Result<f32, Error> {
        match self {
            Self::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(Error::WireType),
        }
    }

    pub(crate) fn bytes(self) -> Result<&'a [u8], Error> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Error::WireType),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Error::Text)
    }
}

/// Walks the fields of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field and its number; `None` at the end of the message.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Error::Tag)?;
        if number == 0 {
            return Err(Error::Tag);
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.array()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Error::Truncated)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(self.array()?),
            // Groups are not in the schema, and nobody writes them any more.
            _ => return Err(Error::WireType),
        };
        Ok(Some((number, field)))
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0u64;
        for (at, byte) in self.0.iter().enumerate().take(VARINT_MAX) {
            // Of the tenth byte only one bit is left.
            if at == VARINT_MAX - 1 && *byte > 1 {
                return Err(Error::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(value);
            }
        }
        Err(if self.0.len() < VARINT_MAX {
            Error::Truncated
        } else {
            Error::Varint
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_one_form_each() {
        for (value, bytes) in [
            (0, &[0x08, 0x00][..]),
            (127, &[0x08, 0x7f]),
            (128, &[0x08, 0x80, 0x01]),
            (300, &[0x08, 0xac, 0x02]),
            (
                u64::MAX,
                &[
                    0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
                ],
            ),
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, 1, value);
            assert_eq!(out, bytes);
            let (number, field) = Fields(&out).next().unwrap().unwrap();
            assert_eq!((number, field.u64()), (1, Ok(value)));
        }
    }

    #[test]
    fn a_body_of_any_length_gets_its_length_before_it() {
        for length in [0, 1, 127, 128, 20_000] {
            let mut out = vec![9];
            put_nested(&mut out, 2, |out| out.resize(out.len() + length, 7));
            let (number, field) = Fields(&out[1..]).next().unwrap().unwrap();
            assert_eq!(number, 2);
            assert_eq!(field.bytes().unwrap(), vec![7; length]);
        }
    }

    #[test]
    fn what_is_no_field_is_an_error() {
        for (bytes, error) in [
            (&[0x08][..], Error::Truncated),
            (&[0x08, 0x80], Error::Truncated),
            (&[0x00, 0x00], Error::Tag),
            (&[0x0b], Error::WireType),
            (&[0x0e, 0x00], Error::WireType),
            (&[0x12, 0x05, 0x01], Error::Truncated),
            (
                &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
                Error::Truncated,
            ),
            (&[0x09, 1, 2, 3], Error::Truncated),
            (
                &[
                    0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02,
                ],
                Error::Varint,
            ),
        ] {
            assert_eq!(Fields(bytes).next().err(), Some(error), "{bytes:02x?}");
        }
    }
}

//! Bytes of the other side as values, strictly: what the specification does not allow is refused.

use super::signature::{self, alignment};
use super::value::Value;
use super::{DEPTH, Malformed};

/// Longest array, in bytes.
const ARRAY: u32 = 64 << 20;

/// A place in the bytes of a message, either its header or its body. Both begin at a multiple of 8, so
/// alignment counts from the beginning of either.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
}

impl<'a> Reader<'a> {
    /// Begins to read; `big` is for big-endian.
    pub(super) fn new(bytes: &'a [u8], big: bool) -> Self {
        Self { bytes, at: 0, big }
    }

    /// What has been read so far, in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Values one after the other, and nothing after them.
    pub(super) fn all(&mut self, mut signature: &str) -> Result<Vec<Value>, Malformed> {
        let mut values = Vec::new();
        while let Some((first, rest)) = signature::split(signature)? {
            values.push(self.value(first, 0)?);
            signature = rest;
        }
        match self.at == self.bytes.len() {
            true => Ok(values),
            false => Err(Malformed("more bytes than the signature says")),
        }
    }

    /// One value of the one complete type `signature`.
    pub(super) fn value(&mut self, signature: &str, depth: usize) -> Result<Value, Malformed> {
        if depth > DEPTH {
            return Err(Malformed("values are nested too deeply"));
        }
        let kind = signature.bytes().next().unwrap_or_default();
        Ok(match kind {
            b'y' => Value::Byte(u8::from_le_bytes(self.number()?)),
            b'b' => Value::Bool(self.bool()?),
            b'n' => Value::Int16(i16::from_le_bytes(self.number()?)),
            b'q' => Value::Uint16(u16::from_le_bytes(self.number()?)),
            b'i' => Value::Int32(i32::from_le_bytes(self.number()?)),
            b'u' => Value::Uint32(self.u32()?),
            b'x' => Value::Int64(i64::from_le_bytes(self.number()?)),
            b't' => Value::Uint64(u64::from_le_bytes(self.number()?)),
            b'd' => Value::Double(f64::from_le_bytes(self.number()?)),
            b's' => Value::String(self.string()?.into()),
            b'o' => Value::ObjectPath(self.object_path()?.into()),
            b'g' => Value::Signature(self.signature()?.into()),
            b'v' => Value::Variant(Box::new(self.variant(depth)?)),
            b'a' => self.array(inner(signature, 1, 0)?, depth)?,
            b'(' => Value::Struct(self.fields(inner(signature, 1, 1)?, depth)?),
            b'{' => self.entry(inner(signature, 1, 1)?, depth)?,
            _ => return Err(Malformed("a signature has an unknown type")),
        })
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.number()?))
    }

    /// Padding has to be zero.
    pub(super) fn align(&mut self, to: usize) -> Result<(), Malformed> {
        let padding = self.at.next_multiple_of(to) - self.at;
        match self.take(padding)?.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(Malformed("padding is not zero")),
        }
    }

    /// The bytes of a number, the lowest first whatever the message has.
    fn number<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], Malformed> {
        self.align(SIZE)?;
        let mut bytes: [u8; SIZE] = self.take(SIZE)?.try_into().map_err(|_| CUT_OFF)?;
        if self.big {
            bytes.reverse();
        }
        Ok(bytes)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(CUT_OFF)?;
        let taken = self.bytes.get(self.at..end).ok_or(CUT_OFF)?;
        self.at = end;
        Ok(taken)
    }

    fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a boolean is neither 0 nor 1")),
        }
    }

    fn string(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u32()?;
        self.terminated(usize::try_from(length).map_err(|_| CUT_OFF)?)
    }

    fn object_path(&mut self) -> Result<&'a str, Malformed> {
        let path = self.string()?;
        match is_object_path(path) {
            true => Ok(path),
            false => Err(Malformed("an object path is none")),
        }
    }

    fn signature(&mut self) -> Result<&'a str, Malformed> {
        let [length] = self.number()?;
        let text = self.terminated(usize::from(length))?;
        signature::check(text).map(|()| text)
    }

    /// A text of so many bytes and its zero byte.
    fn terminated(&mut self, length: usize) -> Result<&'a str, Malformed> {
        let text = self.take(length)?;
        if self.take(1)? != [0] || text.contains(&0) {
            return Err(Malformed("a text does not end where it says"));
        }
        std::str::from_utf8(text).map_err(|_| Malformed("a text is not UTF-8"))
    }

    fn variant(&mut self, depth: usize) -> Result<Value, Malformed> {
        let signature = self.signature()?;
        match signature::split(signature)? {
            Some((one, "")) => self.value(one, depth + 1),
            _ => Err(Malformed("a variant is not of one type")),
        }
    }

    fn array(&mut self, element: &str, depth: usize) -> Result<Value, Malformed> {
        let length = self.u32()?;
        if length > ARRAY {
            return Err(Malformed("an array is longer than 64 MiB"));
        }
        let kind = element.bytes().next().unwrap_or_default();
        self.align(alignment(kind))?;
        let length = usize::try_from(length).map_err(|_| CUT_OFF)?;
        if kind == b'y' {
            return Ok(Value::Bytes(self.take(length)?.into()));
        }
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(CUT_OFF)?;
        let mut items = Vec::new();
        while self.at < end {
            items.push(self.value(element, depth + 1)?);
        }
        match self.at == end {
            true => Ok(Value::Array(element.into(), items)),
            false => Err(Malformed("an array does not end where it says")),
        }
    }

    fn fields(&mut self, mut signature: &str, depth: usize) -> Result<Vec<Value>, Malformed> {
        self.align(8)?;
        let mut fields = Vec::new();
        while let Some((first, rest)) = signature::split(signature)? {
            fields.push(self.value(first, depth + 1)?);
            signature = rest;
        }
        Ok(fields)
    }

    fn entry(&mut self, signature: &str, depth: usize) -> Result<Value, Malformed> {
        let pair: [Value; 2] = self
            .fields(signature, depth)?
            .try_into()
            .map_err(|_| Malformed("a dictionary entry is no pair"))?;
        Ok(Value::Entry(Box::new(pair.into())))
    }
}

const CUT_OFF: Malformed = Malformed("it is cut off");

fn inner(signature: &str, left: usize, right: usize) -> Result<&str, Malformed> {
    let end = signature.len().saturating_sub(right);
    signature.get(left..end).ok_or(Malformed("a signature is incomplete"))
}

/// `/`, or names of letters, digits and `_`, each after a `/`.
pub(super) fn is_object_path(path: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match path.strip_prefix('/') {
        Some("") => true,
        Some(names) => names.split('/').all(is_name),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::signatures;
    use super::super::write::Writer;
    use super::*;

    fn written(values: &[Value]) -> Vec<u8> {
        let mut writer = Writer::default();
        values.iter().for_each(|value| writer.value(value));
        writer.bytes
    }

    fn examples() -> Vec<Value> {
        let property = |name: &str, value| {
            Value::Struct(vec![Value::string(name), Value::Variant(Box::new(value))])
        };
        vec![
            Value::Byte(7),
            Value::Uint64(u64::MAX),
            Value::Bool(true),
            Value::Int16(-2),
            Value::string("é"),
            Value::Int64(i64::MIN),
            Value::Uint16(9),
            Value::ObjectPath("/a/b_1".into()),
            Value::Double(-0.5),
            Value::Signature("a{sv}".into()),
            Value::Bytes(vec![1, 2, 3]),
            Value::Array("(sv)".into(), vec![property("A", Value::Bool(false)); 2]),
            Value::Array("t".into(), vec![]),
            Value::Array(
                "{sv}".into(),
                vec![Value::Entry(Box::new((
                    Value::string("k"),
                    Value::Variant(Box::new(Value::Int32(-1))),
                )))],
            ),
            Value::Struct(vec![Value::Byte(1), Value::Uint32(2)]),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let values = examples();
        let bytes = written(&values);
        assert_eq!(Reader::new(&bytes, false).all(&signatures(&values)), Ok(values));
    }

    /// The bytes of the specification's own examples, and a string as every implementation has it.
    #[test]
    fn known_bytes() {
        assert_eq!(written(&[Value::string("foo")]), b"\x03\0\0\0foo\0");
        let array = Value::Array("x".into(), vec![Value::Int64(5)]);
        assert_eq!(written(&[array]), b"\x08\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0");
        let variant = Value::Variant(Box::new(Value::Uint32(1)));
        assert_eq!(written(&[variant]), b"\x01u\0\0\x01\0\0\0");
        let big = b"\0\0\0\x03foo\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05";
        let values = vec![Value::string("foo"), Value::Int64(5)];
        assert_eq!(Reader::new(&[&big[..8], &big[16..]].concat(), true).all("sx"), Ok(values));
    }

    #[test]
    fn every_part_of_a_message_alone_is_refused() {
        let values = examples();
        let (bytes, signature) = (written(&values), signatures(&values));
        for end in 0..bytes.len() {
            assert!(Reader::new(&bytes[..end], false).all(&signature).is_err(), "{end}");
        }
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        for (signature, bytes) in [
            ("b", &b"\x02\0\0\0"[..]),
            ("yu", b"\x01\x01\0\0\x01\0\0\0"),
            ("s", b"\x01\0\0\0ab"),
            ("s", b"\x03\0\0\0a\0b\0"),
            ("s", b"\x01\0\0\0\xff\0"),
            ("s", b"\xff\xff\xff\xffa\0"),
            ("o", b"\x01\0\0\0a\0"),
            ("o", b"\x02\0\0\0/-\0"),
            ("g", b"\x01h\0"),
            ("v", b"\0\0"),
            ("v", b"\x02yy\0\x01\x02"),
            ("au", b"\x03\0\0\0\x01\0\0\0"),
            ("au", b"\xff\xff\xff\x7f"),
            ("y", b"\x01\x02"),
        ] {
            assert!(Reader::new(bytes, false).all(signature).is_err(), "{signature} {bytes:?}");
        }
    }

    #[test]
    fn variants_in_variants_end_somewhere() {
        let bytes = b"\x01v\0".repeat(5000);
        let answer = Reader::new(&bytes, false).all("v");
        assert_eq!(answer, Err(Malformed("values are nested too deeply")));
    }
}

//! Values as bytes, little-endian.

use super::signature::alignment;
use super::value::Value;

/// Bytes of a message, in the making. Alignment counts from the beginning.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Byte(value) => self.bytes.push(*value),
            Value::Bool(value) => self.number(u32::from(*value).to_le_bytes()),
            Value::Int16(value) => self.number(value.to_le_bytes()),
            Value::Uint16(value) => self.number(value.to_le_bytes()),
            Value::Int32(value) => self.number(value.to_le_bytes()),
            Value::Uint32(value) => self.number(value.to_le_bytes()),
            Value::Int64(value) => self.number(value.to_le_bytes()),
            Value::Uint64(value) => self.number(value.to_le_bytes()),
            Value::Double(value) => self.number(value.to_le_bytes()),
            Value::String(text) | Value::ObjectPath(text) => self.string(text),
            Value::Signature(text) => self.signature(text),
            Value::Variant(value) => {
                self.signature(&value.signature());
                self.value(value);
            }
            Value::Bytes(bytes) => self.array(1, |writer| writer.bytes.extend_from_slice(bytes)),
            Value::Array(element, items) => {
                let to = element.bytes().next().map_or(1, alignment);
                self.array(to, |writer| items.iter().for_each(|item| writer.value(item)));
            }
            Value::Struct(fields) => {
                self.align(8);
                fields.iter().for_each(|field| self.value(field));
            }
            Value::Entry(pair) => {
                self.align(8);
                self.value(&pair.0);
                self.value(&pair.1);
            }
        }
    }

    /// Every number is aligned to its size.
    fn number<const SIZE: usize>(&mut self, bytes: [u8; SIZE]) {
        self.align(SIZE);
        self.bytes.extend_from_slice(&bytes);
    }

    fn string(&mut self, text: &str) {
        self.number(length(text.len()).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    /// The length of an array counts its elements without the padding before the first.
    fn array(&mut self, element: usize, elements: impl FnOnce(&mut Self)) {
        self.align(4);
        let before = self.bytes.len();
        self.number([0; 4]);
        self.align(element);
        let start = self.bytes.len();
        elements(self);
        let written = length(self.bytes.len() - start).to_le_bytes();
        if let Some(place) = self.bytes.get_mut(before..before + 4) {
            place.copy_from_slice(&written);
        }
    }
}

/// What does not fit here has not been let through: [`Message`](super::Message)s have a largest size.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

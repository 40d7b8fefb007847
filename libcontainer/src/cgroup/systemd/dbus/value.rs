//! Values of D-Bus.

use std::fmt;

/// A value of any type but a descriptor.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Value {
    Byte(u8),
    Bool(bool),
    Int16(i16),
    Uint16(u16),
    Int32(i32),
    Uint32(u32),
    Int64(i64),
    Uint64(u64),
    Double(f64),
    String(String),
    ObjectPath(String),
    Signature(String),
    Variant(Box<Value>),
    /// An array of bytes.
    Bytes(Vec<u8>),
    /// An array of anything else: the signature of its elements, and they.
    Array(String, Vec<Value>),
    Struct(Vec<Value>),
    /// An entry of a dictionary, which is an array of these.
    Entry(Box<(Value, Value)>),
}

impl Value {
    /// A string.
    pub(in super::super) fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// The signature: one complete type.
    pub(in super::super) fn signature(&self) -> String {
        match self {
            Self::Byte(_) => "y".into(),
            Self::Bool(_) => "b".into(),
            Self::Int16(_) => "n".into(),
            Self::Uint16(_) => "q".into(),
            Self::Int32(_) => "i".into(),
            Self::Uint32(_) => "u".into(),
            Self::Int64(_) => "x".into(),
            Self::Uint64(_) => "t".into(),
            Self::Double(_) => "d".into(),
            Self::String(_) => "s".into(),
            Self::ObjectPath(_) => "o".into(),
            Self::Signature(_) => "g".into(),
            Self::Variant(_) => "v".into(),
            Self::Bytes(_) => "ay".into(),
            Self::Array(element, _) => format!("a{element}"),
            Self::Struct(fields) => format!("({})", signatures(fields)),
            Self::Entry(pair) => format!("{{{}{}}}", pair.0.signature(), pair.1.signature()),
        }
    }

    /// The text of a string or of an object path.
    pub(in super::super) fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::ObjectPath(text) => Some(text),
            _ => None,
        }
    }
}

/// The signature of several values in a row.
pub(super) fn signatures(values: &[Value]) -> String {
    values.iter().map(Value::signature).collect()
}

/// As GVariant text, which is what `busctl`'s users and `org.systemd.property.*` write.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(value) => write!(f, "byte {value}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int16(value) => write!(f, "int16 {value}"),
            Self::Uint16(value) => write!(f, "uint16 {value}"),
            Self::Int32(value) => write!(f, "{value}"),
            Self::Uint32(value) => write!(f, "uint32 {value}"),
            Self::Int64(value) => write!(f, "int64 {value}"),
            Self::Uint64(value) => write!(f, "uint64 {value}"),
            Self::Double(value) => write!(f, "{value:?}"),
            Self::String(text) => quoted(f, text),
            Self::ObjectPath(text) => write!(f, "objectpath ").and_then(|()| quoted(f, text)),
            Self::Signature(text) => write!(f, "signature ").and_then(|()| quoted(f, text)),
            Self::Variant(value) => write!(f, "<{value}>"),
            Self::Bytes(bytes) => write!(f, "bytes {bytes:02x?}"),
            Self::Array(element, items) if items.is_empty() => write!(f, "@a{element} []"),
            Self::Array(_, items) => list(f, "[", items, "]"),
            Self::Struct(fields) => list(f, "(", fields, ")"),
            Self::Entry(pair) => write!(f, "{{{}: {}}}", pair.0, pair.1),
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "'{}'", text.escape_debug())
}

fn list(f: &mut fmt::Formatter<'_>, open: &str, items: &[Value], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    f.write_str(close)
}

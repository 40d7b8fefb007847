//! Messages: a header that says what it is and for whom, then values.

use super::Malformed;
use super::read::Reader;
use super::signature;
use super::value::{Value, signatures};
use super::write::Writer;

/// The part of the header that every message has, with the length of the rest.
pub(super) const FIXED: usize = 16;

/// Largest message that is read or sent. The specification allows 128 MiB; what systemd has to say to
/// us, and we to it, are a few hundred bytes.
const LARGEST: usize = 1 << 20;

const LITTLE: u8 = b'l';
const BIG: u8 = b'B';
const VERSION: u8 = 1;

/// What a message is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Kind {
    Call = 1,
    Reply = 2,
    Error = 3,
    Signal = 4,
}

/// The fields of a header, by their codes.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SENDER: u8 = 7;
const SIGNATURE: u8 = 8;

/// A call of a method.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Call<'a> {
    pub(in super::super) destination: &'a str,
    pub(in super::super) path: &'a str,
    pub(in super::super) interface: &'a str,
    pub(in super::super) member: &'a str,
    pub(in super::super) body: &'a [Value],
}

impl Call<'_> {
    /// The call as bytes. `serial` is not 0.
    pub(super) fn bytes(&self, serial: u32) -> Result<Vec<u8>, Malformed> {
        let mut body = Writer::default();
        self.body.iter().for_each(|value| body.value(value));
        let signature = signatures(self.body);
        signature::check(&signature)?;
        let mut fields = vec![
            (PATH, Value::ObjectPath(self.path.into())),
            (INTERFACE, Value::string(self.interface)),
            (MEMBER, Value::string(self.member)),
            (DESTINATION, Value::string(self.destination)),
        ];
        if !signature.is_empty() {
            fields.push((SIGNATURE, Value::Signature(signature)));
        }
        let field =
            |(code, value)| Value::Struct(vec![Value::Byte(code), Value::Variant(Box::new(value))]);
        let length = u32::try_from(body.bytes.len()).map_err(|_| TOO_LARGE)?;
        let mut message = Writer { bytes: vec![LITTLE, Kind::Call as u8, 0, VERSION] };
        message.value(&Value::Uint32(length));
        message.value(&Value::Uint32(serial));
        message.value(&Value::Array("(yv)".into(), fields.into_iter().map(field).collect()));
        message.align(8);
        message.bytes.append(&mut body.bytes);
        match message.bytes.len() {
            ..=LARGEST => Ok(message.bytes),
            _ => Err(TOO_LARGE),
        }
    }
}

const TOO_LARGE: Malformed = Malformed("it is larger than 1 MiB");

/// A message that was received.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Message {
    pub(in super::super) kind: Kind,
    pub(in super::super) serial: u32,
    pub(in super::super) reply_serial: Option<u32>,
    pub(in super::super) path: Option<String>,
    pub(in super::super) interface: Option<String>,
    pub(in super::super) member: Option<String>,
    pub(in super::super) error_name: Option<String>,
    pub(in super::super) sender: Option<String>,
    signature: String,
    body: Vec<u8>,
    big: bool,
}

/// How long the message is that begins with `start`, once there is enough of it to tell.
pub(super) fn length(start: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(fixed) = start.first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let big = is_big(fixed[0])?;
    if fixed[3] != VERSION {
        return Err(Malformed("it is of another version of the protocol"));
    }
    let mut reader = Reader::new(&fixed[4..], big);
    let (body, _serial, fields) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let header = FIXED.checked_add(fields as usize).and_then(|end| end.checked_next_multiple_of(8));
    let whole = header.and_then(|header| header.checked_add(body as usize));
    whole.filter(|whole| *whole <= LARGEST).map(Some).ok_or(TOO_LARGE)
}

fn is_big(byte: u8) -> Result<bool, Malformed> {
    match byte {
        LITTLE => Ok(false),
        BIG => Ok(true),
        _ => Err(Malformed("it is of an unknown byte order")),
    }
}

/// One message, whole and nothing after it. A kind that is not known yet is `None`, as the
/// specification wants it.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Message>, Malformed> {
    if length(bytes)? != Some(bytes.len()) {
        return Err(Malformed("it is not as long as it says"));
    }
    let big = is_big(bytes.first().copied().unwrap_or_default())?;
    let kind = match bytes.get(1) {
        Some(1) => Kind::Call,
        Some(2) => Kind::Reply,
        Some(3) => Kind::Error,
        Some(4) => Kind::Signal,
        Some(0) | None => return Err(Malformed("it is of an invalid kind")),
        Some(5..) => return Ok(None),
    };
    let mut reader = Reader::new(bytes, big);
    reader.value("(yyyy)", 0)?;
    let length = reader.u32()? as usize;
    let serial = reader.u32()?;
    let fields = reader.value("a(yv)", 0)?;
    reader.align(8)?;
    let body = bytes.get(reader.at()..).filter(|body| body.len() == length);
    let body = body.ok_or(Malformed("its body is not as long as it says"))?;
    let empty = Message {
        kind,
        serial,
        reply_serial: None,
        path: None,
        interface: None,
        member: None,
        error_name: None,
        sender: None,
        signature: String::new(),
        body: body.into(),
        big,
    };
    let message = with_fields(empty, fields)?;
    message.check().map(|()| Some(message))
}

/// Fields of unknown codes are left out.
fn with_fields(mut message: Message, fields: Value) -> Result<Message, Malformed> {
    let Value::Array(_, fields) = fields else {
        return Err(Malformed("its header has no fields"));
    };
    for field in fields {
        let Value::Struct(field) = field else { continue };
        let Ok([Value::Byte(code), Value::Variant(value)]) = <[Value; 2]>::try_from(field) else {
            continue;
        };
        match (code, *value) {
            (PATH, Value::ObjectPath(text)) => message.path = Some(text),
            (INTERFACE, Value::String(text)) => message.interface = Some(text),
            (MEMBER, Value::String(text)) => message.member = Some(text),
            (ERROR_NAME, Value::String(text)) => message.error_name = Some(text),
            (SENDER, Value::String(text)) => message.sender = Some(text),
            (REPLY_SERIAL, Value::Uint32(serial)) => message.reply_serial = Some(serial),
            (SIGNATURE, Value::Signature(text)) => message.signature = text,
            (0..=5 | SENDER | SIGNATURE, _) => {
                return Err(Malformed("a field of its header is of a wrong type"));
            }
            _ => {}
        }
    }
    Ok(message)
}

impl Message {
    /// Whether the fields are there that the kind must have.
    fn check(&self) -> Result<(), Malformed> {
        let complete = match self.kind {
            Kind::Call => self.path.is_some() && self.member.is_some(),
            Kind::Reply => self.reply_serial.is_some(),
            Kind::Error => self.reply_serial.is_some() && self.error_name.is_some(),
            Kind::Signal => {
                self.path.is_some() && self.member.is_some() && self.interface.is_some()
            }
        };
        match complete && self.serial != 0 {
            true => Ok(()),
            false => Err(Malformed("its header lacks a field")),
        }
    }

    /// The values.
    pub(in super::super) fn values(&self) -> Result<Vec<Value>, Malformed> {
        Reader::new(&self.body, self.big).all(&self.signature)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn call(body: &[Value]) -> Vec<u8> {
        Call {
            destination: "org.freedesktop.systemd1",
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member: "StartTransientUnit",
            body,
        }
        .bytes(7)
        .expect("a message")
    }

    pub(in super::super) fn body() -> Vec<Value> {
        let property = Value::Struct(vec![
            Value::string("PIDs"),
            Value::Variant(Box::new(Value::Array("u".into(), vec![Value::Uint32(1)]))),
        ]);
        vec![
            Value::string("a.scope"),
            Value::string("fail"),
            Value::Array("(sv)".into(), vec![property]),
            Value::Array("(sa(sv))".into(), vec![]),
        ]
    }

    #[test]
    fn a_call_is_read_as_it_was_meant() {
        let message = parse(&call(&body())).expect("well-formed").expect("a known kind");
        assert_eq!((message.kind, message.serial), (Kind::Call, 7));
        assert_eq!(message.path.as_deref(), Some("/org/freedesktop/systemd1"));
        assert_eq!(message.member.as_deref(), Some("StartTransientUnit"));
        assert_eq!(message.values(), Ok(body()));
        let empty = parse(&call(&[])).expect("well-formed").expect("a known kind");
        assert_eq!(empty.values(), Ok(vec![]));
    }

    /// As `dbus-daemon` of a big-endian machine would answer `Hello`.
    #[test]
    fn a_big_endian_reply_is_read() {
        let mut bytes = b"B\x02\x01\x01\0\0\0\x09\0\0\0\x01\0\0\0\x0f".to_vec();
        bytes.extend_from_slice(b"\x05\x01u\0\0\0\0\x03\x08\x01g\0\x01s\0\0");
        bytes.extend_from_slice(b"\0\0\0\x04:1.7\0");
        let message = parse(&bytes).expect("well-formed").expect("a known kind");
        assert_eq!((message.kind, message.reply_serial), (Kind::Reply, Some(3)));
        assert_eq!(message.values(), Ok(vec![Value::string(":1.7")]));
    }

    #[test]
    fn the_length_is_known_from_the_fixed_part() {
        let bytes = call(&body());
        assert_eq!(length(&bytes[..FIXED - 1]), Ok(None));
        assert_eq!(length(&bytes[..FIXED]), Ok(Some(bytes.len())));
        let mut large = bytes.clone();
        large[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(length(&large), Err(TOO_LARGE));
        large[0] = b'x';
        assert!(length(&large).is_err());
    }

    #[test]
    fn what_is_too_large_is_not_sent() {
        let large = Value::Bytes(vec![0; LARGEST]);
        let call =
            Call { destination: "a.b", path: "/", interface: "a.b", member: "c", body: &[large] };
        assert_eq!(call.bytes(1), Err(TOO_LARGE));
    }

    #[test]
    fn every_part_of_a_message_alone_is_refused() {
        let bytes = call(&body());
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn unknown_kinds_are_passed_over() {
        let mut bytes = call(&[]);
        bytes[1] = 200;
        assert_eq!(parse(&bytes), Ok(None));
        bytes[1] = 0;
        assert!(parse(&bytes).is_err());
    }
}

//! [Protocol Buffers](https://protobuf.dev/programming-guides/encoding/) to and from JSON, after the
//! tables of [`schema`].

use serde_json::{Map, Value, json};

use super::schema::{self, Field, Kind};
use crate::result::{Doing, Res};

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// A field that the table does not have is an error: it would be left out without a word.
pub(super) fn encode(message: &str, value: &Value) -> Res<Vec<u8>> {
    let fields = schema::fields(message).doing(message)?;
    let mut out = Vec::new();
    for (name, value) in value.as_object().doing(message)? {
        let place = format!("{message}.{name}");
        let field = fields.iter().find(|field| field.name == name).doing(&place)?;
        match (field.list, value) {
            (_, Value::Null) => (),
            (false, value) => encode_field(field, value, &mut out).doing(&place)?,
            (true, list) => {
                for each in list.as_array().doing(&place)? {
                    encode_field(field, each, &mut out).doing(&place)?;
                }
            }
        }
    }
    Ok(out)
}

fn encode_field(field: &Field, value: &Value, out: &mut Vec<u8>) -> Res {
    match field.kind {
        Kind::Text => bytes(field.number, value.as_str().doing("a text")?.as_bytes(), out),
        Kind::Bool => number(field.number, value.as_bool().doing("a truth")?.into(), out),
        Kind::Number => number(field.number, value.as_i64().doing("a number")? as u64, out),
        Kind::Enum(name) => {
            let names = schema::values(name).doing(name)?;
            let at = names.iter().position(|each| value == each).doing(&value.to_string())?;
            number(field.number, at as u64, out);
        }
        Kind::Boxed => {
            let mut inner = Vec::new();
            number(1, value.as_i64().doing("a number")? as u64, &mut inner);
            bytes(field.number, &inner, out);
        }
        Kind::Message(name) => bytes(field.number, &encode(name, value)?, out),
        Kind::Map => {
            for (key, value) in value.as_object().doing("a map")? {
                let mut inner = Vec::new();
                bytes(1, key.as_bytes(), &mut inner);
                bytes(2, value.as_str().doing("a text")?.as_bytes(), &mut inner);
                bytes(field.number, &inner, out);
            }
        }
    }
    Ok(())
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(field: u64, value: u64, out: &mut Vec<u8>) {
    varint(field << 3 | VARINT, out);
    varint(value, out);
}

fn bytes(field: u64, text: &[u8], out: &mut Vec<u8>) {
    varint(field << 3 | BYTES, out);
    varint(text.len() as u64, out);
    out.extend(text);
}

/// What a field holds on the wire.
enum Item<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Fields that are not given have the value that the interface means by that; messages are null.
pub(super) fn decode(message: &str, data: &[u8]) -> Res<Value> {
    let fields = schema::fields(message).doing(message)?;
    let mut value: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_string(), absent(field))).collect();
    for (number, item) in items(data).doing(message)? {
        let Some(field) = fields.iter().find(|field| field.number == number) else {
            continue;
        };
        let slot = &mut value[field.name];
        match (field.kind, &item) {
            (Kind::Map, Item::Bytes(text)) => add_entry(slot, text)?,
            // Numbers of a list may come together.
            (Kind::Number, Item::Bytes(text)) => {
                let mut rest = *text;
                while !rest.is_empty() {
                    add(slot, field, json!(take_varint(&mut rest)? as i64));
                }
            }
            _ => add(slot, field, decode_item(field.kind, &item)?),
        }
    }
    Ok(Value::Object(value))
}

fn absent(field: &Field) -> Value {
    match field.kind {
        _ if field.list => json!([]),
        Kind::Text => json!(""),
        Kind::Bool => json!(false),
        Kind::Number => json!(0),
        Kind::Map => json!({}),
        Kind::Enum(name) => json!(schema::values(name).and_then(|all| all.first().copied())),
        Kind::Boxed | Kind::Message(_) => Value::Null,
    }
}

fn add(slot: &mut Value, field: &Field, value: Value) {
    match slot.as_array_mut().filter(|_| field.list) {
        Some(list) => list.push(value),
        None => *slot = value,
    }
}

fn decode_item(kind: Kind, item: &Item<'_>) -> Res<Value> {
    Ok(match (kind, item) {
        (Kind::Bool, Item::Number(number)) => json!(*number != 0),
        (Kind::Number, Item::Number(number)) => json!(*number as i64),
        (Kind::Enum(name), Item::Number(number)) => {
            json!(schema::values(name).and_then(|all| all.get(*number as usize).copied()))
        }
        (Kind::Text, Item::Bytes(text)) => json!(String::from_utf8_lossy(text)),
        (Kind::Message(name), Item::Bytes(text)) => decode(name, text)?,
        (Kind::Boxed, Item::Bytes(text)) => match items(text)?.first() {
            Some((1, Item::Number(number))) => json!(*number as i64),
            _ => json!(0),
        },
        _ => return Err("a field of another kind than the table says".into()),
    })
}

fn add_entry(map: &mut Value, data: &[u8]) -> Res {
    let mut parts = [String::new(), String::new()];
    for (number, item) in items(data)? {
        if let (1 | 2, Item::Bytes(text)) = (number, item) {
            parts[number as usize - 1] = String::from_utf8_lossy(text).into_owned();
        }
    }
    let [key, value] = parts;
    map[key] = json!(value);
    Ok(())
}

fn items(mut data: &[u8]) -> Res<Vec<(u64, Item<'_>)>> {
    let mut found = Vec::new();
    while !data.is_empty() {
        let tag = take_varint(&mut data)?;
        let item = match tag & 7 {
            VARINT => Item::Number(take_varint(&mut data)?),
            BYTES => {
                let length = take_varint(&mut data)? as usize;
                Item::Bytes(take(&mut data, length)?)
            }
            FIXED64 => Item::Bytes(take(&mut data, 8)?),
            FIXED32 => Item::Bytes(take(&mut data, 4)?),
            other => return Err(format!("wire type {other}")),
        };
        found.push((tag >> 3, item));
    }
    Ok(found)
}

fn take<'a>(data: &mut &'a [u8], length: usize) -> Res<&'a [u8]> {
    let (taken, rest) = data.split_at_checked(length).doing("the end of the message")?;
    *data = rest;
    Ok(taken)
}

fn take_varint(data: &mut &[u8]) -> Res<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(data, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number without an end".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        let request = json!({
            "config": {
                "metadata": {"name": "straw", "uid": "", "namespace": "", "attempt": 300},
                "linux": {"security_context": {
                    "run_as_user": 0, "supplemental_groups": [5, -1],
                    "namespace_options": {"network": "NODE"},
                }, "sysctls": {"net.a": "1"}},
            },
        });
        let data = encode("RunPodSandboxRequest", &request).unwrap();
        let back = decode("RunPodSandboxRequest", &data).unwrap();
        assert_eq!(back["config"]["metadata"], request["config"]["metadata"]);
        let linux = &back["config"]["linux"];
        assert_eq!(linux["sysctls"], json!({"net.a": "1"}));
        assert_eq!(linux["security_context"]["supplemental_groups"], json!([5, -1]));
        assert_eq!(linux["security_context"]["run_as_user"], 0);
        assert_eq!(linux["security_context"]["run_as_group"], Value::Null);
        assert_eq!(linux["security_context"]["namespace_options"]["network"], "NODE");
        assert_eq!(back["runtime_handler"], "");
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(encode("RunPodSandboxRequest", &json!({"straw": 1})).is_err());
        let wrong = json!({"config": {"linux": {"security_context": {
            "namespace_options": {"network": "STRAW"}}}}});
        assert!(encode("RunPodSandboxRequest", &wrong).is_err());
        assert!(decode("ExecResponse", &[0x0a, 5, b'x']).is_err());
    }
}

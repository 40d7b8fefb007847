//! Messages that somebody has made up or damaged: each is answered, and soon.

use super::address::Address;
use super::auth;
use super::message::{Call, length, parse};
use super::value::Value;

pub(crate) const WORDS: &[&str] = &[
    "l\x04\x01\x01",
    "B\x02",
    "a(yv)",
    "(sa(sv))",
    "OK ",
    "DATA\r\n",
    "unix:path=/a",
    "%41",
    "\x7f\x7f\x7f\x7f",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let deep = (0..20).fold(Value::Byte(7), |inner, _| Value::Variant(Box::new(inner)));
    let property = Value::Struct(vec![
        Value::string("PIDs"),
        Value::Variant(Box::new(Value::Array("u".into(), vec![Value::Uint32(1)]))),
    ]);
    let bodies = [
        vec![],
        vec![Value::string("a.scope"), Value::Array("(sv)".into(), vec![property])],
        vec![Value::Bytes(vec![1, 2, 3]), Value::Double(0.5), deep],
    ];
    let mut seeds: Vec<Vec<u8>> = bodies.iter().map(|body| message(body)).collect();
    // An answer, as a bus sends them.
    let mut reply = message(&[Value::ObjectPath("/job/7".into())]);
    reply[1] = 4;
    seeds.push(reply);
    seeds
}

fn message(body: &[Value]) -> Vec<u8> {
    let call = Call {
        destination: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "StartTransientUnit",
        body,
    };
    call.bytes(7).expect("a message")
}

/// Whether it is a message with values. The same bytes may be an answer to our first words, or an address.
pub(crate) fn run(bytes: &[u8]) -> bool {
    if let Ok(Some(end)) = auth::answer(bytes) {
        assert!(end <= bytes.len());
    }
    let _ = Address::parse(&String::from_utf8_lossy(bytes));
    match length(bytes) {
        Ok(Some(whole)) => assert!(whole <= 1 << 20),
        Ok(None) => assert!(bytes.len() < 16),
        Err(_) => assert!(parse(bytes).is_err(), "a message of a length that is none"),
    }
    match parse(bytes).map(|message| message.map(|message| message.values())) {
        Ok(Some(Ok(values))) => {
            values.into_iter().for_each(is_read_as_written);
            true
        }
        _ => false,
    }
}

/// A value that can be sent comes back. What is too large, or of too long a signature, cannot.
pub(in super::super) fn is_read_as_written(value: Value) {
    let call =
        Call { destination: "a.b", path: "/", interface: "a.b", member: "C", body: &[value] };
    let Ok(bytes) = call.bytes(7) else { return };
    let message = parse(&bytes).expect("well-formed").expect("a known kind");
    let values = message.values().expect("what is written is read");
    // Not the values themselves: a number may be none, which is not even equal to itself.
    assert_eq!(format!("{values:?}"), format!("{:?}", call.body));
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::{body, call};
    use super::super::message::{length, parse};
    use super::super::read::Reader;
    use super::super::value::Value;
    use fastrand::Rng;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_hundred_thousand_damaged_messages_are_answered_in_time() {
        let (good, mut random) = (call(&body()), Rng::with_seed(4));
        let (mut refused, begin) = (0, Instant::now());
        for _ in 0..100_000 {
            let mut bytes = good.clone();
            for _ in 0..=random.usize(..4) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes.truncate(bytes.len() - random.usize(..2) * random.usize(..8));
            let answer = parse(&bytes).map(|message| message.map(|message| message.values()));
            refused += usize::from(!matches!(answer, Ok(Some(Ok(_)))));
        }
        assert!(refused > 50_000, "{refused}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<u8>().prop_map(Value::Byte),
            any::<bool>().prop_map(Value::Bool),
            any::<i16>().prop_map(Value::Int16),
            any::<u32>().prop_map(Value::Uint32),
            any::<i64>().prop_map(Value::Int64),
            any::<u64>().prop_map(Value::Uint64),
            "[^\0]{0,9}".prop_map(Value::String),
            "(/[a-z0-9_]{1,5}){1,3}".prop_map(Value::ObjectPath),
            prop::collection::vec(any::<u8>(), 0..9).prop_map(Value::Bytes),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        leaf().prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|value| Value::Variant(Box::new(value))),
                prop::collection::vec(inner.clone(), 1..4).prop_map(Value::Struct),
                (inner.clone(), 0..4usize).prop_filter_map("arrays of bytes are `Bytes`", |one| {
                    let (item, count) = one;
                    let byte = matches!(item, Value::Byte(_));
                    (!byte).then(|| Value::Array(item.signature(), vec![item; count]))
                }),
                (leaf(), inner).prop_map(|(key, value)| {
                    let key = if matches!(key, Value::Bytes(_)) { Value::Byte(1) } else { key };
                    let entry = Value::Entry(Box::new((key, value)));
                    Value::Array(entry.signature(), vec![entry])
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(values in prop::collection::vec(value(), 0..5)) {
            let message = parse(&call(&values)).expect("well-formed").expect("a known kind");
            prop_assert_eq!(message.values(), Ok(values));
        }

        #[test]
        fn bytes_of_any_kind_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = length(&bytes);
            let _ = parse(&bytes);
        }

        #[test]
        fn bodies_of_any_kind_are_answered(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            signature in "[ybnqiuxtdsogav(){}h]{0,12}",
            big in any::<bool>(),
        ) {
            let _ = Reader::new(&bytes, big).all(&signature);
        }
    }
}

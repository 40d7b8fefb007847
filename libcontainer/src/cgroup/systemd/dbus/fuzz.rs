//! Messages that somebody has made up or damaged: each is answered, and soon.

use super::message::tests::{body, call};
use super::message::{length, parse};
use super::read::Reader;
use super::value::Value;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Small numbers that look random, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn a_hundred_thousand_damaged_messages_are_answered_in_time() {
    let (good, mut random) = (call(&body()), Random(4));
    let (mut refused, begin) = (0, Instant::now());
    for _ in 0..100_000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
        }
        bytes.truncate(bytes.len() - random.below(2) * random.below(8));
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

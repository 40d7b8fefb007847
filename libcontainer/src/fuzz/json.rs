//! Changes of JSON: what reads it should be found to read. The tests of `seccomp/` include this file for
//! profiles, so it knows of nothing else here.

use fastrand::Rng;
use serde_json::{Value, json};
use std::mem::discriminant;

/// What changed values are made of, besides their own pieces.
pub(crate) struct Words(Vec<String>);

impl Words {
    /// There is at least one.
    pub(crate) fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self(words.into_iter().collect())
    }

    /// One of them, at times with another, or many times.
    pub(crate) fn one(&self, random: &mut Rng) -> String {
        let one = self.any(random);
        match random.u8(..12) {
            0 => one + &self.any(random),
            1 => one.repeat(random.usize(1..=3000)),
            _ => one,
        }
    }

    fn any(&self, random: &mut Rng) -> String {
        random.choice(&self.0).cloned().unwrap_or_default()
    }

    /// Changes one place of the value.
    pub(crate) fn change(&self, value: &mut Value, random: &mut Rng) {
        let piece = pick(value, random).clone();
        let place = pick(value, random);
        match random.u8(..16) {
            0 => *place = self.leaf(random),
            1..4 if discriminant(place) == discriminant(&piece) => *place = piece,
            1..8 => self.near(place, random),
            8..11 => self.add(place, piece, random),
            _ => self.shape(place, random),
        }
    }

    fn leaf(&self, random: &mut Rng) -> Value {
        const EDGES: [u64; 10] = [
            0,
            1,
            2,
            255,
            1 << 16,
            (1 << 31) - 1,
            1 << 31,
            u32::MAX as u64,
            1 << 32,
            (u32::MAX as u64) << 32,
        ];
        match random.u8(..8) {
            0 => json!(null),
            1 => json!(random.bool()),
            2 => json!([]),
            3 => json!({}),
            4 => number(random.u64(..) >> random.u8(..64), random),
            5 => number(random.choice(EDGES).unwrap_or(u64::MAX), random),
            _ => json!(self.one(random)),
        }
    }

    /// To a value that is like it.
    fn near(&self, value: &mut Value, random: &mut Rng) {
        match value {
            Value::Number(old) => {
                let old = old.as_u64().or(old.as_i64().map(|it| it as u64)).unwrap_or_default();
                let new = match random.u8(..5) {
                    0 => old.wrapping_add(1),
                    1 => old.wrapping_sub(1),
                    2 => old.wrapping_neg(),
                    3 => old.rotate_left(random.u32(..64)),
                    _ => old ^ 1 << random.u8(..64),
                };
                *value = number(new, random);
            }
            Value::String(text) if random.bool() => *text += &self.one(random),
            Value::String(text) => *text = self.one(random),
            Value::Bool(it) => *it = !*it,
            other => self.add(other, json!(null), random),
        }
    }

    fn add(&self, value: &mut Value, piece: Value, random: &mut Rng) {
        let piece = if piece.is_null() { self.leaf(random) } else { piece };
        match value {
            Value::Array(items) => items.push(piece),
            Value::Object(fields) => drop(fields.insert(self.one(random), piece)),
            other => *other = piece,
        }
    }

    /// One item less, one twice, or in another order.
    fn shape(&self, value: &mut Value, random: &mut Rng) {
        match value {
            Value::Array(items) if !items.is_empty() => {
                let (at, other) = (random.usize(..items.len()), random.usize(..items.len()));
                match random.u8(..3) {
                    0 => drop(items.remove(at)),
                    1 => items.insert(other, items[at].clone()),
                    _ => items.swap(at, other),
                }
            }
            Value::Object(fields) if !fields.is_empty() => {
                let name = random.choice(fields.keys()).cloned();
                name.and_then(|name| fields.remove(&name));
            }
            other => self.near(other, random),
        }
    }
}

/// Of these bits, with a sign or without.
fn number(bits: u64, random: &mut Rng) -> Value {
    if random.bool() { json!(bits) } else { json!(bits as i64) }
}

/// Any value inside of this one, or itself.
fn pick<'a>(value: &'a mut Value, random: &mut Rng) -> &'a mut Value {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    if children == 0 || random.u8(..6) == 0 {
        return value;
    }
    let at = random.usize(..children);
    let child = match value {
        Value::Array(items) => items.get_mut(at),
        Value::Object(fields) => fields.values_mut().nth(at),
        _ => None,
    };
    pick(child.expect("it has so many"), random)
}

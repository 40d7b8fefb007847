//! Changes of an input: as JSON if it is that, otherwise as bytes.

use super::Target;
use super::random::Random;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::mem::discriminant;

/// Texts that mean something in many places.
const ODD: &[&str] = &[
    "",
    "/",
    "..",
    "/../..",
    ".",
    "\0",
    "\n",
    "=",
    ":",
    ",",
    "a=b",
    "-1",
    "4294967295",
    "€",
    "%s",
];

/// What changed inputs are made of.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    words: Vec<String>,
}

impl Mutator {
    /// For the inputs of one target.
    pub fn new(target: &Target) -> Self {
        let seeds = (target.seeds)();
        let mut words: BTreeSet<String> = BTreeSet::new();
        seeds.iter().for_each(|seed| {
            let value: Value = serde_json::from_slice(seed).unwrap_or_default();
            collect(&value, &mut words);
        });
        words.extend(target.words.iter().chain(ODD).map(|word| (*word).to_owned()));
        Self { seeds, words: words.into_iter().collect() }
    }

    /// The inputs to begin with.
    pub fn seeds(&self) -> &[Vec<u8>] {
        &self.seeds
    }

    /// The input, changed in a few places.
    pub fn change(&self, input: &[u8], random: &mut Random) -> Vec<u8> {
        match serde_json::from_slice::<Value>(input) {
            Ok(mut value) if !random.once_in(8) => {
                (0..=random.below(4)).for_each(|_| self.change_json(&mut value, random));
                value.to_string().into_bytes()
            }
            _ => {
                let mut bytes = input.to_vec();
                (0..=random.below(4)).for_each(|_| self.change_bytes(&mut bytes, random));
                bytes
            }
        }
    }

    fn word(&self, random: &mut Random) -> String {
        let one = random.pick(&self.words).clone();
        match random.below(12) {
            0 => one + random.pick(&self.words).as_str(),
            1 => one.repeat(1 + random.below(3000)),
            _ => one,
        }
    }

    fn change_json(&self, value: &mut Value, random: &mut Random) {
        let piece = pick(value, random).clone();
        let place = pick(value, random);
        match random.below(16) {
            0 => *place = self.leaf(random),
            1..4 if discriminant(place) == discriminant(&piece) => *place = piece,
            1..8 => self.near(place, random),
            8..11 => self.add(place, piece, random),
            _ => self.shape(place, random),
        }
    }

    fn leaf(&self, random: &mut Random) -> Value {
        const EDGES: [i64; 12] = [
            0,
            1,
            -1,
            2,
            255,
            1 << 16,
            (1 << 31) - 1,
            1 << 31,
            u32::MAX as i64,
            1 << 32,
            i64::MAX,
            i64::MIN,
        ];
        match random.below(8) {
            0 => json!(null),
            1 => json!(random.once_in(2)),
            2 => json!([]),
            3 => json!({}),
            4 => json!(random.next() >> random.below(64)),
            5 => json!(*random.pick(&EDGES)),
            _ => json!(self.word(random)),
        }
    }

    /// To a value that is like it.
    fn near(&self, value: &mut Value, random: &mut Random) {
        match value {
            Value::Number(number) => {
                let number = number.as_i64().unwrap_or_default();
                *value = match random.below(4) {
                    0 => json!(number.wrapping_add(1)),
                    1 => json!(number.wrapping_neg()),
                    2 => json!(number.wrapping_shl(random.below(64) as u32)),
                    _ => json!(number ^ 1 << random.below(64)),
                };
            }
            Value::String(text) if random.once_in(2) => *text += &self.word(random),
            Value::String(text) => *text = self.word(random),
            Value::Bool(it) => *it = !*it,
            other => self.add(other, json!(null), random),
        }
    }

    fn add(&self, value: &mut Value, piece: Value, random: &mut Random) {
        let piece = if piece.is_null() { self.leaf(random) } else { piece };
        match value {
            Value::Array(items) => items.push(piece),
            Value::Object(fields) => drop(fields.insert(self.word(random), piece)),
            other => *other = piece,
        }
    }

    /// One item less, one twice, or in another order.
    fn shape(&self, value: &mut Value, random: &mut Random) {
        match value {
            Value::Array(items) if !items.is_empty() => {
                let (at, other) = (random.below(items.len()), random.below(items.len()));
                match random.below(3) {
                    0 => drop(items.remove(at)),
                    1 => items.insert(other, items[at].clone()),
                    _ => items.swap(at, other),
                }
            }
            Value::Object(fields) if !fields.is_empty() => {
                let names: Vec<String> = fields.keys().cloned().collect();
                fields.remove(random.pick(&names));
            }
            other => self.near(other, random),
        }
    }

    fn change_bytes(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        let at = random.below(bytes.len() + 1);
        let end = at + random.below(bytes.len() - at + 1).min(1 + random.below(40));
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] = random.next() as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                drop(bytes.splice(to..to, piece));
            }
            4 => {
                let other = random.pick(&self.seeds);
                let from = random.below(other.len() + 1);
                drop(bytes.splice(at..end, other[from..].iter().take(40).copied()));
            }
            _ => drop(bytes.splice(at..end, self.word(random).into_bytes())),
        }
    }
}

/// Any value inside of this one, or itself.
fn pick<'a>(value: &'a mut Value, random: &mut Random) -> &'a mut Value {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    if children == 0 || random.once_in(6) {
        return value;
    }
    let at = random.below(children);
    let child = match value {
        Value::Array(items) => items.get_mut(at),
        Value::Object(fields) => fields.values_mut().nth(at),
        _ => None,
    };
    pick(child.expect("it has so many"), random)
}

fn collect(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(words.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            words.insert(name.clone());
            collect(value, words);
        }),
        _ => (),
    }
}

//! Changes of an input: as JSON if it is that, otherwise as bytes.

use super::Target;
use super::json::Words;
use fastrand::Rng;
use serde_json::Value;
use std::collections::BTreeSet;

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
    words: Words,
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
        Self { seeds, words: Words::new(words) }
    }

    /// The inputs to begin with.
    pub fn seeds(&self) -> &[Vec<u8>] {
        &self.seeds
    }

    /// The input, changed in a few places.
    pub fn change(&self, input: &[u8], random: &mut Rng) -> Vec<u8> {
        match serde_json::from_slice::<Value>(input) {
            Ok(mut value) if random.u8(..8) != 0 => {
                (0..=random.usize(..4)).for_each(|_| self.words.change(&mut value, random));
                value.to_string().into_bytes()
            }
            _ => {
                let mut bytes = input.to_vec();
                (0..=random.usize(..4)).for_each(|_| self.change_bytes(&mut bytes, random));
                bytes
            }
        }
    }

    fn change_bytes(&self, bytes: &mut Vec<u8>, random: &mut Rng) {
        let at = place(bytes, 0, random);
        let end = place(bytes, at, random).min(at + random.usize(1..=40));
        match random.usize(..6) {
            0 if at < bytes.len() => bytes[at] = random.u8(..),
            1 if at < bytes.len() => bytes[at] ^= 1 << random.usize(..8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                let to = place(bytes, 0, random);
                drop(bytes.splice(to..to, piece));
            }
            4 => {
                let other = &self.seeds[random.usize(..self.seeds.len())];
                let from = random.usize(..=other.len());
                drop(bytes.splice(at..end, other[from..].iter().take(40).copied()));
            }
            _ => drop(bytes.splice(at..end, self.words.one(random).into_bytes())),
        }
    }
}

/// Any place from there on, every other time one where a word ends.
fn place(bytes: &[u8], from: usize, random: &mut Rng) -> usize {
    let at = random.usize(from..=bytes.len());
    let ends = |byte: &u8| b",:;=/ \n".contains(byte);
    let more = if random.bool() { bytes[at..].iter().position(ends) } else { Some(0) };
    more.map_or(bytes.len(), |more| at + more)
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

//! Any text, as far as it is a profile, is compiled to a filter that says what it says.
#![no_main]

#[path = "../../tests/support/aim.rs"]
mod aim;
#[path = "../../tests/support/check.rs"]
mod check;
#[path = "../../tests/support/evaluator.rs"]
mod evaluator;
#[path = "../../tests/support/interpreter.rs"]
mod interpreter;
#[path = "../../../libcontainer/src/fuzz/json.rs"]
mod json;
#[path = "../../tests/support/machines.rs"]
mod machines;
#[path = "../../src/table.rs"]
mod table;
#[path = "../../tests/support/words.rs"]
mod words;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use fastrand::Rng;
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

/// The same input is always tried with the same machine and the same calls.
fn hash(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    hasher.finish()
}

/// A profile, or the one in a config.json.
fn parse(data: &[u8]) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(data).ok()?;
    match value.pointer_mut("/linux/seccomp") {
        Some(profile) => Some(profile.take()),
        None => Some(value),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(profile) = parse(data) else { return };
    let mut random = Rng::with_seed(hash(data));
    let other = random.choice(&machines::MACHINES).filter(|_| random.bool());
    let machine = other.unwrap_or(&machines::MACHINES[0]);
    check::check(&profile, machine.name, 20, &mut random);
});

// Mostly as JSON, and at times as bytes.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    static WORDS: OnceLock<json::Words> = OnceLock::new();
    let words = WORDS.get_or_init(words::words);
    let mut random = Rng::with_seed(u64::from(seed));
    if let (Some(mut profile), false) = (parse(&data[..size]), random.u8(..8) == 0) {
        for _ in 0..=random.usize(..4) {
            words.change(&mut profile, &mut random);
        }
        let text = profile.to_string();
        if text.len() <= max_size {
            data[..text.len()].copy_from_slice(text.as_bytes());
            return text.len();
        }
    }
    fuzzer_mutate(data, size, max_size)
});

//! Small random changes of a profile's JSON.

use super::machines::MACHINES;
use super::profiles::{ACTIONS, OPERATORS};
use super::random::Random;
use serde_json::{Value, json};
use std::mem::discriminant;

/// Besides actions and operators.
const OTHERS: [&str; 28] = [
    "SCMP_ARCH_NATIVE",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    "names",
    "action",
    "args",
    "errnoRet",
    "defaultAction",
    "defaultErrnoRet",
    "architectures",
    "listenerPath",
    "syscalls",
    "read",
    "clone",
    "socket",
    "socketcall",
    "accept",
    "ipc",
    "semop",
    "setup",
    "cacheflush",
    "file_setattr",
    "no_such_call",
    "",
];

/// A word of profiles.
fn word(random: &mut Random) -> &'static str {
    let words: [&[&str]; 3] = [&ACTIONS, &OPERATORS, &OTHERS];
    let words = words.concat();
    words[random.below(words.len())]
}

/// Changes one place of the profile.
pub fn mutate(profile: &mut Value, random: &mut Random) {
    let piece = pick(profile, random).clone();
    let place = pick(profile, random);
    match random.below(16) {
        0 => *place = leaf(random),
        1..6 if discriminant(place) == discriminant(&piece) => *place = piece,
        1..10 => near(place, random),
        _ => shape(place, random),
    }
}

/// Any value inside of this one, or itself.
fn pick<'a>(value: &'a mut Value, random: &mut Random) -> &'a mut Value {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    if children == 0 || random.once_in(5) {
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

fn leaf(random: &mut Random) -> Value {
    const EDGES: [u64; 9] =
        [0, 1, 2, 5, 38, 0xffff_ffff, 0x1_0000_0000, 0xffff_ffff_0000_0000, u64::MAX];
    match random.below(8) {
        0 => json!(null),
        1 => json!(random.pick(&MACHINES).name),
        2 => json!([]),
        3 => json!(random.next() >> random.below(64)),
        4 | 5 => json!(*random.pick(&EDGES)),
        _ => json!(word(random)),
    }
}

/// To a value that is like it.
fn near(value: &mut Value, random: &mut Random) {
    if let Some(number) = value.as_u64() {
        *value = match random.below(4) {
            0 => json!(number.wrapping_add(1)),
            1 => json!(number.wrapping_sub(1)),
            2 => json!(number.rotate_right(32)),
            _ => json!(number ^ 1 << random.below(64)),
        };
    } else if value.is_string() {
        *value = json!(word(random));
    } else if let Value::Array(items) = value {
        let item = items.first().cloned().unwrap_or_else(|| leaf(random));
        items.push(item);
    }
}

/// One item less, one twice, or in another order.
fn shape(value: &mut Value, random: &mut Random) {
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
        other => *other = leaf(random),
    }
}

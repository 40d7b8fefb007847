//! Calls that a profile is likely to be wrong about: at the boundaries of what it says.

use super::evaluator::{Condition, Evaluator, Rule};
use super::interpreter::Call;
use super::machines::{MACHINES, Machine, X32_BIT};
use fastrand::Rng;

/// A call at one of the boundaries of the profile, and an architecture that has it.
pub fn call(evaluator: &Evaluator, random: &mut Rng) -> (&'static Machine, Call) {
    let mut machine = *random.choice(&evaluator.machines).unwrap();
    if random.u8(..20) == 0 {
        machine = random.choice(&MACHINES).unwrap();
    }
    let (number, args) = match evaluator.rules.as_slice() {
        [] => (number(random), anything(random)),
        rules => about(machine, random.choice(rules).unwrap(), random),
    };
    (machine, Call { arch: machine.token, number, args })
}

/// A number that the rule is about, or one next to it, or one at a boundary of the architecture.
fn about(machine: &Machine, rule: &Rule, random: &mut Rng) -> (u32, [u64; 6]) {
    let mut args = anything(random);
    for condition in &rule.conditions {
        args[condition.index] = argument(condition, random);
    }
    let name = rule.names.get(random.usize(..rule.names.len().max(1)));
    let direct = name.and_then(|name| machine.number(name));
    let made = name.and_then(|name| machine.subcall(name));
    let at = match made {
        Some((number, subcall)) if direct.is_none() || random.bool() => {
            args[0] = nearly(subcall, random);
            Some(number)
        }
        _ => direct,
    };
    match at {
        None => (number(random), args),
        Some(_) if random.u8(..10) == 0 => (number(random), args),
        Some(at) if random.u8(..5) == 0 => (at.wrapping_add(1), args),
        Some(at) if random.u8(..10) == 0 => (at.wrapping_sub(1), args),
        Some(at) if random.u8(..20) == 0 => (at ^ X32_BIT, args),
        Some(at) => (at, args),
    }
}

fn number(random: &mut Rng) -> u32 {
    match random.usize(..4) {
        0 => random.u32(..),
        1 => {
            random.u32(..600) + *random.choice(&[0, X32_BIT, 4000, 5000, 6000, 0x0f_0000]).unwrap()
        }
        _ => {
            let edge: u32 = *random.choice(&[0, X32_BIT, 2 * X32_BIT, 3 * X32_BIT]).unwrap();
            edge.wrapping_add(*random.choice(&[0, 1, u32::MAX]).unwrap())
        }
    }
}

/// Mostly a value that the condition holds for, or one next to such.
fn argument(condition: &Condition, random: &mut Rng) -> u64 {
    let value = match condition.operator.as_str() {
        "SCMP_CMP_MASKED_EQ" => {
            condition.value_two & condition.value | random.u64(..) & !condition.value
        }
        _ => condition.value,
    };
    nearly(value, random)
}

fn nearly(value: u64, random: &mut Rng) -> u64 {
    match random.usize(..12) {
        0 => value.wrapping_add(1),
        1 => value.wrapping_sub(1),
        2 => value ^ 1 << 32,
        3 => value ^ 1 << random.usize(..64),
        4 => value & 0xffff_ffff,
        5 => value | 0xffff_ffff_0000_0000,
        6 => anything(random)[0],
        _ => value,
    }
}

fn anything(random: &mut Rng) -> [u64; 6] {
    const EDGES: [u64; 8] =
        [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 1 << 63, u64::MAX];
    std::array::from_fn(|_| match random.usize(..4) {
        0 => random.u64(..),
        1 => random.u64(..30),
        _ => *random.choice(&EDGES).unwrap(),
    })
}

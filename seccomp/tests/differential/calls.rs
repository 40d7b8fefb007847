//! Which calls to compare two filters for: all numbers, and the boundaries of all conditions.

use crate::profile::{Condition, Profile, Rule};
use crate::support::interpreter::Call;
use crate::support::machines::{MACHINES, Machine, X32_BIT};
use fastrand::Rng;
use std::collections::BTreeMap;

/// How many of each architecture's first numbers: more than any has.
const FIRST: u32 = 600;

/// Where an architecture's numbers begin, besides 0.
const BASES: [u32; 5] = [X32_BIT, 4000, 5000, 6000, 0x0f_0000];

/// How many calls of one number at most.
const MOST: usize = 256;

/// Calls of all of the profile's architectures, and of one that it does not have.
pub fn of(profile: &Profile, random: &mut Rng) -> Vec<Call> {
    let mut calls = Vec::new();
    for machine in &profile.machines {
        let values = values(profile, machine);
        for number in numbers(&values) {
            match values.get(&number) {
                Some(values) => add_boundaries(machine.token, number, values, random, &mut calls),
                None => calls.push(Call { arch: machine.token, number, args: [0; 6] }),
            }
        }
    }
    let foreign = MACHINES.iter().map(|machine| machine.token);
    for arch in foreign.chain([0, X32_BIT | 0x3e, u32::MAX]) {
        calls.extend([0, 1, X32_BIT, u32::MAX].map(|number| Call { arch, number, args: [0; 6] }));
    }
    calls
}

fn numbers(values: &BTreeMap<u32, Values>) -> Vec<u32> {
    let edges = [0, X32_BIT, 2 * X32_BIT, 3 * X32_BIT];
    let near = |edge: u32| [edge.wrapping_sub(2), edge.wrapping_sub(1), edge, edge + 1];
    let mut numbers: Vec<u32> = (0..2 * FIRST)
        .chain(BASES.iter().flat_map(|base| *base..base + FIRST))
        .chain(edges.into_iter().flat_map(near))
        .chain(values.keys().copied())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// For each argument the values at which something may change.
type Values = [Vec<u64>; 6];

/// By number, for the numbers that rules with conditions are about.
fn values(profile: &Profile, machine: &Machine) -> BTreeMap<u32, Values> {
    let mut all: BTreeMap<u32, Values> = BTreeMap::new();
    for rule in &profile.rules {
        for (_, name) in &rule.names {
            let direct = machine.number(name).filter(|_| !rule.conditions.is_empty());
            if let Some(number) = direct {
                add_values(rule, all.entry(number).or_default());
            }
            if let Some((number, subcall)) = machine.subcall(name) {
                let values = all.entry(number).or_default();
                add_values(rule, values);
                values[0].extend(around(subcall));
            }
        }
    }
    for values in all.values_mut().flatten() {
        values.extend([0, 1 << 32, u64::MAX]);
        values.sort_unstable();
        values.dedup();
    }
    all
}

fn add_values(rule: &Rule, values: &mut Values) {
    for condition in &rule.conditions {
        values[condition.index].extend(boundaries(condition));
    }
}

fn boundaries(condition: &Condition) -> Vec<u64> {
    let mut values = around(condition.value);
    if condition.is_masked() {
        let (mask, wanted) = (condition.value, condition.value_two);
        values.extend(around(wanted));
        values.extend([wanted & mask, wanted | !mask, wanted ^ mask]);
        let bits = (0..64).filter(|bit| mask >> bit & 1 == 1);
        values.extend(bits.map(|bit| wanted ^ 1 << bit));
    }
    values
}

/// A value, its neighbours, and the same with other high words.
fn around(value: u64) -> Vec<u64> {
    let near = [value.wrapping_sub(1), value, value.wrapping_add(1)];
    let high = [0, 1 << 32, 1 << 63, 0xffff_ffff << 32];
    near.into_iter().flat_map(|value| high.map(|high| value ^ high)).collect()
}

fn add_boundaries(
    arch: u32,
    number: u32,
    values: &Values,
    random: &mut Rng,
    calls: &mut Vec<Call>,
) {
    let combinations = values.iter().map(Vec::len).fold(1, usize::saturating_mul);
    for at in 0..combinations.min(MOST) {
        let mut rest = at;
        let args = std::array::from_fn(|index| {
            let values: &Vec<u64> = &values[index];
            if combinations > MOST {
                return *random.choice(values).unwrap();
            }
            let value = values[rest % values.len()];
            rest /= values.len();
            value
        });
        calls.push(Call { arch, number, args });
    }
}

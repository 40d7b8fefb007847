//! Which rule decides about a call when several could.
//!
//! Profiles are written and tried with libseccomp, which does not take conditional rules in the
//! profile's order but in one of its own. A profile must not mean something else here, so that order
//! is kept: `SEMANTICS.md` has it in words, and how it was found.

use crate::Arch;
use crate::condition::{Condition, LAST_ARGUMENT};
use crate::profile::Rule;
use oci_spec::runtime::LinuxSeccompOperator as Operator;
use std::cmp::Ordering;

/// What decides about one number.
pub(crate) enum Decision<'a> {
    /// One rule, whatever the arguments are.
    Always(&'a Rule),
    /// The first of these whose conditions hold, or else the default.
    First(Vec<Alternative<'a>>),
}

/// Conditions that must hold together for a rule to count, by argument.
pub(crate) struct Alternative<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) conditions: Vec<Condition>,
}

/// Two rules that say different things about the same calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contradiction {
    pub(crate) first: usize,
    pub(crate) second: usize,
}

/// The first rule without conditions decides, wherever it is in the profile; without one, those with
/// conditions do. A rule may be about a multiplexer's call: then with the value of its first argument.
pub(crate) fn decide<'a>(
    arch: Arch,
    rules: impl Iterator<Item = (&'a Rule, Option<u8>)>,
) -> Result<Decision<'a>, Contradiction> {
    let mut alternatives: Vec<Alternative> = Vec::new();
    let mut contradiction = None;
    for (rule, subcall) in rules {
        // Most rules are like that.
        if subcall.is_none() && rule.conditions.is_empty() {
            return Ok(Decision::Always(rule));
        }
        for new in split(arch, rule, subcall) {
            if new.conditions.is_empty() {
                return Ok(Decision::Always(new.rule));
            }
            // What is asked for with fewer conditions comes before.
            match alternatives.iter().find(|old| new.conditions.starts_with(&old.conditions)) {
                None => alternatives.push(new),
                Some(old)
                    if old.conditions == new.conditions && old.rule.action != new.rule.action =>
                {
                    let found = Contradiction { first: old.rule.number, second: new.rule.number };
                    contradiction.get_or_insert(found);
                }
                Some(_) => {}
            }
        }
    }
    alternatives.sort_by(|one, other| precedence(&one.conditions, &other.conditions));
    contradiction.map_or(Ok(Decision::First(alternatives)), Err)
}

/// A rule's conditions hold together, unless two are about one argument: then each counts alone.
pub(crate) fn split<'a>(arch: Arch, rule: &'a Rule, subcall: Option<u8>) -> Vec<Alternative<'a>> {
    let alternative = |conditions: &[Condition]| {
        let mut conditions: Vec<Condition> =
            conditions.iter().filter_map(|one| one.cut(arch)).collect();
        if let Some(subcall) = subcall {
            // Which call it is takes the place of what the rule asks of the first argument.
            conditions.retain(|condition| condition.index != 0);
            conditions.push(Condition::is(0, u64::from(subcall)));
        }
        conditions.sort_by_key(|condition| condition.index);
        Alternative { rule, conditions }
    };
    match names_an_argument_twice(&rule.conditions) {
        true => rule.conditions.chunks(1).map(alternative).collect(),
        false => vec![alternative(&rule.conditions)],
    }
}

fn names_an_argument_twice(conditions: &[Condition]) -> bool {
    let mut seen = [false; LAST_ARGUMENT + 1];
    conditions
        .iter()
        .any(|condition| std::mem::replace(&mut seen[usize::from(condition.index)], true))
}

/// The order in which alternatives are tried: by their first conditions that differ, and the
/// longer one first if none does.
fn precedence(one: &[Condition], other: &[Condition]) -> Ordering {
    let differs = one.iter().zip(other).map(|(one, other)| before(one, other));
    differs.fold(Ordering::Equal, Ordering::then).then(other.len().cmp(&one.len()))
}

/// Later arguments, then tests for equality, upper bounds and lower bounds, then narrower ones.
fn before(one: &Condition, other: &Condition) -> Ordering {
    let class = |condition: &Condition| match condition.operator {
        Operator::ScmpCmpEq | Operator::ScmpCmpNe | Operator::ScmpCmpMaskedEq => 0,
        Operator::ScmpCmpLt | Operator::ScmpCmpLe => 1,
        Operator::ScmpCmpGt | Operator::ScmpCmpGe => 2,
    };
    let value = |condition: &Condition| match condition.operator {
        Operator::ScmpCmpMaskedEq => condition.value_two,
        Operator::ScmpCmpLt | Operator::ScmpCmpLe => !condition.value,
        _ => condition.value,
    };
    other
        .index
        .cmp(&one.index)
        .then(class(one).cmp(&class(other)))
        .then(value(other).cmp(&value(one)))
}

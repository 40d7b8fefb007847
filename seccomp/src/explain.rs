//! Why a filter does what it does to a call: for a person whose program was refused something.
//!
//! It is computed from the profile's normal form, as the program is, but call by call where the
//! program is made of ranges. `tests/properties.rs` holds the two together.

mod words;

use crate::action::Action;
use crate::arch::X32_BIT;
use crate::calls::{Calls, ENOSYS};
use crate::condition::Condition;
use crate::multiplex::Multiplexers;
use crate::order::{self, Alternative, Decision};
use crate::profile::Rule;
use crate::syscalls::Name;
use crate::{Arch, Call, Filter};

/// What happens to a call, and why. Its `Display` says it in a few lines.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The call.
    pub call: Call,
    /// What happens to it.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The rules that name the call too, and do not decide.
    pub passed_over: Vec<PassedOver>,
}

/// Why an action is taken.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A rule applies.
    Rule {
        /// Its place in `linux.seccomp.syscalls`.
        rule: usize,
        /// The conditions that hold; none for a rule that asks for nothing.
        conditions: Vec<Condition>,
        /// The call that the rule names, when it is made through this one: `socket` for `socketcall`.
        made: Option<&'static str>,
    },
    /// No rule applies, so the profile's default action is taken.
    Default,
    /// The number is higher than this one, the highest that the profile names.
    Newer(u32),
    /// The number is 0 on s390, where the kernel makes 0 of numbers that it does not know.
    Unknown,
    /// The number is -1, which is no call: a tracer skips calls that way.
    Skipped,
    /// The profile is not for this architecture.
    OtherArchitecture(Arch),
}

/// A rule that names a call and does not decide about it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PassedOver {
    /// Its place in `linux.seccomp.syscalls`.
    pub rule: usize,
    /// What it would do.
    pub action: Action,
    /// Why it does not.
    pub why: Why,
}

/// Why a rule does not decide.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// These conditions do not hold.
    Fails(Vec<Condition>),
    /// Its action is the default action, and such rules do not count.
    SaysTheDefault,
    /// It applies as well, but another one comes before it.
    Later,
}

impl Filter {
    /// Says what the filter does to a call, and why.
    #[must_use]
    pub fn explain(&self, call: &Call) -> Explanation {
        let arch = call.convention();
        let names = self.names(arch, call);
        let (action, reason) = self.decide(arch, call, &names);
        let decides = match reason {
            Reason::Rule { rule, .. } => Some(rule),
            _ => None,
        };
        let others = names.iter().filter(|named| Some(named.rule.number) != decides);
        let passed_over = match reason {
            Reason::Skipped | Reason::OtherArchitecture(_) => Vec::new(),
            _ => others.map(|named| self.pass_over(arch, call, named)).collect(),
        };
        Explanation { call: *call, action, reason, passed_over }
    }

    fn decide(&self, arch: Arch, call: &Call, names: &[Named]) -> (Action, Reason) {
        let default = self.profile.default;
        let calls = match self.calls_of(arch, call.number) {
            Ok(calls) => calls,
            Err(Reason::Skipped) => return (default, Reason::Skipped),
            Err(reason) => return (Action::BAD_ARCH, reason),
        };
        match calls.decision(&self.profile, call.number).and_then(Result::ok) {
            Some(Decision::Always(rule)) => by_rule(arch, names, rule, &[]),
            Some(Decision::First(alternatives)) => {
                let first = alternatives.iter().find(|one| failing(arch, call, one).is_empty());
                first.map_or((default, Reason::Default), |first| {
                    by_rule(arch, names, first.rule, &first.conditions)
                })
            }
            None => match (call.number, calls.newest) {
                (number, Some(newest)) if number > newest => (ENOSYS, Reason::Newer(newest)),
                (0, _) if calls.zero_is_unknown() => (ENOSYS, Reason::Unknown),
                (u32::MAX, _) => (default, Reason::Skipped),
                _ => (default, Reason::Default),
            },
        }
    }

    /// What the profile says about an architecture, or why it says nothing about this number.
    fn calls_of(&self, arch: Arch, number: u32) -> Result<&Calls, Reason> {
        let of = |arch| self.calls.iter().find(|calls| calls.arch == arch);
        match of(arch) {
            // Of x86_64 and x32, with x86_64 alone in the profile.
            None if number == u32::MAX && arch == Arch::X32 && of(Arch::X86_64).is_some() => {
                Err(Reason::Skipped)
            }
            None => Err(Reason::OtherArchitecture(arch)),
            // Above x32's numbers are x86_64's again, but where nothing says so they count as x32's.
            Some(calls)
                if arch == Arch::X86_64
                    && number > X32_BIT
                    && calls.newest.is_none()
                    && of(Arch::X32).is_none() =>
            {
                Err(Reason::OtherArchitecture(Arch::X32))
            }
            Some(calls) => Ok(calls),
        }
    }

    /// The rules that name a call, in the profile's order.
    fn names(&self, arch: Arch, call: &Call) -> Vec<Named<'_>> {
        let multiplexers = Multiplexers::of(arch);
        let first = arch.cut(call.args[0]);
        let subcall = |name| match arch.number_of(name) {
            Some(number) if number == call.number => Some(None),
            _ => multiplexers
                .making(name)
                .filter(|(number, value)| *number == call.number && u64::from(*value) == first)
                .map(|(_, value)| Some(value)),
        };
        let named = |rule| {
            let of = move |name| subcall(name).map(|subcall| Named { rule, name, subcall });
            move |name: &Name| of(*name)
        };
        let mut all: Vec<Named> = self
            .profile
            .rules
            .iter()
            .flat_map(|rule| rule.names.iter().filter_map(named(rule)))
            .collect();
        all.dedup_by_key(|named| (named.rule.number, named.name.place()));
        all
    }

    fn pass_over(&self, arch: Arch, call: &Call, named: &Named) -> PassedOver {
        let failing = named.alternatives(arch).iter().map(|one| failing(arch, call, one)).collect();
        let why = match named.rule.action {
            action if action == self.profile.default => Why::SaysTheDefault,
            _ => why(failing),
        };
        PassedOver { rule: named.rule.number, action: named.rule.action, why }
    }
}

/// A rule that names a call.
struct Named<'a> {
    rule: &'a Rule,
    name: Name,
    /// When the call is a multiplexer that makes the one that is named.
    subcall: Option<u8>,
}

impl Named<'_> {
    fn alternatives(&self, arch: Arch) -> Vec<Alternative<'_>> {
        order::split(arch, self.rule, self.subcall)
    }
}

fn by_rule(arch: Arch, names: &[Named], rule: &Rule, conditions: &[Condition]) -> (Action, Reason) {
    let is_it = |named: &&Named| {
        let mut alternatives = named.alternatives(arch).into_iter();
        named.rule.number == rule.number && alternatives.any(|one| one.conditions == conditions)
    };
    let named = names.iter().find(is_it).filter(|named| named.subcall.is_some());
    let reason = Reason::Rule {
        rule: rule.number,
        conditions: conditions.to_vec(),
        made: named.map(|named| named.name.as_str()),
    };
    (rule.action, reason)
}

/// The conditions that do not hold.
fn failing(arch: Arch, call: &Call, alternative: &Alternative) -> Vec<Condition> {
    let fails = |condition: &&Condition| !condition.holds(arch, &call.args);
    alternative.conditions.iter().filter(fails).copied().collect()
}

/// Why a rule does not decide of whose alternatives these conditions fail.
fn why(failing: Vec<Vec<Condition>>) -> Why {
    match failing.iter().any(Vec::is_empty) {
        true => Why::Later,
        false => Why::Fails(failing.concat()),
    }
}

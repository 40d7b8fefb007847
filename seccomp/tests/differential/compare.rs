//! Our filter of a profile beside libseccomp's, with what runc puts before that.

use crate::calls;
use crate::doubt;
use crate::profile::Profile;
use crate::reference::Reference;
use crate::support::interpreter::{self, Call, Run};
use crate::support::machines::{Machine, X32_BIT};
use fastrand::Rng;
use serde_json::{Value, json};
use skep_seccomp::{Arch, Instruction};
use std::fmt;
use std::ops::AddAssign;

const ENOSYS: u32 = 0x0005_0026;
/// No action.
const DOUBTFUL: u32 = 0x1234_5678;

/// What came of a profile.
pub enum Outcome {
    Compared(Calls),
    /// By libseccomp, for rules that contradict each other. It sees more of these than we do.
    Refused {
        by_both: bool,
    },
}

/// What came of many calls.
#[derive(Default)]
pub struct Calls {
    pub compared: usize,
    /// Of numbers for which the tables have different names.
    left_out: usize,
    /// Where they differ, and libseccomp has tested the wrong argument.
    pub mistakes: usize,
    ours: Cost,
    theirs: Cost,
}

/// How long a program is, and how many instructions were executed: in all, and at most.
#[derive(Default)]
struct Cost {
    length: usize,
    executed: usize,
    most: usize,
}

impl AddAssign<Run> for Cost {
    fn add_assign(&mut self, run: Run) {
        self.executed += run.steps;
        self.most = self.most.max(run.steps);
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} calls the same ({} left out)", self.compared, self.left_out)?;
        for (who, cost) in [("skep", &self.ours), ("libseccomp", &self.theirs)] {
            let mean = cost.executed as f64 / self.compared as f64;
            let Cost { length, most, .. } = cost;
            write!(f, "; {who} {length} instructions, executed {mean:.1}, at most {most}")?;
        }
        Ok(())
    }
}

/// Compares the values that both return, for all calls that [`calls::of`] finds.
pub fn compare(
    reference: &mut Reference,
    profile: &Value,
    native: &str,
    level: u32,
    random: &mut Rng,
) -> Result<Outcome, String> {
    let json = without_unknown(reference, profile);
    let profile = Profile::new(&json, native);
    let ours = compile(&json, native);
    let Some(theirs) = reference.compile(&profile, level) else {
        return Ok(Outcome::Refused { by_both: ours.is_err() });
    };
    let ours = ours.map_err(|text| format!("only skep refuses it: {text}"))?;
    let marked = doubt::marked(&theirs, DOUBTFUL);
    let tables = Tables::new(reference, &profile);
    let little_endian = profile.machines[0].little_endian;
    let mut calls = Calls::default();
    (calls.ours.length, calls.theirs.length) = (ours.len(), theirs.len());
    for call in calls::of(&profile, random) {
        if tables.differ(&call) {
            calls.left_out += 1;
            continue;
        }
        let ours = interpreter::run(&ours, &call, little_endian);
        let theirs = interpreter::run(&theirs, &call, little_endian);
        let wanted = if tables.stub_answers(&call) { ENOSYS } else { theirs.value };
        if ours.value != wanted {
            if interpreter::run(&marked, &call, little_endian).value == DOUBTFUL {
                calls.mistakes += 1;
                continue;
            }
            return Err(format!("{call:x?}: skep {:#x}, libseccomp {wanted:#x}", ours.value));
        }
        calls.compared += 1;
        calls.ours += ours;
        calls.theirs += theirs;
    }
    Ok(Outcome::Compared(calls))
}

fn compile(profile: &Value, native: &str) -> Result<Vec<Instruction>, String> {
    let oci = serde_json::from_value(profile.clone()).expect("a profile");
    let filter = skep_seccomp::Profile::for_machine(&oci, Arch::of_name(native))
        .and_then(skep_seccomp::Profile::compile)
        .map_err(|problems| problems.to_string())?;
    interpreter::check(filter.instructions())?;
    Ok(filter.instructions().to_vec())
}

/// Profiles may be newer than the libseccomp that there is: what it has never heard of does not count.
fn without_unknown(reference: &mut Reference, profile: &Value) -> Value {
    let mut profile = profile.clone();
    let rules = profile["syscalls"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let known = rules.into_iter().filter_map(|mut rule| {
        let names = rule["names"].as_array_mut()?;
        names.retain(|name| reference.knows(name.as_str().expect("a name")));
        (!names.is_empty()).then_some(rule)
    });
    profile["syscalls"] = json!(known.collect::<Vec<_>>());
    profile
}

/// What libseccomp's table of names makes of a profile, and ours.
struct Tables {
    machines: Vec<Numbers>,
    /// Whether runc puts its stub before the filter: not where the default is ALLOW, LOG or TRACE.
    stub: bool,
}

impl Tables {
    fn new(reference: &mut Reference, profile: &Profile) -> Self {
        let numbers = |machine| Numbers::new(reference, profile, machine);
        let action = profile.default >> 16;
        Self {
            machines: profile.machines.iter().copied().map(numbers).collect(),
            stub: !matches!(action, 0x7fff | 0x7ffc | 0x7ff0),
        }
    }

    /// Those of the call's architecture.
    fn numbers(&self, call: &Call) -> Option<&Numbers> {
        let is = |numbers: &&Numbers| {
            let of_x32 = call.number & X32_BIT != 0;
            numbers.machine.token == call.arch
                && match numbers.machine.name {
                    "SCMP_ARCH_X86_64" => !of_x32,
                    "SCMP_ARCH_X32" => of_x32,
                    _ => true,
                }
        };
        self.machines.iter().find(is)
    }

    fn stub_answers(&self, call: &Call) -> bool {
        self.stub && self.numbers(call).is_some_and(|numbers| numbers.are_before(call.number))
    }

    fn differ(&self, call: &Call) -> bool {
        self.numbers(call).is_some_and(|numbers| {
            numbers.different.contains(&call.number)
                || self.stub && numbers.disagree_about_age(call.number)
        })
    }
}

/// What they make of it on one architecture.
struct Numbers {
    machine: &'static Machine,
    /// The last number that runc sees in the profile, 0 for none. It does not see multiplexed calls.
    last: u32,
    /// The last one that skep sees.
    our_last: u32,
    /// Numbers that only one of the tables has for a name.
    different: Vec<u32>,
}

impl Numbers {
    fn new(reference: &mut Reference, profile: &Profile, machine: &'static Machine) -> Self {
        let mut numbers = Self { machine, last: 0, our_last: 0, different: Vec::new() };
        for (text, name) in profile.names() {
            let ours = machine.number(name);
            let multiplexer = machine.made_by(name);
            numbers.our_last = numbers.our_last.max(ours.max(multiplexer).unwrap_or(0));
            if multiplexer.is_some() {
                continue;
            }
            let theirs = reference.number(machine, text);
            numbers.last = numbers.last.max(theirs.unwrap_or(0));
            if ours != theirs {
                numbers.different.extend(ours.iter().chain(&theirs));
            }
        }
        numbers
    }

    /// Whether the number is newer than the profile.
    fn are_before(&self, number: u32) -> bool {
        let setup = self.machine.name.starts_with("SCMP_ARCH_S390") && number == 0;
        self.last > 0 && (number > self.last || setup)
    }

    fn disagree_about_age(&self, number: u32) -> bool {
        match self.last {
            0 => number > self.our_last,
            _ => number > self.last.min(self.our_last) && number <= self.last.max(self.our_last),
        }
    }
}

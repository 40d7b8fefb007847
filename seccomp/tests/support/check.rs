#![allow(dead_code, reason = "some only want to see that nothing panics")]
//! A profile's filter against what the evaluator says.

use super::aim;
use super::evaluator::Evaluator;
use super::interpreter::{self, Call, MOST};
use super::machines::Machine;
use fastrand::Rng;
use oci_spec::runtime::LinuxSeccomp;
use serde_json::{Value, json};
use skep_seccomp::{Arch, Explanation, Filter, Profile, Reason};

/// What came of a profile that nothing was wrong with, besides that it may not be a profile.
#[derive(Debug)]
pub enum Outcome {
    Unreadable,
    Refused(String),
    Filter(Box<Filter>),
}

/// Compiles a profile, and compares its filter with the evaluator for so many calls.
///
/// # Panics
///
/// When the filter is wrong.
pub fn check(json: &Value, native: &str, calls: usize, random: &mut Rng) -> Outcome {
    let Ok(oci) = serde_json::from_value::<LinuxSeccomp>(json.clone()) else {
        return Outcome::Unreadable;
    };
    let arch = Arch::of_name(native).expect("an architecture");
    let profile = match Profile::for_machine(&oci, Some(arch)) {
        Ok(profile) => profile,
        Err(problems) => return Outcome::Refused(problems.to_string()),
    };
    // As it was read: serde takes arrays for objects too.
    let json = serde_json::to_value(&oci).expect("a profile");
    let evaluator = Evaluator::new(&json, native);
    let again = profile.clone().compile();
    let filter = match profile.compile() {
        Ok(filter) => filter,
        Err(problems) => {
            let text = problems.to_string();
            let too_long = text.contains("instructions or more");
            assert!(too_long || evaluator.is_contradictory(), "{text}");
            return Outcome::Refused(text);
        }
    };
    assert!(!evaluator.is_contradictory(), "a contradiction was not seen");
    let program = filter.instructions();
    assert_eq!(Ok(program), again.as_ref().map(Filter::instructions), "compiled once more");
    if let Err(wrong) = interpreter::check(program) {
        panic!("the kernel would not take it: {wrong}");
    }
    for _ in 0..calls {
        let (machine, call) = aim::call(&evaluator, random);
        let run = interpreter::run(program, &call, evaluator.machines[0].little_endian);
        assert_eq!(Ok(run.value), evaluator.evaluate(&call), "{call:x?} (filter, evaluator)");
        let explained = explain(&filter, machine, &call);
        assert_eq!(run.value, explained.action.code(), "{call:x?} (filter, explanation)");
        check_reason(&explained, &json);
    }
    assert!(program.len() <= MOST);
    Outcome::Filter(Box::new(filter))
}

/// What the crate itself says about a call.
fn explain(filter: &Filter, machine: &Machine, call: &Call) -> Explanation {
    let arch = Arch::of_name(machine.name).expect("an architecture");
    filter.explain(&skep_seccomp::Call { arch, number: call.number, args: call.args })
}

/// What decides must have said so in the profile.
fn check_reason(explained: &Explanation, profile: &Value) {
    let said = match &explained.reason {
        Reason::Rule { rule, .. } => &profile["syscalls"][rule]["action"],
        Reason::Default | Reason::Skipped => &profile["defaultAction"],
        Reason::Newer(_) | Reason::Unknown => &json!("SCMP_ACT_ERRNO(ENOSYS)"),
        _ => &json!("SCMP_ACT_KILL"),
    };
    let action = explained.action.to_string();
    assert!(said.as_str().is_some_and(|said| action.starts_with(said)), "{said}:\n{explained}");
}

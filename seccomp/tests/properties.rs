//! Random profiles, and calls at their boundaries: the filter says what the profile says.

mod support;

use fastrand::Rng;
use oci_spec::runtime::LinuxSeccomp;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use skep_seccomp::{Arch, Profile};
use std::cell::Cell;
use support::check::{Outcome, check};
use support::interpreter::MOST;
use support::profiles::{Case, case, distinct_rule, meeting_rule, rule};

/// Checks profiles with so many calls each; how many can be set by PROPTEST_CASES. At least half of them
/// have to be compiled, or little has been shown.
fn run(times: u32, calls: usize, strategy: impl Strategy<Value = Case>) -> usize {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    config.cases *= times;
    let cases = config.cases;
    let (compiled, longest) = (Cell::new(0), Cell::new(0));
    let checked = TestRunner::new(config).run(&strategy, |case| {
        let mut random = Rng::with_seed(case.seed);
        match check(&case.profile, case.native, calls, &mut random) {
            Outcome::Filter(filter) => {
                compiled.set(compiled.get() + 1);
                longest.set(longest.get().max(filter.instructions().len()));
            }
            Outcome::Refused(_) => {}
            Outcome::Unreadable => panic!("it is no profile"),
        }
        Ok(())
    });
    if let Err(failed) = checked {
        panic!("{failed}");
    }
    assert!(compiled.get() > cases / 2, "{} of {cases} compiled", compiled.get());
    longest.get()
}

#[test]
fn filters_say_what_profiles_say() {
    run(8, 200, case(prop::collection::vec(rule(), 0..6)));
}

#[test]
fn filters_say_what_rules_about_one_call_say() {
    run(8, 200, case(prop::collection::vec(meeting_rule(), 2..6)));
}

#[test]
fn long_filters_say_what_profiles_say() {
    let longest = run(1, 100, case(prop::collection::vec(distinct_rule(), 20..150)));
    assert!(longest > 1000, "the longest had {longest} instructions");
}

/// A profile whose filter grows with `rules`.
fn many_conditions(rules: usize) -> LinuxSeccomp {
    let rule = |value| {
        let args = json!([{"index": 0, "op": "SCMP_CMP_EQ", "value": value}]);
        json!({"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": args})
    };
    let rules: Vec<Value> = (0..rules).map(rule).collect();
    let profile = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules});
    serde_json::from_value(profile).expect("a profile")
}

#[test]
fn a_filter_has_as_many_instructions_as_the_kernel_takes() {
    let compile = |rules| {
        let oci = many_conditions(rules);
        Profile::for_machine(&oci, Some(Arch::X86_64)).expect("a profile").compile()
    };
    let (mut fits, mut too_many) = (0, 5000);
    while too_many - fits > 1 {
        let middle = (fits + too_many) / 2;
        *(if compile(middle).is_ok() { &mut fits } else { &mut too_many }) = middle;
    }
    let longest = compile(fits).expect("a filter").instructions().len();
    assert!((MOST - 5..=MOST).contains(&longest), "{fits} rules make {longest} instructions");
    for rules in [too_many, 5000] {
        let problem = compile(rules).expect_err("too many").to_string();
        assert!(problem.contains("the kernel takes 4096"), "{problem}");
    }
}

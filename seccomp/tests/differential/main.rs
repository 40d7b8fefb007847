//! Our filters beside libseccomp's, for engines' profiles and for thousands of random ones.
//!
//! libseccomp is only here for that: this runs where the environment says where the program of
//! tests/reference is, compiled, and says that it was left out where it does not.

#![allow(unreachable_pub, reason = "nobody else uses a test")]

mod calls;
mod compare;
mod doubt;
mod profile;
mod profiles;
mod random;
mod reference;
#[path = "../support/mod.rs"]
mod support;

use reference::{Reference, VARIABLE};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

type Test = fn(&mut Reference);

const TESTS: &[(&str, Test)] = &[
    ("engines_profiles_mean_what_they_mean_to_libseccomp", profiles::engines),
    ("random_profiles_mean_what_they_mean_to_libseccomp", random::profiles),
];

fn main() -> ExitCode {
    let mut failed = 0;
    let mut ignored = 0;
    let mut passed = 0;
    for (name, test) in TESTS {
        let Some(mut reference) = Reference::start() else {
            println!("test {name} ... ignored, SKIP: {VARIABLE} is not set");
            ignored += 1;
            continue;
        };
        match catch_unwind(AssertUnwindSafe(|| test(&mut reference))) {
            Ok(()) => {
                println!("test {name} ... ok");
                passed += 1;
            }
            Err(_) => {
                println!("test {name} ... FAILED");
                failed += 1;
            }
        }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out\n"
    );
    ExitCode::from(u8::from(failed > 0))
}

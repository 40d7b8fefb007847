//! What fuzzers do for hours, for a second each.

use super::Target;
use super::mutate::Mutator;
use fastrand::Rng;
use std::time::{Duration, Instant};

/// More would take longer than anybody waits for, in a build for tests.
const TIME: Duration = Duration::from_secs(3);
const INPUTS: usize = 20_000;

/// A machine so busy that it does not come so far has shown nothing.
const LEAST: usize = 300;

fn smoke(name: &str) {
    let target: &Target = super::target(name);
    let mutator = Mutator::new(target);
    let seeds = mutator.seeds();
    assert!(seeds.len() > 3, "{name}: no seeds");
    assert!(seeds.iter().any(|seed| (target.run)(seed)), "{name}: no seed is taken");
    let (mut random, begin) = (Rng::with_seed(0), Instant::now());
    let (mut taken, mut refused) = (0, 0);
    while taken + refused < INPUTS && (begin.elapsed() < TIME || taken + refused < LEAST) {
        let input = mutator.change(&seeds[random.usize(..seeds.len())], &mut random);
        match (target.run)(&input) {
            true => taken += 1,
            false => refused += 1,
        }
    }
    // With hardly any of one of them, the changes are too large or too small to find anything. How far it comes
    // depends on the machine, so that a share near the limit would come and go.
    let least = (taken + refused) / 200;
    assert!(taken > least && refused > least, "{name}: {taken} taken, {refused} refused");
}

#[test]
fn plan() {
    smoke("plan");
}

#[test]
fn mount_options() {
    smoke("mount_options");
}

#[test]
fn passwd() {
    smoke("passwd");
}

#[test]
fn state() {
    smoke("state");
}

#[test]
fn dbus() {
    smoke("dbus");
}

#[test]
fn gvariant() {
    smoke("gvariant");
}

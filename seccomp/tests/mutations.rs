//! Real profiles with random changes: whatever they have become, nothing panics, and where a filter
//! comes of it, it says what the profile says. What `fuzz/` does for hours, for seconds.

mod support;

use fastrand::Rng;
use serde_json::Value;
use std::fs;
use std::path::Path;
use support::check::{Outcome, check};
use support::words::words;

/// The profiles of engines that are recorded for the library's tests, each once.
fn seeds() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../libcontainer/tests/samples");
    let mut seeds: Vec<Value> = Vec::new();
    for entry in fs::read_dir(folder).expect("the samples") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a sample");
        let Ok(config) = serde_json::from_str::<Value>(&text) else { continue };
        let profile = &config["linux"]["seccomp"];
        if profile.is_object() && !seeds.contains(profile) {
            seeds.push(profile.clone());
        }
    }
    seeds
}

#[test]
fn changed_profiles_of_engines() {
    let (seeds, words) = (seeds(), words());
    assert!(seeds.len() > 1, "no samples");
    let mut random = Rng::with_seed(0);
    let mut compiled = 0;
    for seed in seeds.iter().cycle().take(3000) {
        let mut profile = seed.clone();
        for _ in 0..random.usize(..6) {
            words.change(&mut profile, &mut random);
        }
        let outcome = check(&profile, "SCMP_ARCH_X86_64", 20, &mut random);
        compiled += usize::from(matches!(outcome, Outcome::Filter(_)));
    }
    assert!(compiled > 500, "{compiled} compiled");
}

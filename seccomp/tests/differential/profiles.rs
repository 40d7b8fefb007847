//! The profiles that engines hand over: the samples of libcontainer.

use crate::compare::{Outcome, compare};
use crate::reference::Reference;
use fastrand::Rng;
use serde_json::{Value, json};

const SAMPLES: [&str; 5] = ["docker", "podman", "buildkit", "buildah", "cri-security-context"];

const NATIVE: &str = "SCMP_ARCH_X86_64";
const ARCHITECTURES: [&[&str]; 3] = [&[], &["SCMP_ARCH_X86"], &["SCMP_ARCH_X86", "SCMP_ARCH_X32"]];

/// libseccomp's lists, and its trees, which runc asks for with profiles of this size.
const LEVELS: [u32; 2] = [1, 2];

pub fn engines(reference: &mut Reference) {
    let mut random = Rng::with_seed(1);
    for name in SAMPLES {
        for architectures in ARCHITECTURES {
            for level in LEVELS {
                let profile = sample(name, architectures);
                let what =
                    format!("{name}, {} architectures, level {level}", 1 + architectures.len());
                match compare(reference, &profile, NATIVE, level, &mut random) {
                    Ok(Outcome::Compared(calls)) => println!("{what}: {calls}"),
                    Ok(Outcome::Refused { .. }) => panic!("{what}: libseccomp refuses it"),
                    Err(difference) => panic!("{what}: {difference}"),
                }
            }
        }
    }
}

fn sample(name: &str, architectures: &[&str]) -> Value {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../libcontainer/tests/samples");
    let path = format!("{samples}/{name}.config.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    let mut profile = config["linux"]["seccomp"].take();
    profile["architectures"] = json!(architectures);
    profile
}

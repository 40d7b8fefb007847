//! What it costs to compile engines' profiles, and what their filters cost, beside libseccomp's:
//! `seccomp/benches/run.sh` runs it with all that it can use.

#![allow(dead_code, unreachable_pub, reason = "some of it is shared with tests")]

mod execute;
mod kernel;
#[path = "../../tests/differential/profile.rs"]
mod profile;
#[path = "../../tests/differential/reference.rs"]
mod reference;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;
mod time;

use oci_spec::runtime::LinuxSeccomp;
use reference::Reference;
use serde_json::{Value, json};
use skep_seccomp::{Arch, Filter, Instruction, Profile};
use std::fs;
use std::path::{Path, PathBuf};

/// Engines, and what they gave to a runtime.
const ENGINES: [(&str, &str); 3] = [
    ("docker", "docker.config.json"),
    ("podman", "podman.config.json"),
    ("cri", "cri-security-context.config.json"),
];

pub(crate) const NATIVE: &str = "SCMP_ARCH_X86_64";

/// An engine's profile, for its three architectures or for the native one alone.
pub(crate) struct Subject {
    pub(crate) engine: &'static str,
    pub(crate) arches: usize,
    pub(crate) json: Value,
}

/// A filter, and who made it.
pub(crate) struct Made {
    pub(crate) by: &'static str,
    pub(crate) program: Vec<Instruction>,
}

impl Subject {
    fn new(engine: &'static str, arches: usize) -> Self {
        let file = ENGINES.iter().find(|known| known.0 == engine).expect("an engine").1;
        let path = here("../../libcontainer/tests/samples").join(file);
        let text = fs::read_to_string(path).expect("a sample");
        let mut config: Value = serde_json::from_str(&text).expect("a config.json");
        let mut json = config["linux"]["seccomp"].take();
        if arches == 1 {
            json["architectures"] = json!([]);
        }
        Self { engine, arches, json }
    }

    fn all() -> Vec<Self> {
        let both = ENGINES.iter().flat_map(|(engine, _)| [(engine, 1), (engine, 3)]);
        both.map(|(engine, arches)| Self::new(engine, arches)).collect()
    }

    pub(crate) fn oci(&self) -> LinuxSeccomp {
        serde_json::from_value(self.json.clone()).expect("a profile")
    }

    pub(crate) fn compile(&self) -> Filter {
        compile(&self.oci())
    }

    /// What libseccomp can compile of it: it is older than some names.
    pub(crate) fn for_libseccomp(&self, reference: &mut Reference) -> profile::Profile {
        let mut profile = profile::Profile::new(&self.json, NATIVE);
        for rule in &mut profile.rules {
            rule.names.retain(|(name, _)| reference.knows(name));
        }
        profile
    }

    /// Our filter, and libseccomp's where it is at hand.
    fn filters(&self, reference: &mut Option<Reference>) -> Vec<Made> {
        let mut all = vec![Made { by: "skep", program: self.compile().instructions().to_vec() }];
        if let Some(reference) = reference {
            let profile = self.for_libseccomp(reference);
            for (by, level) in [("libseccomp", 1), ("libseccomp, tree", 2)] {
                let program = reference.compile(&profile, level).expect("a filter");
                all.push(Made { by, program });
            }
        }
        all
    }
}

/// For x86_64, whose calls the trace has, whatever this machine is.
pub(crate) fn compile(oci: &LinuxSeccomp) -> Filter {
    let profile = Profile::for_machine(oci, Some(Arch::X86_64));
    profile.and_then(Profile::compile).expect("a filter")
}

/// A file of this crate.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(path)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    // cargo adds --bench.
    match args.iter().map(String::as_str).filter(|arg| *arg != "--bench").collect::<Vec<_>>()[1..] {
        ["once", engine, arches, times] => {
            let engine = ENGINES.iter().find(|known| known.0 == engine).expect("an engine").0;
            let number = |text: &str| text.parse().expect("a number");
            time::once(&Subject::new(engine, number(arches)), number(times));
        }
        [] => report(),
        _ => panic!("run it by run.sh"),
    }
}

fn report() {
    let subjects = Subject::all();
    let mut reference = Reference::start();
    time::report(&subjects, &mut reference);
    let filters: Vec<(&Subject, Vec<Made>)> =
        subjects.iter().map(|subject| (subject, subject.filters(&mut reference))).collect();
    execute::report(&filters);
    if cfg!(target_arch = "x86_64") {
        kernel::report(&filters);
    }
}

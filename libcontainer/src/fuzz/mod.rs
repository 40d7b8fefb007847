//! Targets of fuzzers: functions that take any bytes, and panic where the library does not keep a promise.
//!
//! `fuzz/` beside this crate's source has cargo-fuzz drive them for hours; the tests in [`smoke`] give each
//! the same kinds of changed inputs for a second. Only there and with the feature `fuzzing` is any of this
//! compiled. What only its own module can see has its target there, in a module `fuzz`.

mod json;
pub mod mutate;
mod seeds;
#[cfg(test)]
mod smoke;

mod plan;
mod state;

use crate::cgroup::systemd_fuzz as systemd;
use crate::child::passwd_fuzz as passwd;
use crate::plan::mount_options_fuzz as mount_options;

/// Something that reads what others have written.
pub struct Target {
    /// As its file in `fuzz/fuzz_targets` is called.
    pub name: &'static str,
    /// Whether the bytes were taken for what they could be, rather than refused.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What changed inputs are made of, besides pieces of the seeds.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "plan", run: plan::run, seeds: seeds::configs, words: plan::WORDS },
    Target {
        name: "mount_options",
        run: mount_options::run,
        seeds: seeds::mount_options,
        words: mount_options::WORDS,
    },
    Target { name: "passwd", run: passwd::run, seeds: passwd::seeds, words: passwd::WORDS },
    Target { name: "state", run: state::run, seeds: state::seeds, words: state::WORDS },
    Target {
        name: "dbus",
        run: systemd::dbus::run,
        seeds: systemd::dbus::seeds,
        words: systemd::dbus::WORDS,
    },
    Target {
        name: "gvariant",
        run: systemd::gvariant::run,
        seeds: systemd::gvariant::seeds,
        words: systemd::gvariant::WORDS,
    },
];

/// The target of this name.
///
/// # Panics
///
/// When there is none.
pub fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).expect("a target of that name")
}

/// A number that is always the same for the same bytes.
fn hash(bytes: &[u8]) -> u64 {
    // FNV-1a: no later version of the standard library may change it.
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

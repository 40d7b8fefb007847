//! Differences that are meant, each with the reason. One that does not come is an error, as is one that
//! comes and is not here.

use crate::options::Peer;

pub(super) struct Known {
    pub(super) config: &'static str,
    pub(super) peer: Peer,
    pub(super) key: &'static str,
    pub(super) why: &'static str,
}

/// The key of whether there is a container at all.
pub(super) const OUTCOME: &str = "outcome";

const fn runc(config: &'static str, key: &'static str, why: &'static str) -> Known {
    Known { config, peer: Peer::Runc, key, why }
}

const fn crun(config: &'static str, key: &'static str, why: &'static str) -> Known {
    Known { config, peer: Peer::Crun, key, why }
}

const IO_ZERO: &str = "0 is no throttle, as in v1; they write it, and v2 refuses it";

pub(super) const KNOWN: &[Known] = &[
    crun("zeros", OUTCOME, "a limit of 0 is one for it, and its own process does not fit"),
    crun("memory-limit-below-minus-one", OUTCOME, "every negative number is no limit for it"),
    crun("memory-limit-and-swap-zero", "memory.swap.max", "0 is no swap for it; for runc unset"),
    crun(
        "memory-of-v1-as-it-is",
        OUTCOME,
        "it refuses useHierarchy on v2, though v2 always has it",
    ),
    runc("io-rate-zero", OUTCOME, IO_ZERO),
    crun("io-rate-zero", OUTCOME, IO_ZERO),
];

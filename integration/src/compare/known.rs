//! Differences that are meant, each with the reason. One that does not come is an error, as is one that
//! comes and is not here.

use crate::options::Peer;

/// Who makes a container's cgroups, and of which version those with controllers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Setup {
    V1,
    V2,
    /// On v2; what is meant there is meant here.
    Systemd,
}

pub(super) struct Known {
    pub(super) setup: Setup,
    pub(super) config: &'static str,
    pub(super) peer: Peer,
    pub(super) key: &'static str,
    pub(super) why: &'static str,
}

/// The key of whether there is a container at all.
pub(super) const OUTCOME: &str = "outcome";

/// Instead of a config's name.
pub(super) const EVERY: &str = "every";

const fn runc(config: &'static str, key: &'static str, why: &'static str) -> Known {
    Known { setup: Setup::V2, config, peer: Peer::Runc, key, why }
}

const fn crun(config: &'static str, key: &'static str, why: &'static str) -> Known {
    Known { setup: Setup::V2, config, peer: Peer::Crun, key, why }
}

impl Known {
    const fn on_v1(mut self) -> Known {
        self.setup = Setup::V1;
        self
    }

    const fn with_systemd(mut self) -> Known {
        self.setup = Setup::Systemd;
        self
    }

    pub(super) fn is_of(&self, setup: Setup) -> bool {
        self.setup == setup || (self.setup, setup) == (Setup::V2, Setup::Systemd)
    }
}

const ZEROS: &str = "a limit of 0 is one for it, and its own process does not fit";
const IO_ZERO: &str = "0 is no throttle, as in v1; they write it, and v2 refuses it";
const UNIFIED: &str =
    "beside a limit of the processor it leaves it out, without a word; else it refuses";
const SHARES: &str = "the nearest that the kernel has, as in v2; it refuses";

pub(super) const KNOWN: &[Known] = &[
    crun("zeros", OUTCOME, ZEROS),
    crun("memory-limit-below-minus-one", OUTCOME, "every negative number is no limit for it"),
    crun("memory-limit-and-swap-zero", "memory.swap.max", "0 is no swap for it; for runc unset"),
    crun(
        "memory-of-v1-as-it-is",
        OUTCOME,
        "it refuses useHierarchy on v2, though v2 always has it",
    ),
    runc("io-rate-zero", OUTCOME, IO_ZERO),
    crun("io-rate-zero", OUTCOME, IO_ZERO),
    runc("cpu-shares-1", OUTCOME, SHARES).on_v1(),
    runc("cpu-shares-beyond", OUTCOME, SHARES).on_v1(),
    crun("zeros", OUTCOME, ZEROS).on_v1(),
    crun("memory-limit-and-swap-zero", OUTCOME, "0 is memory and swap together for it").on_v1(),
    crun("unified-wins", OUTCOME, UNIFIED).on_v1(),
    crun("kubernetes-burstable", OUTCOME, UNIFIED).on_v1(),
    crun(EVERY, "devices/devices.list", "it lets every container open /dev/console's 5:1").on_v1(),
    runc("cpu-quota-too-small", OUTCOME, "systemd makes it 10 ms, which is not what was asked")
        .with_systemd(),
    crun(
        EVERY,
        "pids.max",
        "systemd's default is the scope's; the container is in a cgroup below it",
    )
    .with_systemd(),
];

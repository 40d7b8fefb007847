//! Intel RDT, and what AMD calls QoS: shares of the caches and of the memory bandwidth, through the
//! kernel's resctrl filesystem
//! ([config-linux.md](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#intelrdt),
//! [resctrl](https://docs.kernel.org/filesystems/resctrl.html)).
//!
//! Its own plan and act. The plan ([`Plan`]) is pure: which group, whose it is, what is written to its
//! `schemata`, whether it is monitored. The act ([`Prepared`]) makes the directories, writes, and
//! compares what is there already; [`Place::enter`] puts a process in before it runs its program, and what that
//! makes is born there. Where the group is, and that it goes with the container, is in the state
//! ([`Place`]) before it is made, so that `delete` finds it after a SIGKILL.

#![forbid(unsafe_code)]

mod group;
mod mounted;
mod plan;
mod schemata;

pub(crate) use group::{Place, Prepared, Unfinished};
pub(crate) use mounted::root;
pub(crate) use plan::Plan;
pub(crate) use schemata::texts;

/// What asks for all of it.
pub(crate) const FIELD: &str = "linux.intelRdt";

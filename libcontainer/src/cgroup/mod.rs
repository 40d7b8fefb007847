//! Which cgroup a container lives in, what is written there, and how it goes away again.
//!
//! Two halves, as everywhere in this crate. [`CgroupPlan`] is pure: from `linux.cgroupsPath`,
//! `linux.resources` and what the host offers ([`Host`]) it computes the directories, the files to
//! write in order, the program that decides on devices, and what systemd is asked for.
//! [`Cgroup::create`] carries it out, and [`Cgroup`] is what there is then: entered, changed
//! ([`Update`]), frozen, killed, removed. What it uses is [`stats`].
//!
//! The order is: make the directories, turn on the controllers that are missing, write the limits;
//! only then does the container's first process come in. Into cgroup v2 it is born
//! (`CLONE_INTO_CGROUP`); the directories of cgroup v1 it enters as the first thing that it does,
//! while it is still our own code, and so is the device filter attached. So nobody ever runs
//! unlimited, and what fails can be taken back with an rmdir for each directory.
//!
//! | | limits | processes, freezer, kill | devices |
//! |---|---|---|---|
//! | [`Layout::Unified`] | v2 | v2 | filter on v2 |
//! | [`Layout::Hybrid`] | v1 | v2 | filter on v2 |
//! | [`Layout::Legacy`] | v1 | v1 | lists of v1 |
//! | [`Layout::Absent`] | | | |
//!
//! Where systemd makes the cgroup ([`Manager::Systemd`]) the rest is the same: its scope is a
//! directory like any other.
//!
//! Cgroups are where every engine and systemd mount them, and statfs tells what is there. (The mount
//! table is read in one case: for cgroup v1 in a container without a cgroup namespace.) Whatever a
//! config asks for and nothing will enforce is named, never dropped.

#![forbid(unsafe_code)]

mod apply;
mod create;
mod device_program;
mod devices;
mod directories;
mod file;
mod handle;
mod host;
mod mounted;
pub(crate) mod owner;
mod path;
mod place;
mod plan;
pub mod stats;
mod systemd;
mod unenforced;
mod update;
mod v1;
mod v2;
mod walk;
mod write;

pub use create::Created;
pub use devices::DeviceFilter;
pub use handle::Cgroup;
pub(crate) use handle::Guarded;
pub use host::{Host, Layout};
pub use mounted::Mounted;
pub use place::Place;
pub use plan::{CgroupPlan, Request};
pub use stats::Stats;
pub(crate) use systemd::ANNOTATIONS as SYSTEMD_ANNOTATIONS;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use systemd::fuzz as systemd_fuzz;
pub use unenforced::{Reason, Unenforced};
pub use update::Update;
pub use write::{IfMissing, Write};

use std::fmt;

/// Who makes and owns the container's cgroup.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Manager {
    /// We do, in the file system.
    #[default]
    Cgroupfs,
    /// systemd does, as a transient scope: the system's for root of the initial user namespace, that of
    /// the user's session for everybody else.
    Systemd,
    /// Nobody: the container stays in the cgroup of whoever starts it.
    None,
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cgroupfs => "cgroupfs",
            Self::Systemd => "systemd",
            Self::None => "none",
        })
    }
}

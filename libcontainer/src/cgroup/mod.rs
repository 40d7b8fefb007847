//! Which cgroup a container lives in, what is written there, and how it goes away again.
//!
//! Two halves, as everywhere in this crate. [`CgroupPlan`] is pure: from `linux.cgroupsPath`,
//! `linux.resources` and what the host offers ([`Host`]) it computes one directory, the files to
//! write in order, and the program that decides on devices. [`Cgroup::create`] carries it out.
//!
//! The order is: make the directory, turn on the controllers that it lacks, write the limits, attach
//! the device filter; only then is the container's first process born into it (`CLONE_INTO_CGROUP`).
//! So nobody ever runs unlimited, nobody has to be moved (a write to `cgroup.procs` waits for every
//! processor), and what fails can be taken back with one rmdir.
//!
//! No mount table is read: cgroups are where every engine and systemd expect them, and statfs tells
//! what is there. Whatever a config asks for and nothing will enforce is named, never dropped.

#![forbid(unsafe_code)]

mod apply;
mod create;
mod device_program;
mod devices;
mod directories;
mod file;
mod handle;
mod host;
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
pub use host::{Host, Layout};
pub use place::Place;
pub use plan::{CgroupPlan, Request};
pub use stats::Stats;
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
    /// systemd does, as a transient scope.
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

//! What a container uses: the counters of its cgroup, read when asked for.
//!
//! | part | cgroup v2 | v1 |
//! |---|---|---|
//! | [`Cpu`] | `cpu.stat` | `cpuacct.*`, `cpu.stat` |
//! | [`Memory`] | `memory.*` | `memory.*` |
//! | [`Pids`] | `pids.*`, else `cgroup.procs` | `pids.*` |
//! | [`Io`] | `io.stat` | `blkio.*` |
//! | [`HugePages`] | `hugetlb.SIZE.*` | `hugetlb.SIZE.*` |
//! | [`Rdma`] | `rdma.*` | `rdma.*` |
//! | [`CpuSet`] | | `cpuset.*` |
//! | [`Pressure`] | `*.pressure` | |
//!
//! Parsing is pure, from text to numbers. It passes over what it does not know: kernels add keys. A
//! file that is missing, and a controller that is off, is a part that is `None` or zero, no error.
//! What an engine is shown of it, in which schema, is for its caller to say.

mod cpu;
mod cpuset;
mod files;
mod hugetlb;
mod io;
mod memory;
mod parse;
mod pids;
mod pressure;
mod rdma;
pub mod v1;
pub mod v2;

pub use cpu::{Cpu, Throttling};
pub use cpuset::CpuSet;
pub use hugetlb::HugePages;
pub use io::{Io, IoEntry};
pub use memory::{Memory, MemoryEvents};
pub use pids::Pids;
pub use pressure::{Pressure, Stall, Stalls};
pub use rdma::{Rdma, RdmaCounts};

use super::Cgroup;
use crate::error::Result;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// What a cgroup and everything below it have used since it was made, and what they use now.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Processor time. cgroup v2 counts it with or without the controller.
    pub cpu: Cpu,
    /// The set of processors and memory nodes: v1 only, `None` on v2.
    pub cpuset: Option<CpuSet>,
    /// Memory; `None` without the controller.
    pub memory: Option<Memory>,
    /// Tasks; `None` where nothing counts them (v1 without the controller).
    pub pids: Option<Pids>,
    /// Block devices; `None` without the controller.
    pub io: Option<Io>,
    /// Huge pages by their size as the kernel names it, e.g. `2MB`; empty without the controller.
    pub hugetlb: BTreeMap<String, HugePages>,
    /// RDMA by the device's name, e.g. `mlx5_0`; empty without the controller.
    pub rdma: BTreeMap<String, Rdma>,
    /// How long was waited for each resource: v2 only.
    pub pressure: Pressure,
}

/// One amount that the kernel counts and may limit, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counter {
    /// Used now.
    pub usage: u64,
    /// The limit; `None` is no limit on v2 (`max`). On v1 no limit is a number near 2^63.
    pub limit: Option<u64>,
    /// The most that was ever used; `None` where the kernel does not keep it.
    pub peak: Option<u64>,
    /// How often the limit was hit. v1 only: on v2 it is 0, and [`MemoryEvents::max`] is the like.
    pub failures: u64,
}

/// The statistics of a cgroup v2 directory, if there is one, and of v1 directories by the hierarchy's
/// name. A controller is in one of the two; what v1 has counts.
///
/// # Errors
///
/// [`ErrorKind::NotRunning`](crate::ErrorKind::NotRunning) when the v2 directory is gone; when a file
/// that is there cannot be read.
pub fn read(unified: Option<BorrowedFd<'_>>, v1: &BTreeMap<String, PathBuf>) -> Result<Stats> {
    let mut stats = match unified {
        Some(dir) => v2::read(dir)?,
        None => Stats::default(),
    };
    v1::add(&mut stats, v1)?;
    Ok(stats)
}

impl Cgroup {
    /// What its processes, and those below, use and have used.
    ///
    /// # Errors
    ///
    /// As [`read`].
    pub fn stats(&self) -> Result<Stats> {
        read(self.unified(), &self.place().v1)
    }
}

//! The set of processors and memory nodes of cgroup v1.

use super::files::Files;
use super::parse::ranges;
use crate::error::Result;

/// `cpuset.*` of cgroup v1: settings rather than counters, but that is where readers look for them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CpuSet {
    /// The processors (`cpuset.cpus`).
    pub cpus: Vec<u16>,
    /// The memory nodes (`cpuset.mems`).
    pub mems: Vec<u16>,
    /// Whether no sibling may have these processors (`cpuset.cpu_exclusive`).
    pub cpu_exclusive: bool,
    /// Whether no sibling may have these nodes (`cpuset.mem_exclusive`).
    pub mem_exclusive: bool,
    /// Whether the kernel's own allocations stay on these nodes (`cpuset.mem_hardwall`).
    pub mem_hardwall: bool,
    /// Whether memory moves when the nodes change (`cpuset.memory_migrate`).
    pub memory_migrate: bool,
    /// Whether the page cache is spread over the nodes (`cpuset.memory_spread_page`).
    pub memory_spread_page: bool,
    /// Whether slabs are spread over the nodes (`cpuset.memory_spread_slab`).
    pub memory_spread_slab: bool,
    /// How often memory had to be reclaimed, in thousandths per second (`cpuset.memory_pressure`).
    pub memory_pressure: u64,
    /// Whether load is balanced over the processors (`cpuset.sched_load_balance`).
    pub sched_load_balance: bool,
    /// How far a waking task's processor is searched for, -1 to 5 (`cpuset.sched_relax_domain_level`).
    pub sched_relax_domain_level: i64,
}

impl CpuSet {
    pub(super) fn read(files: &Files<'_>) -> Result<Self> {
        let set = |name: &str| files.parsed(&format!("cpuset.{name}"), |text| text.trim() == "1");
        Ok(Self {
            cpus: files.parsed("cpuset.cpus", ranges)?,
            mems: files.parsed("cpuset.mems", ranges)?,
            cpu_exclusive: set("cpu_exclusive")?,
            mem_exclusive: set("mem_exclusive")?,
            mem_hardwall: set("mem_hardwall")?,
            memory_migrate: set("memory_migrate")?,
            memory_spread_page: set("memory_spread_page")?,
            memory_spread_slab: set("memory_spread_slab")?,
            memory_pressure: files.number("cpuset.memory_pressure")?.unwrap_or_default(),
            sched_load_balance: set("sched_load_balance")?,
            sched_relax_domain_level: files.parsed("cpuset.sched_relax_domain_level", |text| {
                text.trim().parse().unwrap_or_default()
            })?,
        })
    }
}

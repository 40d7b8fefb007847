//! The statistics of cgroup v1 directories, one for each controller.

use super::cpu::{Throttling, per_cpu};
use super::files::Files;
use super::io::Io;
use super::memory::Memory;
use super::pids::Pids;
use super::{Cpu, CpuSet, Stats, hugetlb, rdma};
use crate::cgroup::walk::{gone, open_directory};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

/// The statistics of the cgroups at `dirs`, absolute paths on the host by the name of the controller
/// (`cpu`, `cpuacct`, `memory` ...). Controllers in one hierarchy have the same directory.
///
/// # Errors
///
/// When a directory or a file that is there cannot be read.
pub fn read(dirs: &BTreeMap<String, PathBuf>) -> Result<Stats> {
    let mut stats = Stats::default();
    add(&mut stats, dirs)?;
    Ok(stats)
}

/// Puts what the controllers of `dirs` count in the place of what is there.
pub(super) fn add(stats: &mut Stats, dirs: &BTreeMap<String, PathBuf>) -> Result<()> {
    for (controller, path) in dirs {
        let dir = match open_directory(path) {
            Ok(dir) => dir,
            Err(error) if gone(error) => continue,
            Err(error) => {
                return Err(Error::system(format!("open cgroup {}", path.display()), error));
            }
        };
        let files = Files(dir.as_fd());
        match controller.as_str() {
            "cpu" => stats.cpu.throttling = files.parsed("cpu.stat", Throttling::parse)?,
            "cpuacct" => {
                let throttling = stats.cpu.throttling;
                stats.cpu = Cpu { throttling, ..cpuacct(&files)? };
            }
            "cpuset" => stats.cpuset = Some(CpuSet::read(&files)?),
            "memory" => stats.memory = Memory::read_v1(&files)?,
            "pids" => stats.pids = Pids::read(&files)?,
            "blkio" => stats.io = Some(Io::read_v1(&files)?),
            "hugetlb" => stats.hugetlb = hugetlb::read_v1(&files)?,
            "rdma" => stats.rdma = rdma::read(&files)?,
            _ => {}
        }
    }
    Ok(())
}

fn cpuacct(files: &Files<'_>) -> Result<Cpu> {
    let mut cpu = Cpu {
        usage: Duration::from_nanos(files.number("cpuacct.usage")?.unwrap_or_default()),
        per_cpu_usage: files.parsed("cpuacct.usage_percpu", per_cpu)?,
        ..Cpu::default()
    };
    cpu.add_stat(&files.text("cpuacct.stat")?.unwrap_or_default());
    cpu.add_usage_all(&files.text("cpuacct.usage_all")?.unwrap_or_default());
    Ok(cpu)
}

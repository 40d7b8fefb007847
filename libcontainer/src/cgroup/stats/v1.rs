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

/// The statistics of the cgroups at `dirs`, absolute paths on the host by the name of the hierarchy:
/// its controllers, joined by commas (`memory`, `cpu,cpuacct`; [`Place::v1`](crate::cgroup::Place)).
///
/// # Errors
///
/// When a directory or a file that is there cannot be read.
pub fn read(dirs: &BTreeMap<String, PathBuf>) -> Result<Stats> {
    let mut stats = Stats::default();
    add(&mut stats, dirs)?;
    Ok(stats)
}

/// Puts what the hierarchies of `dirs` count in the place of what is there.
pub(super) fn add(stats: &mut Stats, dirs: &BTreeMap<String, PathBuf>) -> Result<()> {
    for (hierarchy, path) in dirs {
        let dir = match open_directory(path) {
            Ok(dir) => dir,
            Err(error) if gone(error) => continue,
            Err(error) => {
                return Err(Error::system(format!("open cgroup {}", path.display()), error));
            }
        };
        for controller in hierarchy.split(',') {
            add_controller(stats, controller, &Files(dir.as_fd()))?;
        }
    }
    Ok(())
}

fn add_controller(stats: &mut Stats, controller: &str, files: &Files<'_>) -> Result<()> {
    match controller {
        "cpu" => stats.cpu.throttling = files.parsed("cpu.stat", Throttling::parse)?,
        "cpuacct" => {
            let throttling = stats.cpu.throttling;
            stats.cpu = Cpu { throttling, ..cpuacct(files)? };
        }
        "cpuset" => stats.cpuset = Some(CpuSet::read(files)?),
        "memory" => stats.memory = Memory::read_v1(files)?,
        "pids" => stats.pids = Pids::read(files)?,
        "blkio" => stats.io = Some(Io::read_v1(files)?),
        "hugetlb" => stats.hugetlb = hugetlb::read_v1(files)?,
        "rdma" => stats.rdma = rdma::read(files)?,
        _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The roots of this host's hierarchies: nothing is made, and everything has been used.
    #[test]
    fn this_kernels_files_are_read() {
        let names = ["cpu", "cpuacct", "cpu,cpuacct", "cpuset", "memory", "blkio"];
        let dirs: BTreeMap<_, _> = names
            .map(|name| (name.to_owned(), Path::new("/sys/fs/cgroup").join(name)))
            .into_iter()
            .filter(|(_, path)| path.join("tasks").exists())
            .collect();
        let has = |name: &str| dirs.keys().any(|dir| dir.split(',').any(|one| one == name));
        if dirs.is_empty() {
            println!("SKIP this_kernels_files_are_read: no cgroup v1");
        }
        let stats = read(&dirs).unwrap();
        if has("cpuacct") {
            let Cpu { usage, user, per_cpu_usage, per_cpu_system, .. } = &stats.cpu;
            assert!(*user > Duration::ZERO && user < usage, "{:?}", stats.cpu);
            assert!(per_cpu_usage.len() == per_cpu_system.len(), "{:?}", stats.cpu);
            let sum: Duration = per_cpu_usage.iter().sum();
            assert!(sum.abs_diff(*usage) < Duration::from_secs(10), "{:?}", stats.cpu);
        }
        if has("cpuset") {
            let set = stats.cpuset.unwrap();
            assert!(set.cpus.contains(&0) && set.mems.contains(&0), "{set:?}");
        }
        if has("memory") {
            let memory = stats.memory.unwrap();
            assert!(memory.usage.usage > 0 && memory.stat.contains_key("total_rss"), "{memory:?}");
        }
        assert_eq!(stats.io.is_some(), has("blkio"));
    }
}

//! The statistics of a cgroup v2 directory.

use super::files::Files;
use super::io::Io;
use super::memory::Memory;
use super::pids::Pids;
use super::pressure::Pressure;
use super::{Cpu, Stats, hugetlb, rdma};
use crate::error::{Error, ErrorKind, Result};
use std::os::fd::BorrowedFd;

/// The statistics of the cgroup that `dir` is.
///
/// # Errors
///
/// [`ErrorKind::NotRunning`] when it is gone; when a file that is there cannot be read.
pub fn read(dir: BorrowedFd<'_>) -> Result<Stats> {
    let files = Files(dir);
    let mut stats = Stats {
        memory: Memory::read_v2(&files)?,
        pids: Some(pids(&files)?),
        io: files.text("io.stat")?.map(|text| Io::parse(&text)),
        hugetlb: hugetlb::read_v2(&files)?,
        rdma: rdma::read(&files)?,
        pressure: Pressure::read(&files)?,
        ..Stats::default()
    };
    // Every cgroup has this file. Read last, it says that the others were not missed because the
    // cgroup was being removed.
    let gone = || Error::new(ErrorKind::NotRunning, "the cgroup is gone");
    stats.cpu = Cpu::parse(&files.text("cpu.stat")?.ok_or_else(gone)?);
    Ok(stats)
}

fn pids(files: &Files<'_>) -> Result<Pids> {
    match Pids::read(files)? {
        Some(pids) => Ok(pids),
        None => Pids::count(files),
    }
}

//! Writing limits into the directories of a container.
//!
//! The kernel checks each value against the others of the same controller: memory against memory and
//! swap, quota against period, burst against quota. Which order passes depends on what is there: to
//! lower both limits of memory takes one, to raise them the other. Every such refusal is EINVAL. So
//! what was refused with it is written again after the rest, as long as that helps.

use super::super::file::{read_file, write_file};
use super::super::write::Write;
use super::block_io::BFQ;
use super::tree::{Directory, Tree};
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;

impl Tree {
    /// Writes limits.
    ///
    /// # Errors
    ///
    /// The first value that the kernel refuses; those before it have been written.
    pub(in super::super) fn write(&self, writes: &[Write]) -> Result<()> {
        let mut left: Vec<&Write> = writes.iter().collect();
        while !left.is_empty() {
            let mut refused = Vec::new();
            for write in &left {
                let directory = self.with(write.controller()).ok_or_else(|| homeless(write))?;
                match directory.write(write) {
                    Ok(()) => {}
                    Err(Errno::EINVAL) => refused.push((*write, directory)),
                    Err(error) => return Err(directory.explain(write, error)),
                }
            }
            if let Some((write, directory)) =
                refused.first().filter(|_| refused.len() == left.len())
            {
                return Err(directory.explain(write, Errno::EINVAL));
            }
            left = refused.into_iter().map(|(write, _)| write).collect();
        }
        Ok(())
    }
}

fn homeless(write: &Write) -> Error {
    let text = format!(
        "the container is in no hierarchy of cgroup v1 with the controller {}",
        write.controller()
    );
    Error::new(ErrorKind::Setup, text).field(&write.field)
}

impl Directory {
    fn write(&self, write: &Write) -> nix::Result<()> {
        let mut answer = write_file(self.dir(), &write.file, &write.value);
        if answer == Err(Errno::ENOENT)
            && let Some((_, bfq)) = BFQ.iter().find(|(plain, _)| *plain == write.file)
        {
            answer = write_file(self.dir(), bfq, &write.value);
        }
        match answer {
            Err(Errno::ENOENT) if write.missing_is_fine => Ok(()),
            answer => answer,
        }
    }

    fn explain(&self, write: &Write, error: Errno) -> Error {
        let file = self.path.join(&write.file);
        let hint = self.hint(write, error).unwrap_or_default();
        let text = format!("write {:?} to {}{hint}", write.value, file.display());
        Error::new(ErrorKind::Setup, text).field(&write.field).because(error)
    }

    /// What the kernel's answer means.
    fn hint(&self, write: &Write, error: Errno) -> Option<String> {
        let read = |file| read_file(self.dir(), file).map(|text| text.trim().to_owned()).ok();
        Some(match (write.file.as_str(), error) {
            (file, Errno::ENOENT) => format!(" (this kernel has no {file})"),
            ("memory.limit_in_bytes", Errno::EBUSY) => {
                format!(" ({} bytes are in use)", read("memory.usage_in_bytes")?)
            }
            ("memory.memsw.limit_in_bytes", Errno::EBUSY) => {
                format!(" ({} bytes are in use)", read("memory.memsw.usage_in_bytes")?)
            }
            ("memory.limit_in_bytes", Errno::EINVAL) => {
                let both = read("memory.memsw.limit_in_bytes")?;
                format!(" (memory and swap together are limited to {both}; raise that as well)")
            }
            ("memory.memsw.limit_in_bytes", Errno::EINVAL) => {
                let memory = read("memory.limit_in_bytes")?;
                format!(" (it includes memory, which is limited to {memory})")
            }
            ("cpu.rt_runtime_us", Errno::EINVAL) => {
                " (the cgroups above have less time for realtime)".into()
            }
            ("cpu.cfs_quota_us" | "cpu.cfs_period_us", Errno::EINVAL) => {
                " (less than a millisecond, or more than the cgroups above have)".into()
            }
            ("cpuset.cpus" | "cpuset.mems", Errno::EACCES | Errno::EINVAL | Errno::ERANGE) => {
                format!(" (of those that the cgroup above has: {})", self.above(&write.file)?)
            }
            ("net_prio.ifpriomap", Errno::EINVAL | Errno::ENODEV) => {
                " (no such network interface here)".into()
            }
            _ => return None,
        })
    }

    fn above(&self, file: &str) -> Option<String> {
        let text = crate::procfs::read(self.path.parent()?.join(file)).ok()?;
        Some(text.trim().to_owned())
    }
}

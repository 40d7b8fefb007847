//! What the kernel's answers to writes mean on cgroup v1, where a value is checked against others.

use super::super::apply::Target;
use super::super::file::read_file;
use super::super::write::Write;
use nix::errno::Errno;

/// `None` where there is nothing to add.
pub(in super::super) fn of(write: &Write, target: Target<'_>, error: Errno) -> Option<String> {
    let read = |file| read_file(target.dir, file).map(|text| text.trim().to_owned()).ok();
    Some(match (write.file.as_str(), error) {
        (file, Errno::ENOENT) => format!("this kernel has no {file}"),
        ("memory.limit_in_bytes", Errno::EBUSY) => {
            format!("{} bytes are in use", read("memory.usage_in_bytes")?)
        }
        ("memory.memsw.limit_in_bytes", Errno::EBUSY) => {
            format!("{} bytes are in use", read("memory.memsw.usage_in_bytes")?)
        }
        ("memory.limit_in_bytes", Errno::EINVAL) => {
            let both = read("memory.memsw.limit_in_bytes")?;
            format!("memory and swap together are limited to {both}; raise that as well")
        }
        ("memory.memsw.limit_in_bytes", Errno::EINVAL) => {
            let memory = read("memory.limit_in_bytes")?;
            format!("it includes memory, which is limited to {memory}")
        }
        ("cpu.rt_runtime_us", Errno::EINVAL) => {
            "the cgroups above have less time for realtime".into()
        }
        ("cpu.cfs_quota_us" | "cpu.cfs_period_us", Errno::EINVAL) => {
            "less than a millisecond, or more than the cgroups above have".into()
        }
        ("cpuset.cpus" | "cpuset.mems", Errno::EACCES | Errno::EINVAL | Errno::ERANGE) => {
            let above = crate::procfs::read(target.path.parent()?.join(&write.file)).ok()?;
            format!("of those that the cgroup above has: {}", above.trim())
        }
        ("net_prio.ifpriomap", Errno::EINVAL | Errno::ENODEV) => {
            "no such network interface here".into()
        }
        _ => return None,
    })
}

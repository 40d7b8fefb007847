//! How a process runs: processors, scheduling, input and output, memory nodes, personality.

use super::{Result, check};
use std::ffi::c_ulong;

/// `struct sched_attr` with the fields of Linux 5.3, without which flags for them are refused.
///
/// <https://man7.org/linux/man-pages/man2/sched_setattr.2.html>
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub(crate) struct SchedulerAttr {
    /// Of itself, set when it is used.
    pub(crate) size: u32,
    pub(crate) policy: u32,
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
    pub(crate) least_utilization: u32,
    pub(crate) most_utilization: u32,
}

impl SchedulerAttr {
    fn sized(self) -> Self {
        Self { size: size_of::<Self>() as u32, ..self }
    }

    /// As they are in memory.
    pub(crate) fn bytes(self) -> impl Iterator<Item = u8> {
        let it = self.sized();
        let words = |words: [u32; 2]| words.into_iter().flat_map(u32::to_ne_bytes);
        words([it.size, it.policy])
            .chain(it.flags.to_ne_bytes())
            .chain(words([it.nice as u32, it.priority]))
            .chain([it.runtime, it.deadline, it.period].into_iter().flat_map(u64::to_ne_bytes))
            .chain(words([it.least_utilization, it.most_utilization]))
    }
}

/// Sets the scheduling of a process; 0 is this one.
///
/// <https://man7.org/linux/man-pages/man2/sched_setattr.2.html>
pub(crate) fn set_scheduler(pid: i32, attr: &SchedulerAttr) -> Result<()> {
    let attr = attr.sized();
    // SAFETY: `attr` is valid for the size that it names.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, pid, &raw const attr, 0) }).map(drop)
}

/// Sets the priority of a process's input and output; 0 is this one.
///
/// <https://man7.org/linux/man-pages/man2/ioprio_set.2.html>
pub(crate) fn set_io_priority(pid: i32, class: u32, level: u32) -> Result<()> {
    const WHO_PROCESS: i32 = 1;
    const CLASS_SHIFT: u32 = 13;
    let priority = class << CLASS_SHIFT | level;
    // SAFETY: takes no pointer.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, pid, priority) }).map(drop)
}

/// Has this process run on the processors whose bits are set, as far as its cpuset allows them.
///
/// <https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html>
pub(crate) fn set_processors(mask: &[c_ulong]) -> Result<()> {
    // SAFETY: `mask` is valid for the size given; pid 0 is this process.
    let set =
        unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(mask), mask.as_ptr()) };
    check(set).map(drop)
}

/// Has this process run on all processors that its cpuset allows. The kernel takes as much of the
/// mask as it can have processors, and that is no more than 8192 (CONFIG_NR_CPUS).
pub(crate) fn set_all_processors() -> Result<()> {
    const MOST: usize = 8192;
    static ALL: [c_ulong; MOST / c_ulong::BITS as usize] =
        [c_ulong::MAX; MOST / c_ulong::BITS as usize];
    set_processors(&ALL)
}

/// Sets the NUMA memory policy of this process: a mode with its flags, and a mask of nodes.
///
/// <https://man7.org/linux/man-pages/man2/set_mempolicy.2.html>
pub(crate) fn set_memory_policy(mode: u32, nodes: &[c_ulong]) -> Result<()> {
    // The kernel takes one off (get_nodes in mm/mempolicy.c), and no nodes are no mask.
    let (mask, bits) = match nodes.len() {
        0 => (std::ptr::null(), 0),
        words => (nodes.as_ptr(), words * c_ulong::BITS as usize + 1),
    };
    // SAFETY: `mask` is null, or valid for as many bits as are named, less one.
    let set = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) };
    check(set).map(drop)
}

/// <https://man7.org/linux/man-pages/man2/personality.2.html>
pub(crate) fn set_personality(persona: u32) -> Result<()> {
    // SAFETY: takes no pointer.
    check(unsafe { libc::syscall(libc::SYS_personality, libc::c_ulong::from(persona)) }).map(drop)
}

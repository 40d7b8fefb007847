//! Making processes: clone3(2), and moving between namespaces: setns(2), unshare(2).

use super::{Result, check, done};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

// libc has these two as an int, which is too narrow for them.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// A process that [`clone3`] made.
pub(crate) struct Cloned {
    pub(crate) pid: libc::pid_t,
    /// Asked for with CLONE_PIDFD, which [`clone3`] always sets for a child of its own.
    pub(crate) pidfd: OwnedFd,
}

/// Forks into new namespaces (`CLONE_NEW*` in `flags`) and, if given, into a cgroup (v2 directory).
///
/// `Ok(None)` is the child. It runs on a copy of the caller's memory, as after fork(2), and in a
/// program with threads may use nothing but the wrappers of [`sys`](super).
///
/// <https://man7.org/linux/man-pages/man2/clone3.2.html>
pub(crate) fn clone3(flags: u64, cgroup: Option<RawFd>) -> Result<Option<Cloned>> {
    let mut pidfd: RawFd = -1;
    let mut args = arguments(flags | libc::CLONE_PIDFD as u64, cgroup);
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    match call(&args)? {
        0 => Ok(None),
        // SAFETY: the kernel has just opened this descriptor for us.
        pid => Ok(Some(Cloned { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })),
    }
}

/// The same, but the new process is a sibling: a child of the caller's parent (CLONE_PARENT).
/// `Ok(0)` is the child.
pub(crate) fn clone_sibling(flags: u64) -> Result<libc::pid_t> {
    call(&arguments(flags | libc::CLONE_PARENT as u64, None))
}

fn arguments(flags: u64, cgroup: Option<RawFd>) -> libc::clone_args {
    // SAFETY: clone_args is plain numbers; all of them zero is "nothing asked for".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | CLONE_CLEAR_SIGHAND;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup as u64;
    }
    args
}

fn call(args: &libc::clone_args) -> Result<libc::pid_t> {
    // SAFETY: without CLONE_VM the child has memory of its own, as after fork(2); `args` is valid
    // for the size given.
    let pid =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const *args, size_of::<libc::clone_args>()) };
    check(pid).map(|pid| pid as libc::pid_t)
}

/// <https://man7.org/linux/man-pages/man2/setns.2.html>
pub(crate) fn setns(fd: RawFd, flags: u64) -> Result<()> {
    // SAFETY: takes no pointer.
    done(unsafe { libc::setns(fd, flags as i32) })
}

/// <https://man7.org/linux/man-pages/man2/unshare.2.html>
pub(crate) fn unshare(flags: u64) -> Result<()> {
    // SAFETY: takes no pointer. The callers are processes of one thread that share no memory.
    done(unsafe { libc::unshare(flags as i32) })
}

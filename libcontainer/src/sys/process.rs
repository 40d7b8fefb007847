//! What a process may use, what it executes, how it ends, and pidfds.

use super::strings::CStringArray;
use super::{Errno, Result, check, done, last, retry};
use std::ffi::CStr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Replaces this process; returns only when it fails.
///
/// <https://man7.org/linux/man-pages/man2/execve.2.html>
pub(crate) fn execve(path: &CStr, argv: &CStringArray, envp: &CStringArray) -> Errno {
    // SAFETY: `path` is a valid C string; both arrays are NULL-terminated arrays of C strings.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    last()
}

/// Executes the [trampoline](super::trampoline) that `fd` is, which executes `path`; returns only
/// when the former fails.
pub(crate) fn execve_through(
    fd: RawFd,
    path: &CStr,
    argv: &CStringArray,
    envp: &CStringArray,
) -> Errno {
    let argv = argv.as_ptr_behind(path);
    // SAFETY: the path is a valid C string; both arrays are NULL-terminated arrays of C strings.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            fd,
            c"".as_ptr(),
            argv,
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    last()
}

/// Owns a descriptor that one of these wrappers has just opened.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the callers pass what open(2) and its like have just returned, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Ends this process at once: no destructors, no `atexit`.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: takes no pointer and does not return.
    unsafe { libc::_exit(code) }
}

/// Sets both limits of a resource of this process.
///
/// <https://man7.org/linux/man-pages/man2/prlimit.2.html>
pub(crate) fn setrlimit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: `limit` is valid; pid 0 is this process.
    done(unsafe { libc::prlimit(0, resource as _, &raw const limit, std::ptr::null_mut()) })
}

/// The hard limit of a resource of this process.
pub(crate) fn hard_limit(resource: u32) -> Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    done(unsafe { libc::prlimit(0, resource as _, std::ptr::null(), &raw mut limit) })?;
    Ok(limit.rlim_max)
}

/// <https://man7.org/linux/man-pages/man2/pidfd_open.2.html>
pub(crate) fn pidfd_open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: takes no pointer.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// <https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html>
pub(crate) fn pidfd_send_signal(pidfd: RawFd, signal: i32) -> Result<()> {
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo means "as kill(2)".
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, info, 0) }).map(drop)
}

/// How a child ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    Exited(i32),
    Killed(i32),
}

/// Waits for the child that `pidfd` is, and reaps it. `block` of false: `None` when it still runs.
pub(crate) fn wait(pidfd: RawFd, block: bool) -> Result<Option<Ended>> {
    let ended = waitid(libc::P_PIDFD, pidfd as u32, if block { 0 } else { libc::WNOHANG })?;
    Ok(ended.map(|(_, ended)| ended))
}

/// Waits for its end, and leaves it to be reaped: until then its number is nobody else's.
pub(crate) fn await_end(pidfd: RawFd) -> Result<()> {
    waitid(libc::P_PIDFD, pidfd as u32, libc::WNOWAIT).map(drop)
}

/// How a child in this process group has ended that is still to be reaped, if its leader runs.
pub(crate) fn ended_in_group(group: i32) -> Option<Ended> {
    let ended = waitid(libc::P_PGID, group as u32, libc::WNOHANG | libc::WNOWAIT).ok().flatten();
    ended.filter(|(pid, _)| *pid != group).map(|(_, ended)| ended)
}

/// Waits for all children in this process group, and reaps them.
pub(crate) fn wait_for_group(group: i32) {
    while waitid(libc::P_PGID, group as u32, 0).is_ok() {}
}

/// Kills a process group; it is no error if there is none.
///
/// <https://man7.org/linux/man-pages/man2/kill.2.html>
pub(crate) fn kill_group(group: i32) {
    // SAFETY: takes no pointer.
    let _ = unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// <https://man7.org/linux/man-pages/man2/waitid.2.html>
fn waitid(kind: libc::idtype_t, id: u32, options: i32) -> Result<Option<(i32, Ended)>> {
    // SAFETY: siginfo_t is plain numbers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::__WALL | options;
    // SAFETY: `info` is valid for writing.
    retry(|| done(unsafe { libc::waitid(kind, id, &raw mut info, options) }))?;
    // SAFETY: waitid has filled in the fields of SIGCHLD, or left zeroes.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    Ok(match (pid, info.si_code) {
        (0, _) => None,
        (pid, libc::CLD_EXITED) => Some((pid, Ended::Exited(status))),
        (pid, _) => Some((pid, Ended::Killed(status))),
    })
}

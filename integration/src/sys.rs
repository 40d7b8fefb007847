//! The harness's unsafe code: descriptors that came in a message, the calls that a filter hands over,
//! files' labels, and programs that are traced.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A descriptor that recvmsg has just given.
pub(crate) fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: recvmsg has just made this descriptor for us, and nobody else knows its number.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A system call that waits for an answer.
pub(crate) struct Notification {
    pub(crate) id: u64,
    pub(crate) pid: i32,
    pub(crate) number: i64,
}

/// The next call that waits.
/// [seccomp_unotify(2)](https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html)
pub(crate) fn notification(filter: BorrowedFd<'_>) -> io::Result<Notification> {
    let data = libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] };
    let mut it = libc::seccomp_notif { id: 0, pid: 0, flags: 0, data };
    // SAFETY: the kernel fills one seccomp_notif, which is all zero before as it has to be.
    let done = unsafe { libc::ioctl(filter.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &mut it) };
    nix::errno::Errno::result(done)?;
    Ok(Notification { id: it.id, pid: it.pid as i32, number: it.data.nr.into() })
}

/// What becomes of a call that waits.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Value(i64),
    Errno(i32),
    /// The kernel does it.
    Continue,
}

/// Answers a call; it may be gone.
pub(crate) fn answer(filter: BorrowedFd<'_>, id: u64, answer: Answer) -> io::Result<()> {
    let (val, error, flags) = match answer {
        Answer::Value(value) => (value, 0, 0),
        Answer::Errno(errno) => (0, -errno, 0),
        Answer::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
    };
    let response = libc::seccomp_notif_resp { id, val, error, flags };
    // SAFETY: the kernel reads one seccomp_notif_resp.
    let done =
        unsafe { libc::ioctl(filter.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &response) };
    nix::errno::Errno::result(done)?;
    Ok(())
}

/// Whether the call still waits.
pub(crate) fn waits(filter: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads one u64.
    unsafe { libc::ioctl(filter.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0 }
}

/// [setxattr(2)](https://man7.org/linux/man-pages/man2/setxattr.2.html)
pub(crate) fn set_xattr(path: &Path, name: &CStr, value: &[u8]) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let (data, size) = (value.as_ptr().cast(), value.len());
    // SAFETY: both names are valid C strings, and the value is valid for its size.
    let done = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), data, size, 0) };
    nix::errno::Errno::result(done).map(drop).map_err(io::Error::from)
}

/// [getxattr(2)](https://man7.org/linux/man-pages/man2/getxattr.2.html)
pub(crate) fn xattr(path: &Path, name: &CStr) -> io::Result<Vec<u8>> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut value = vec![0u8; 256];
    let (data, size) = (value.as_mut_ptr().cast(), value.len());
    // SAFETY: both names are valid C strings, and the kernel writes at most the size given.
    let read = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), data, size) };
    value.truncate(nix::errno::Errno::result(read)? as usize);
    Ok(value)
}

/// Whoever starts this program traces it, from its first instruction on.
/// [ptrace(2)](https://man7.org/linux/man-pages/man2/ptrace.2.html)
pub(crate) fn be_traced(command: &mut Command) {
    // SAFETY: between fork and exec it makes one system call, and allocates nothing.
    unsafe { command.pre_exec(|| nix::sys::ptrace::traceme().map_err(io::Error::from)) };
}

//! The kernel's calls, one thin wrapper each. All of the crate's `unsafe` is here.
//!
//! Every wrapper may be called between clone3(2) and execve(2): none allocates, locks, logs or
//! touches the environment. File descriptors are plain [`RawFd`]s: the kernel checks them, and a
//! child that is about to execve owns whatever it opens. Wrappers that hand a descriptor to the
//! caller's own process return [`OwnedFd`](std::os::fd::OwnedFd).

use std::ffi::{c_int, c_long};
use std::io;

pub(crate) mod attributes;
pub(crate) mod bpf;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) mod calls;
pub(crate) mod clone;
pub(crate) mod file;
pub(crate) mod identity;
pub(crate) mod mount;
pub(crate) mod netlink;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod strings;
pub(crate) mod trampoline;
pub(crate) mod tty;

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Errno(pub(crate) c_int);

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        io::Error::from_raw_os_error(errno.0)
    }
}

pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// The error number that the last failed call of this thread left.
fn last() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or_default())
}

/// What a raw system call returned, as a `Result`.
fn check(value: c_long) -> Result<c_long> {
    if value == -1 { Err(last()) } else { Ok(value) }
}

/// The same for wrappers of libc that return an `int`.
fn check_int(value: c_int) -> Result<c_int> {
    if value == -1 { Err(last()) } else { Ok(value) }
}

/// The same for calls whose value is of no interest.
fn done(value: c_int) -> Result<()> {
    check_int(value).map(drop)
}

/// Calls again as long as a signal interrupts.
pub(crate) fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno(libc::EINTR)) => {}
            other => return other,
        }
    }
}

//! The kernel's calls. All of the crate's `unsafe` is here.

use crate::{Flags, Instruction};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// `struct sock_fprog` of linux/filter.h.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// seccomp(2), `SECCOMP_SET_MODE_FILTER`.
pub(crate) fn load(instructions: &[Instruction], flags: Flags) -> io::Result<Option<OwnedFd>> {
    let length = u16::try_from(instructions.len()).map_err(io::Error::other)?;
    let program = Program { length, instructions: instructions.as_ptr() };
    let value = set_mode_filter(flags, &raw const program)?;
    // SAFETY: with SECCOMP_FILTER_FLAG_NEW_LISTENER the kernel returns a new descriptor.
    Ok(flags.listens().then(|| unsafe { OwnedFd::from_raw_fd(value as i32) }))
}

/// Whether the kernel has these flags. It looks at them before it looks for a program.
pub(crate) fn supports(flags: Flags) -> bool {
    let answer = set_mode_filter(flags, std::ptr::null());
    answer.is_err_and(|error| error.raw_os_error() == Some(libc::EFAULT))
}

fn set_mode_filter(flags: Flags, program: *const Program) -> io::Result<libc::c_long> {
    let (operation, flags) = (libc::SECCOMP_SET_MODE_FILTER, flags.bits());
    // SAFETY: `program` is null or a valid program, which the kernel copies.
    match unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, program) } {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

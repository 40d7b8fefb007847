//! Offsets in `struct seccomp_data` (linux/seccomp.h), which is what a filter sees of a call.

use std::mem::offset_of;

pub(crate) const NUMBER: u32 = offset_of!(libc::seccomp_data, nr) as u32;
pub(crate) const ARCH: u32 = offset_of!(libc::seccomp_data, arch) as u32;
pub(crate) const ARGUMENTS: u32 = offset_of!(libc::seccomp_data, args) as u32;

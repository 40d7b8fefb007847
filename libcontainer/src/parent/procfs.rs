//! The host's procfs, as a descriptor that is known to be one.
//!
//! The child writes its own files and sysctls through it. `/proc/self` and `/proc/sys` answer for
//! whoever asks, so the host's instance serves a process in other namespaces as well, and nothing
//! that the image or a volume puts at `/proc` is ever looked at (CVE-2019-16884, CVE-2025-52881).

use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::{self, PROC_SUPER_MAGIC};
use crate::sys::process;
use std::os::fd::{AsRawFd, OwnedFd};

pub(super) fn open() -> Result<OwnedFd> {
    let fd = file::open(c"/proc", libc::O_PATH | libc::O_DIRECTORY);
    let fd = fd.map(process::own).map_err(|errno| Error::system("open /proc", errno))?;
    match file::filesystem_magic(fd.as_raw_fd()) {
        Ok(PROC_SUPER_MAGIC) => Ok(fd),
        _ => Err(Error::new(ErrorKind::Unsupported, "/proc is no procfs; mount one there")),
    }
}

//! Carrying out one [`Write`] in a cgroup's directory.

use super::file::write_file;
use super::unenforced::{Reason, Unenforced};
use super::write::{IfMissing, Write};
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// What the kernel's answer to a write means, where it does not say so.
const HINTS: &[(&str, Errno, &str)] = &[
    ("cpu.max", Errno::EINVAL, "is it below cpu.max.burst?"),
    ("cpu.weight", Errno::EINVAL, "a cgroup with cpu.idle has no weight"),
    ("io.max", Errno::ENODEV, "no such disk; a partition cannot be limited"),
    ("io.bfq.weight", Errno::ENODEV, "no such disk"),
    ("io.weight", Errno::ENODEV, "no such disk"),
    ("rdma.max", Errno::ENODEV, "no such RDMA device"),
];

/// Writes it into the cgroup `directory`, which is at `path`; what is not enforced for want of a
/// file.
pub(super) fn apply(
    directory: BorrowedFd<'_>,
    path: &Path,
    write: &Write,
) -> Result<Option<Unenforced>> {
    match (write_file(directory, &write.file, &write.value), &write.if_missing) {
        (Ok(()), _) | (Err(Errno::ENOENT), IfMissing::Fine) => Ok(None),
        (Err(Errno::ENOENT), IfMissing::Instead(other)) => apply(directory, path, other),
        (Err(Errno::ENOENT), IfMissing::Unenforced) => {
            let reason = Reason::NoFile(write.file.clone());
            Ok(Some(Unenforced::new(&write.field, reason)))
        }
        (Err(errno), _) => Err(refused(path, write, errno)),
    }
}

fn refused(path: &Path, write: &Write, errno: Errno) -> Error {
    let hint = HINTS.iter().find(|(file, of, _)| (*file, *of) == (write.file.as_str(), errno));
    let hint = hint.map(|(_, _, hint)| format!(" ({hint})")).unwrap_or_default();
    let file = path.join(&write.file);
    let text = format!("write {:?} to {}{hint}", write.value, file.display());
    Error::new(ErrorKind::Setup, text).field(&write.field).because(errno)
}

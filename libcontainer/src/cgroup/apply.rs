//! Making [`Write`]s in the directories of a new cgroup.
//!
//! Some values are refused until another is written: memory and swap together below memory, a burst
//! above the quota, a quota above the period. Which comes first depends on the values and on the
//! version of cgroups, and only the kernel knows all of its rules. So what is refused as wrong or too
//! large is tried again once others have been written, and refused for good when none of those left
//! is taken.

use super::file::write_file;
use super::unenforced::{Reason, Unenforced};
use super::v1;
use super::write::{IfMissing, Write};
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// The directory that a write goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) dir: BorrowedFd<'a>,
    /// Where it is, for the text of an error.
    pub(super) path: &'a Path,
}

/// What the kernel's answer to a write means, where it does not say so.
const HINTS: &[(&str, Errno, &str)] = &[
    ("cpu.max", Errno::EINVAL, "is it below cpu.max.burst?"),
    ("cpu.weight", Errno::EINVAL, "a cgroup with cpu.idle has no weight"),
    ("io.max", Errno::ENODEV, "no such disk; a partition cannot be limited"),
    ("io.bfq.weight", Errno::ENODEV, "no such disk"),
    ("io.weight", Errno::ENODEV, "no such disk"),
    ("rdma.max", Errno::ENODEV, "no such RDMA device"),
];

/// Makes `writes`, each in the directory that `target` gives for it; `None` is a hierarchy that is
/// not there. The answer is what is not enforced for want of a file.
///
/// # Errors
///
/// With the field and file of the first value that stays refused. Others have been written then.
pub(super) fn apply<'a>(
    writes: &'a [Write],
    target: impl Fn(&Write) -> Option<Target<'a>>,
) -> Result<Vec<Unenforced>> {
    let mut unenforced = Vec::new();
    let mut all = Vec::new();
    for write in writes {
        all.push((write, target(write).ok_or_else(|| no_hierarchy(write))?));
    }
    let same = |one: &(&Write, Target<'_>), other: &(&Write, Target<'_>)| {
        one.0.file == other.0.file && one.1.path == other.1.path
    };
    in_rounds(&all, same, |(write, target)| {
        unenforced.extend(make(write, *target)?);
        Ok(())
    })
    .map_err(|((write, target), errno)| {
        let text = format!("{}{}", describe(write, *target), hint(write, *target, errno));
        Error::new(ErrorKind::Setup, text).field(&write.field).because(errno)
    })?;
    Ok(unenforced)
}

/// Makes all of `items`, those again that are refused and may be taken later; the first that stays
/// refused, and the kernel's answer. Of several for the same file the last one wins.
pub(super) fn in_rounds<T>(
    items: &[T],
    same: impl Fn(&T, &T) -> bool,
    mut make: impl FnMut(&T) -> nix::Result<()>,
) -> std::result::Result<(), (&T, Errno)> {
    let mut waiting: Vec<&T> = items.iter().collect();
    while !waiting.is_empty() {
        let mut refused: Vec<(&T, Errno)> = Vec::new();
        for item in &waiting {
            let before = refused.iter().find(|(other, _)| same(other, item));
            match before.map_or_else(|| make(item), |(_, errno)| Err(*errno)) {
                Ok(()) => {}
                Err(errno) if may_be_taken_later(errno) => refused.push((item, errno)),
                Err(errno) => return Err((item, errno)),
            }
        }
        if refused.len() == waiting.len() {
            return Err(refused[0]);
        }
        waiting = refused.into_iter().map(|(item, _)| item).collect();
    }
    Ok(())
}

fn may_be_taken_later(errno: Errno) -> bool {
    matches!(errno, Errno::EINVAL | Errno::EBUSY | Errno::ERANGE)
}

fn make(write: &Write, target: Target<'_>) -> nix::Result<Option<Unenforced>> {
    match (write_file(target.dir, &write.file, &write.value), &write.if_missing) {
        (Ok(()), _) | (Err(Errno::ENOENT), IfMissing::Fine) => Ok(None),
        (Err(Errno::ENOENT), IfMissing::Instead(other)) => make(other, target),
        (Err(Errno::ENOENT), IfMissing::Unenforced) => Ok(Some(missing(write))),
        (Err(errno), _) => Err(errno),
    }
}

/// What a write for which there is no file comes to.
pub(super) fn missing(write: &Write) -> Unenforced {
    Unenforced::new(&write.field, Reason::NoFile(write.file.clone()))
}

/// What is being done.
pub(super) fn describe(write: &Write, target: Target<'_>) -> String {
    format!("write {:?} to {}", write.value, target.path.join(&write.file).display())
}

/// What the kernel's answer means, in parentheses; empty where there is nothing to add.
pub(super) fn hint(write: &Write, target: Target<'_>, errno: Errno) -> String {
    let known = HINTS.iter().find(|(file, of, _)| (*file, *of) == (write.file.as_str(), errno));
    let known = known.map(|(_, _, text)| (*text).to_owned());
    let text = known.or_else(|| v1::hints::of(write, target, errno));
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}

pub(super) fn no_hierarchy(write: &Write) -> Error {
    let text = format!("this container is in no cgroup of controller {}", write.controller());
    Error::new(ErrorKind::Unsupported, text).field(&write.field)
}

//! All writes or none.
//!
//! What every file holds is read first, so that it can be put back. Some values are refused until
//! another is written: a burst above the quota, a weight for an idle cgroup, memory above memory and
//! swap. Which comes first depends on where the values come from and on the version of cgroups, and
//! only the kernel knows all of its rules; so a value that is refused as wrong or too large is tried
//! again once others have been written, and refused for good when none of those left is taken.

use super::super::file::{read_file, write_line};
use super::super::write::Write;
use super::former;
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// The directory that a write goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) dir: BorrowedFd<'a>,
    /// For the text of an error.
    pub(super) path: &'a Path,
}

/// A write that is to be made, with what its file holds before.
struct Change<'a> {
    write: &'a Write,
    target: Target<'a>,
    /// `None`: it cannot be read.
    old: Option<String>,
}

/// Makes `writes`, each in the directory that `target` gives for it; `None` is a hierarchy that is
/// not there.
///
/// # Errors
///
/// With the field and file of what was refused. All files hold then what they held before, or the
/// text names those that do not.
pub(super) fn apply<'a>(
    writes: &'a [Write],
    target: impl Fn(&Write) -> Option<Target<'a>>,
) -> Result<()> {
    let mut changes = Vec::new();
    for write in writes {
        let target = target(write).ok_or_else(|| no_hierarchy(write))?;
        changes.extend(Change::look(write, target)?);
    }
    // What cannot be taken back comes last.
    changes.sort_by_key(|change| change.old.is_none());
    match make(&changes) {
        Ok(()) => Ok(()),
        Err((change, errno)) => Err(change.refused(errno, &take_back(&changes))),
    }
}

/// Makes the changes; the first that stays refused, and the kernel's answer.
fn make<'c, 'a>(changes: &'c [Change<'a>]) -> std::result::Result<(), (&'c Change<'a>, Errno)> {
    let mut waiting: Vec<&Change<'_>> = changes.iter().collect();
    while !waiting.is_empty() {
        let mut refused: Vec<(&Change<'_>, Errno)> = Vec::new();
        for change in &waiting {
            // Of several writes to one file the last one has to win.
            let before = refused.iter().find(|(other, _)| other.is_same_file(change));
            let answer = before.map_or_else(|| change.make(), |(_, errno)| Err(*errno));
            match answer {
                Ok(()) => {}
                Err(errno) if may_be_taken_later(errno) => refused.push((change, errno)),
                Err(errno) => return Err((change, errno)),
            }
        }
        if refused.len() == waiting.len() {
            return Err(refused[0]);
        }
        waiting = refused.into_iter().map(|(change, _)| change).collect();
    }
    Ok(())
}

/// Puts back what the files held, the last first; those that hold something else in the end.
fn take_back(changes: &[Change<'_>]) -> Vec<String> {
    // As many rounds as there are values that may wait for each other.
    for _ in changes {
        let mut left = false;
        for change in changes.iter().rev().filter(|change| change.is_changed()) {
            left |= change.take_back().is_err();
        }
        if !left {
            break;
        }
    }
    let changed = changes.iter().filter(|change| change.is_changed());
    changed.map(|change| change.write.file.clone()).collect()
}

impl<'a> Change<'a> {
    /// `None`: the file is missing, and that is fine.
    fn look(write: &'a Write, target: Target<'a>) -> Result<Option<Self>> {
        let change = |old| Some(Self { write, target, old });
        match read_file(target.dir, write.file.as_str()) {
            Ok(old) => Ok(change(Some(old))),
            Err(Errno::ENOENT) if write.missing_is_fine => Ok(None),
            Err(errno @ (Errno::ENOENT | Errno::ENODEV)) => {
                Err(Self { write, target, old: None }.refused(errno, &[]))
            }
            Err(_) => Ok(change(None)),
        }
    }

    fn make(&self) -> nix::Result<()> {
        let lines = self.write.value.lines().filter(|line| !line.trim().is_empty());
        self.write_lines(lines)
    }

    fn take_back(&self) -> nix::Result<()> {
        let Some(old) = &self.old else { return Ok(()) };
        let lines = former::lines(&self.write.file, old, &self.write.value);
        self.write_lines(lines.iter().map(String::as_str))
    }

    fn write_lines<'l>(&self, mut lines: impl Iterator<Item = &'l str>) -> nix::Result<()> {
        lines.try_for_each(|line| write_line(self.target.dir, &self.write.file, line))
    }

    fn is_changed(&self) -> bool {
        let Some(old) = &self.old else { return false };
        read_file(self.target.dir, self.write.file.as_str()).is_ok_and(|now| now != *old)
    }

    fn is_same_file(&self, other: &Self) -> bool {
        self.write.file == other.write.file && self.target.path == other.target.path
    }

    /// The error for a refusal after which the files of `changed` could not be put back.
    fn refused(&self, errno: Errno, changed: &[String]) -> Error {
        let file = self.target.path.join(&self.write.file);
        let outcome = match changed {
            [] => "nothing was changed".to_owned(),
            files => format!("and it cannot be put back what was in {}", files.join(", ")),
        };
        let text = format!("write {:?} to {} ({outcome})", self.write.value, file.display());
        Error::new(ErrorKind::System, text).field(&self.write.field).because(errno)
    }
}

/// Whether the answer may be another after other values have been written.
fn may_be_taken_later(errno: Errno) -> bool {
    matches!(errno, Errno::EINVAL | Errno::EBUSY | Errno::ERANGE)
}

fn no_hierarchy(write: &Write) -> Error {
    let text = format!("this container is in no cgroup of controller {}", write.controller());
    Error::new(ErrorKind::Unsupported, text).field(&write.field)
}

#[cfg(test)]
mod tests;

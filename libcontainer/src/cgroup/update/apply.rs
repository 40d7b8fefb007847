//! All writes or none.
//!
//! What every file holds is read first, so that it can be put back. The order is found as for a new
//! cgroup ([`in_rounds`]).

use super::super::apply::{Target, describe, hint, in_rounds, missing, no_hierarchy};
use super::super::file::{read_file, write_line};
use super::super::unenforced::Unenforced;
use super::super::write::{IfMissing, Write};
use super::former;
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;

/// A write that is to be made, with what its file holds before.
struct Change<'a> {
    write: &'a Write,
    target: Target<'a>,
    /// `None`: it cannot be read.
    old: Option<String>,
}

/// Makes `writes`, each in the directory that `target` gives for it; `None` is a hierarchy that is
/// not there, and then does what is left to be done. The answer is what is not enforced for want of a
/// file.
///
/// # Errors
///
/// With the field and file of what was refused. All files hold then what they held before, or the
/// text names those that do not.
pub(super) fn apply<'a>(
    writes: &'a [Write],
    target: impl Fn(&Write) -> Option<Target<'a>>,
    last: impl FnOnce() -> Result<()>,
) -> Result<Vec<Unenforced>> {
    let (mut changes, mut unenforced) = (Vec::new(), Vec::new());
    for write in writes {
        let target = target(write).ok_or_else(|| no_hierarchy(write))?;
        match Change::look(write, target)? {
            Look::Change(change) => changes.push(change),
            Look::Nothing(left) => unenforced.extend(left),
        }
    }
    // What cannot be taken back comes last.
    changes.sort_by_key(|change| change.old.is_none());
    match in_rounds(&changes, Change::is_same_file, Change::make) {
        Ok(()) => match last() {
            Ok(()) => Ok(unenforced),
            Err(error) => {
                take_back(&changes);
                Err(error)
            }
        },
        Err((change, errno)) => Err(change.refused(errno, &take_back(&changes))),
    }
}

/// What a write comes to in front of its file.
enum Look<'a> {
    Change(Change<'a>),
    /// The file is missing; what the user is told, if it matters.
    Nothing(Option<Unenforced>),
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
    fn look(write: &'a Write, target: Target<'a>) -> Result<Look<'a>> {
        let change = |old| Look::Change(Self { write, target, old });
        match (read_file(target.dir, write.file.as_str()), &write.if_missing) {
            (Ok(old), _) => Ok(change(Some(old))),
            (Err(Errno::ENOENT), IfMissing::Fine) => Ok(Look::Nothing(None)),
            (Err(Errno::ENOENT), IfMissing::Unenforced) => Ok(Look::Nothing(Some(missing(write)))),
            (Err(Errno::ENOENT), IfMissing::Instead(other)) => Self::look(other, target),
            (Err(errno @ (Errno::ENOENT | Errno::ENODEV)), _) => {
                Err(Self { write, target, old: None }.refused(errno, &[]))
            }
            (Err(_), _) => Ok(change(None)),
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
        let file = self.write.file.as_str();
        read_file(self.target.dir, file).is_ok_and(|now| !former::is_same(file, old, &now))
    }

    fn is_same_file(&self, other: &Self) -> bool {
        self.write.file == other.write.file && self.target.path == other.target.path
    }

    /// The error for a refusal after which the files of `changed` could not be put back.
    fn refused(&self, errno: Errno, changed: &[String]) -> Error {
        let what = describe(self.write, self.target) + &hint(self.write, self.target, errno);
        let outcome = match changed {
            [] => "nothing was changed".to_owned(),
            files => format!("and it cannot be put back what was in {}", files.join(", ")),
        };
        let text = format!("{what} ({outcome})");
        Error::new(ErrorKind::System, text).field(&self.write.field).because(errno)
    }
}

#[cfg(test)]
mod tests;

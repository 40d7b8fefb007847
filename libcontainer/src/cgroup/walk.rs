//! Going through a cgroup and everything below it.
//!
//! A container with a cgroup namespace may make cgroups of its own, as deep and as many as it likes.
//! So a walk holds one directory at a time whatever the depth, going up again by `..` (nothing in a
//! cgroup file system can be renamed), and lists each directory once. What vanishes meanwhile is
//! passed over.

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

const DIRECTORY: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Visits `dir` and every cgroup below, those above first.
pub(super) fn visit_all(
    dir: BorrowedFd<'_>,
    visit: impl FnMut(BorrowedFd<'_>) -> nix::Result<()>,
) -> nix::Result<()> {
    unless_gone(walk(dir, visit, |_, _| Ok(())))
}

/// Removes every cgroup below `dir`, deepest first.
pub(super) fn remove_below(dir: BorrowedFd<'_>) -> nix::Result<()> {
    let remove =
        |parent: BorrowedFd<'_>, name: &CStr| unlinkat(parent, name, UnlinkatFlags::RemoveDir);
    unless_gone(walk(dir, |_| Ok(()), remove))
}

/// `enter` gets each directory on the way down, `leave` each but the first, by its parent and name,
/// on the way up.
fn walk(
    dir: BorrowedFd<'_>,
    mut enter: impl FnMut(BorrowedFd<'_>) -> nix::Result<()>,
    mut leave: impl FnMut(BorrowedFd<'_>, &CStr) -> nix::Result<()>,
) -> nix::Result<()> {
    let mut at = open_at(dir, c".")?;
    unless_gone(enter(at.as_fd()))?;
    let mut levels = vec![(None, children(at.as_fd())?)];
    while let Some((_, waiting)) = levels.last_mut() {
        if let Some(name) = waiting.pop() {
            match open_at(at.as_fd(), &name) {
                Err(error) if gone(error) => continue,
                child => at = child?,
            }
            unless_gone(enter(at.as_fd()))?;
            levels.push((Some(name), children(at.as_fd())?));
        } else if let Some((Some(name), _)) = levels.pop() {
            at = open_at(at.as_fd(), c"..")?;
            unless_gone(leave(at.as_fd(), &name))?;
        }
    }
    Ok(())
}

/// Opens a cgroup by its path on the host.
pub(super) fn open_directory(path: &Path) -> nix::Result<OwnedFd> {
    openat(AT_FDCWD, path, DIRECTORY, Mode::empty())
}

fn open_at(dir: BorrowedFd<'_>, name: &CStr) -> nix::Result<OwnedFd> {
    openat(dir, name, DIRECTORY, Mode::empty())
}

/// The names of the cgroups right below; none if the directory was removed.
fn children(dir: BorrowedFd<'_>) -> nix::Result<Vec<CString>> {
    let mut listing = match open_at(dir, c".").and_then(Dir::from_fd) {
        Err(error) if gone(error) => return Ok(Vec::new()),
        listing => listing?,
    };
    let mut names = Vec::new();
    for entry in listing.iter() {
        let entry = match entry {
            Err(error) if gone(error) => break,
            entry => entry?,
        };
        let name = entry.file_name();
        if entry.file_type() == Some(Type::Directory) && name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Whether the answer means that the cgroup was removed; ENODEV is what its open files give.
pub(super) fn gone(error: Errno) -> bool {
    matches!(error, Errno::ENOENT | Errno::ENODEV)
}

pub(super) fn busy(error: Errno) -> bool {
    matches!(error, Errno::EBUSY | Errno::ENOTEMPTY)
}

pub(super) fn unless_gone(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(error) if gone(error) => Ok(()),
        other => other,
    }
}

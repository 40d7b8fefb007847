//! The directories of a cgroup, of either version: making them, opening them, and what is said when
//! they are in use.
//!
//! Every path used here begins at the root of a hierarchy, which is the host's, and cgroup file systems
//! have no symbolic links, so names are safe to use.

use super::path::is_plain;
use super::walk::{gone, open_directory};
use crate::error::{Error, ErrorKind, Result, describe};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, FsType, fstatfs};
use nix::unistd::mkdir;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Makes `directory` and what is missing above it; those made, topmost first.
pub(super) fn make(directory: &Path) -> nix::Result<Vec<PathBuf>> {
    // Somebody may remove an empty parent between our finding it and our using it.
    let mut tries = 0;
    loop {
        match make_once(directory) {
            Err(Errno::ENOENT) if tries < 8 => tries += 1,
            other => return other,
        }
    }
}

fn make_once(directory: &Path) -> nix::Result<Vec<PathBuf>> {
    match make_one(directory) {
        Err(Errno::ENOENT) => {}
        Ok(true) => return Ok(vec![directory.to_path_buf()]),
        Ok(false) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut made = Vec::new();
    let parents: Vec<&Path> = directory.ancestors().collect();
    for parent in parents.into_iter().rev().filter(|parent| parent.parent().is_some()) {
        match make_one(parent) {
            Ok(true) => made.push(parent.to_path_buf()),
            Ok(false) => {}
            Err(error) => {
                undo(&made);
                return Err(error);
            }
        }
    }
    Ok(made)
}

/// Whether the directory is new.
fn make_one(directory: &Path) -> nix::Result<bool> {
    match mkdir(directory, Mode::from_bits_truncate(0o755)) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes back what was made. What somebody else has begun to use meanwhile stays: it is not empty.
pub(super) fn undo(made: &[PathBuf]) {
    for directory in made.iter().rev() {
        let _ = std::fs::remove_dir(directory);
    }
}

/// How long it is waited for processes that were killed to be gone. One that is writing out a lot of
/// memory or waits for a disk takes its time.
pub(super) const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the directory at `path`; `None` if it is gone. What is none of the version of cgroups that
/// `magic` is of is refused, so a wrong path can do no harm.
pub(super) fn open(path: &Path, magic: FsType) -> Result<Option<OwnedFd>> {
    let refuse = |what: &str| {
        let text = format!("{} {what}", path.display());
        Err(Error::new(ErrorKind::InvalidArgument, text))
    };
    if !is_plain(path) {
        return refuse("is no absolute path without `..`");
    }
    let dir = match open_directory(path) {
        Ok(dir) => dir,
        Err(error) if gone(error) => return Ok(None),
        Err(error) => return Err(failed("open cgroup", path, error)),
    };
    let found = fstatfs(&dir).map_err(|error| failed("statfs", path, error))?;
    match found.filesystem_type() == magic {
        true => Ok(Some(dir)),
        false if magic == CGROUP2_SUPER_MAGIC => refuse("is no cgroup v2 directory"),
        false => refuse("is no cgroup v1 directory"),
    }
}

/// An empty cgroup that is already there is taken over, as runc does; engines make them in advance.
/// `processes` is how many can be seen of those that are in it; `None` if there are none.
pub(super) fn check_unused(path: &Path, processes: Option<usize>, frozen: bool) -> Result<()> {
    let problem = match (processes, frozen) {
        (None, false) => return Ok(()),
        (None, true) => "is frozen; thaw or remove it first".to_owned(),
        (Some(many), _) => {
            format!("holds {many} processes already; a container needs a cgroup of its own")
        }
    };
    let text = format!("cgroup {} {problem}", path.display());
    Err(Error::new(ErrorKind::Setup, text).field("linux.cgroupsPath"))
}

/// The error for a cgroup that could not be removed for the processes that are `left`.
pub(super) fn still_used(path: &Path, patience: Duration, left: &[i32]) -> Error {
    let text = format!(
        "remove cgroup {}: still in use after {patience:?}; processes in it: {left:?}",
        path.display()
    );
    Error::system(text, Errno::EBUSY)
}

/// Whether the kernel means that this caller may not, rather than that it cannot be done.
pub(super) fn no_right(errno: Errno) -> bool {
    matches!(errno, Errno::EACCES | Errno::EPERM | Errno::EROFS)
}

pub(super) fn failed(doing: &str, path: &Path, errno: Errno) -> Error {
    Error::system(format!("{doing} {}", path.display()), errno)
}

pub(super) fn say(errno: Errno) -> String {
    describe(&io::Error::from(errno))
}

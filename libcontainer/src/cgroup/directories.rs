//! Making the directories of a new cgroup.
//!
//! Every path used here begins at the root of a hierarchy, which is the host's, and cgroup file systems
//! have no symbolic links, so names are safe to use.

use crate::error::{Error, describe};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::mkdir;
use std::io;
use std::path::{Path, PathBuf};

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

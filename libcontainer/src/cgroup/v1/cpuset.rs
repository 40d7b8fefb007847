//! A new cpuset of v1 has no processors and no memory nodes, and lets nobody in (ENOSPC). So what is
//! empty on the way down to it gets what is above, as runc does it.

use super::super::directories::failed;
use super::super::file::{read_file, write_file};
use super::super::walk::open_directory;
use crate::error::{Error, Result};
use nix::errno::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

const FIELD: &str = "linux.cgroupsPath";
const FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// Fills what is empty in the cpuset `directory` and in those above it. The hierarchy's root never is.
///
/// If `directory` itself must not have all of what is above it (a neighbour has some for itself:
/// `cpuset.cpu_exclusive`), it stays empty: the config has to say what it may have.
pub(super) fn inherit(directory: &Path) -> Result<()> {
    let mut empty = Vec::new();
    for path in directory.ancestors() {
        let opened = open_directory(path).map_err(|error| problem("open", path, error))?;
        let values = read(&opened).map_err(|error| problem("read the cpuset of", path, error))?;
        if values.iter().all(|value| !value.is_empty()) {
            return fill(directory, &empty, values);
        }
        empty.push((path, opened, values));
    }
    Ok(())
}

/// The directories that lack something, the lowest first, and what is right above them.
fn fill(
    directory: &Path,
    empty: &[(&Path, OwnedFd, [String; 2])],
    mut above: [String; 2],
) -> Result<()> {
    for (path, opened, values) in empty.iter().rev() {
        for ((file, value), above) in FILES.iter().zip(values).zip(&mut above) {
            if !value.is_empty() {
                above.clone_from(value);
                continue;
            }
            match write_file(opened.as_fd(), file, above) {
                Err(Errno::EINVAL) if *path == directory => {}
                Err(error) => return Err(problem("inherit the cpuset of", path, error)),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

fn read(directory: &OwnedFd) -> nix::Result<[String; 2]> {
    let one = |file| Ok(read_file(directory.as_fd(), file)?.trim().to_owned());
    Ok([one(FILES[0])?, one(FILES[1])?])
}

fn problem(doing: &str, path: &Path, error: Errno) -> Error {
    failed(doing, path, error).field(FIELD)
}

//! A container's cgroup that exists: who is in it, entering it, ending them, taking it away.

use super::host::{self, Layout};
use super::path;
use super::place::Place;
use super::v2::directory::Directory;
use crate::error::{Error, ErrorKind, Result};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// A container's cgroup.
#[derive(Debug)]
pub struct Cgroup {
    place: Place,
    unified: Option<Directory>,
}

impl Cgroup {
    /// Opens the cgroup at `place`; `None` if it is gone. Anything that is no cgroup directory is
    /// refused, so a wrong path can do no harm.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a path that is none of a cgroup's; what the kernel says.
    pub fn open(place: &Place) -> Result<Option<Self>> {
        let unified = place.unified.as_ref().map(Directory::open).transpose()?.flatten();
        Ok(unified.map(|unified| Self { place: place.clone(), unified: Some(unified) }))
    }

    /// One that was just made.
    pub(super) fn made(place: Place, unified: Option<Directory>) -> Self {
        Self { place, unified }
    }

    /// Where it is: what to store to find it again with [`Cgroup::open`].
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its cgroup v2 directory, for CLONE_INTO_CGROUP.
    pub fn unified(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(Directory::dir)
    }

    /// The files `cgroup.procs` of its other directories: a process that writes 0 to each has
    /// entered.
    pub(crate) fn doors(&self) -> &[OwnedFd] {
        &[]
    }

    /// The cgroup `below` this one, where a leading `/` stands for this one, as `exec --cgroup` has
    /// it. It must be there already.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a path that leads upwards or to nothing.
    pub fn child(&self, below: &str) -> Result<Self> {
        let wrong = |text: String| Error::new(ErrorKind::InvalidArgument, text);
        let names = path::names(Path::new(below)).map_err(|_| {
            wrong(format!(
                "cgroup {below:?} must be a path below the container's cgroup, without `..`"
            ))
        })?;
        let place = self.place.below(&names);
        let missing = || {
            let mut directories = place.directories();
            let path = directories.find(|path| !path.exists());
            let path = path.map(|path| path.display().to_string()).unwrap_or_default();
            wrong(format!("no cgroup {below:?} in the container: {path} does not exist"))
        };
        Self::open(&place)?.ok_or_else(missing)
    }

    /// The cgroup v2 directory below this one that a process is in; `None` if it is in none.
    pub(crate) fn of_process(&self, pid: i32) -> Result<Option<Self>> {
        let (Some(own), Some(root)) = (&self.place.unified, Layout::detect().root()) else {
            return Ok(None);
        };
        let Some(path) = host::cgroup_of(pid)? else { return Ok(None) };
        let path = root.join(path.strip_prefix("/").unwrap_or(&path));
        if !path.starts_with(own) {
            return Ok(None);
        }
        Self::open(&Place { unified: Some(path), v1: self.place.v1.clone() })
    }

    /// The processes in it and below, by their ids in the caller's pid namespace, in no order. Those
    /// of other pid namespaces, which have no id here, are left out.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn processes(&self) -> Result<Vec<i32>> {
        self.unified.as_ref().map_or(Ok(Vec::new()), Directory::processes)
    }

    /// Kills every process in it and below, also those that are being forked. They are not gone yet
    /// when this returns.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn kill_all(&self) -> Result<()> {
        self.unified.as_ref().map_or(Ok(()), Directory::kill_all)
    }

    /// Removes the cgroup at `place` with every process in it. One in which nothing is left, which
    /// is the rule, takes one call for each directory.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::remove`].
    pub fn remove_at(place: &Place) -> Result<()> {
        if place.remove_if_empty() {
            return Ok(());
        }
        let Some(cgroup) = Self::open(place)? else {
            return Ok(());
        };
        cgroup.kill_all()?;
        cgroup.remove()
    }

    /// Removes it and everything below, waiting up to ten seconds for processes to be gone; ending
    /// them is the caller's business. It is no error if it is gone already. What is above stays.
    ///
    /// # Errors
    ///
    /// EBUSY when processes are still there then, naming them.
    pub fn remove(self) -> Result<()> {
        self.unified.map_or(Ok(()), Directory::remove)
    }
}

//! The directories of one container, one in each hierarchy: making them, finding them again, letting
//! processes in, taking them away.

use super::super::apply::Target;
use super::super::directories::{
    self, REMOVE_TIMEOUT, failed, make, no_right, say, still_used, undo,
};
use super::super::unenforced::Reason;
use super::super::v2::directory::read_pids;
use super::super::walk::{self, busy, open_directory, unless_gone};
use super::super::write::Write;
use super::cpuset;
use crate::error::Result;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::sys::statfs::CGROUP_SUPER_MAGIC;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const FIELD: &str = "linux.cgroupsPath";

/// The pauses between two rmdirs; v1 has no event to wait for.
const PAUSES: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(20));

/// Who is in a container is the same in all hierarchies; these are preferred, the one that stops
/// processes before all.
const TRACKERS: &[&str] = &["freezer", "devices", "pids", "name=systemd"];

/// A container's directories in cgroup v1; at least one.
#[derive(Debug)]
pub(in super::super) struct Tree {
    pub(super) directories: Vec<Directory>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Directory {
    /// The hierarchy's name in `/proc/self/cgroup`.
    name: String,
    pub(super) path: PathBuf,
    dir: OwnedFd,
}

/// What [`Tree::make`] has come to.
#[derive(Debug)]
pub(in super::super) struct Made {
    /// `None` if the caller may make none.
    pub(in super::super) tree: Option<Tree>,
    /// The hierarchies in which the caller may make none, and what the kernel said.
    pub(in super::super) refused: BTreeMap<String, Reason>,
    /// The directories that are new, those above first.
    pub(in super::super) new: Vec<PathBuf>,
}

impl Tree {
    /// Makes the directories `places`, by the names of their hierarchies, with what is missing above
    /// them, ready for limits and then for processes. An empty directory that is there already is
    /// taken over, and with `expected` one in which a process of ours is. An error leaves nothing
    /// behind.
    ///
    /// # Errors
    ///
    /// When a directory is in use already, and what the kernel says, but for a missing right.
    pub(in super::super) fn make(
        places: &BTreeMap<String, PathBuf>,
        expected: bool,
    ) -> Result<Made> {
        let mut made = Made { tree: None, refused: BTreeMap::new(), new: Vec::new() };
        match places.iter().try_for_each(|(name, path)| made.add(name, path, expected)) {
            Ok(()) => Ok(made),
            Err(error) => {
                undo(&made.new);
                Err(error)
            }
        }
    }

    /// Opens the directories at `paths`, absolute paths on the host by the names of their
    /// hierarchies; `None` if all are gone. Anything that is no cgroup v1 directory is refused, so a
    /// wrong path can do no harm.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a path that is none of cgroup v1; what the kernel says.
    pub(in super::super) fn open(paths: &BTreeMap<String, PathBuf>) -> Result<Option<Self>> {
        let opened = paths.iter().map(|(name, path)| Directory::open(name, path));
        let directories: Vec<_> = opened.filter_map(Result::transpose).collect::<Result<_>>()?;
        Ok((!directories.is_empty()).then_some(Self { directories }))
    }

    /// What to store to find it again with [`Tree::open`].
    pub(in super::super) fn paths(&self) -> BTreeMap<String, PathBuf> {
        let pair = |one: &Directory| (one.name.clone(), one.path.clone());
        self.directories.iter().map(pair).collect()
    }

    /// `cgroup.procs` of each, open for writing: a process that writes 0 to all of them has entered,
    /// with the rights of whoever called this.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(in super::super) fn doors(&self) -> Result<Vec<OwnedFd>> {
        let open = |one: &Directory| {
            let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
            openat(&one.dir, "cgroup.procs", flags, Mode::empty())
                .map_err(|error| failed("open", &one.path.join("cgroup.procs"), error))
        };
        self.directories.iter().map(open).collect()
    }

    /// The processes in it and below, by their ids in the caller's pid namespace, in no order. Those
    /// of other pid namespaces, which have no id here, are left out.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(in super::super) fn processes(&self) -> Result<Vec<i32>> {
        let mut trackers = TRACKERS.iter().filter_map(|name| self.with(name));
        let tracker = trackers.next().or(self.directories.first());
        tracker.map_or(Ok(Vec::new()), Directory::processes)
    }

    /// Removes it and everything below, waiting up to ten seconds for processes to be gone; ending
    /// them is the caller's business. It is no error if it is gone already. What is above stays.
    ///
    /// # Errors
    ///
    /// EBUSY when processes are still there then, naming them. What can be removed is removed.
    pub(in super::super) fn remove(self) -> Result<()> {
        self.remove_within(REMOVE_TIMEOUT)
    }

    pub(super) fn remove_within(&self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let mut result = Ok(());
        for directory in &self.directories {
            result = result.and(directory.remove(deadline).map_err(|error| match error {
                Errno::EBUSY => {
                    let left = directory.processes().unwrap_or_default();
                    still_used(&directory.path, patience, &left)
                }
                error => failed("remove cgroup", &directory.path, error),
            }));
        }
        result
    }

    /// Where a write goes.
    pub(in super::super) fn target(&self, write: &Write) -> Option<Target<'_>> {
        let directory = self.with(write.controller())?;
        Some(Target { dir: directory.dir(), path: &directory.path })
    }

    /// The directory with a controller's files; for a named hierarchy, that of the name.
    pub(super) fn with(&self, controller: &str) -> Option<&Directory> {
        self.directories.iter().find(|one| one.has(controller))
    }
}

impl Made {
    fn add(&mut self, name: &str, path: &Path, expected: bool) -> Result<()> {
        let new = match make(path) {
            Ok(new) => new,
            Err(error) if no_right(error) => {
                let what = format!("make {}: {}", path.display(), say(error));
                self.refused.insert(name.to_owned(), Reason::NoRights(what));
                return Ok(());
            }
            Err(error) => return Err(failed("make cgroup", path, error).field(FIELD)),
        };
        let is_new = !new.is_empty();
        self.new.extend(new);
        let open = |error| failed("open cgroup", path, error).field(FIELD);
        let dir = open_directory(path).map_err(open)?;
        let directory = Directory { name: name.to_owned(), path: path.to_path_buf(), dir };
        if !is_new && !expected {
            directory.check_unused()?;
        }
        if directory.has("cpuset") {
            cpuset::inherit(path)?;
        }
        let tree = self.tree.get_or_insert_with(|| Tree { directories: Vec::new() });
        tree.directories.push(directory);
        Ok(())
    }
}

impl Directory {
    fn open(name: &str, path: &Path) -> Result<Option<Self>> {
        let dir = directories::open(path, CGROUP_SUPER_MAGIC)?;
        Ok(dir.map(|dir| Self { name: name.to_owned(), path: path.to_path_buf(), dir }))
    }

    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    fn has(&self, controller: &str) -> bool {
        self.name.split(',').any(|name| name == controller)
    }

    pub(super) fn processes(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        walk::visit_all(self.dir(), |dir| read_pids(dir, &mut pids))
            .map_err(|error| failed("list the processes of", &self.path, error))?;
        Ok(pids)
    }

    fn check_unused(&self) -> Result<()> {
        let frozen = self.has("freezer") && self.is_frozen()?;
        let processes = Some(self.processes()?.len()).filter(|many| *many > 0);
        directories::check_unused(&self.path, processes, frozen)
    }

    /// EBUSY when the deadline has come.
    fn remove(&self, deadline: Instant) -> nix::Result<()> {
        let mut pause = PAUSES.0;
        loop {
            match unlinkat(AT_FDCWD, &self.path, UnlinkatFlags::RemoveDir) {
                Err(error) if !busy(error) => return unless_gone(Err(error)),
                Err(_) if Instant::now() >= deadline => return Err(Errno::EBUSY),
                Err(_) => {}
                Ok(()) => return Ok(()),
            }
            match walk::remove_below(self.dir()) {
                Err(error) if !busy(error) => return Err(error),
                _ => std::thread::sleep(pause),
            }
            pause = PAUSES.1.min(pause * 2);
        }
    }
}

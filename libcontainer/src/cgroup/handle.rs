//! A container's cgroup that exists: who is in it, entering it, ending them, taking it away.

use super::apply::Target;
use super::host::{self, Host, Layout};
use super::path;
use super::place::Place;
use super::systemd::{Placeholder, Scope};
use super::update::Update;
use super::v1::Tree;
use super::v2::directory::Directory;
use super::write::Write;
use crate::error::{Error, ErrorKind, Result};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// A container's cgroup.
#[derive(Debug)]
pub struct Cgroup {
    place: Place,
    pub(super) unified: Option<Directory>,
    pub(super) v1: Option<Tree>,
    /// The process around which systemd has made the scope, until the container's own is in it.
    pub(super) placeholder: Option<Placeholder>,
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
        let v1 = Tree::open(&place.v1)?;
        let gone = unified.is_none() && v1.is_none();
        Ok((!gone).then(|| Self::made(place.clone(), unified, v1)))
    }

    /// One that was just made.
    pub(super) fn made(place: Place, unified: Option<Directory>, v1: Option<Tree>) -> Self {
        Self { place, unified, v1, placeholder: None }
    }

    /// Where it is: what to store to find it again with [`Cgroup::open`].
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its cgroup v2 directory, for CLONE_INTO_CGROUP.
    pub fn unified(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(Directory::dir)
    }

    /// The files `cgroup.procs` of its directories of v1, and if it is `unified`, of v2: a process
    /// that writes 0 to each has entered.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(crate) fn doors(&self, unified: bool) -> Result<Vec<OwnedFd>> {
        let mut doors = self.v1.as_ref().map_or(Ok(Vec::new()), Tree::doors)?;
        if let Some(directory) = self.unified.as_ref().filter(|_| unified) {
            doors.push(directory.door()?);
        }
        Ok(doors)
    }

    /// The scope that only systemd can let the caller's children into; `None` where they can be born.
    ///
    /// # Errors
    ///
    /// When `/proc` is not readable.
    pub(crate) fn guarded(&self) -> Result<Option<Guarded<'_>>> {
        let (Some(scope), Some(unified)) = (&self.place.scope, &self.place.unified) else {
            return Ok(None);
        };
        let denied = || Ok(Host::detect(None, true)?.entry_denied(unified).is_some());
        Ok((scope.user && denied()?).then_some(Guarded { scope, unified }))
    }

    /// The directory that a write goes to: of cgroup v1 where the controllers are there.
    pub(super) fn target(&self, write: &Write) -> Option<Target<'_>> {
        let unified = || {
            let unified = self.unified.as_ref()?;
            Some(Target { dir: unified.dir(), path: unified.path() })
        };
        self.v1.as_ref().map_or_else(unified, |v1| v1.target(write))
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
            let path = place.directories().next().map(|path| path.display().to_string());
            let path = path.unwrap_or_default();
            wrong(format!("no cgroup {below:?} in the container: {path} does not exist"))
        };
        let mut child = Self::open(&place)?.ok_or_else(missing)?;
        // A container may have made it in some hierarchies only.
        if child.unified.is_none() {
            child.unified = self.place.unified.as_ref().map(Directory::open).transpose()?.flatten();
        }
        let mut v1 = self.place.v1.clone();
        let made = child.v1.iter().flat_map(Tree::paths);
        v1.extend(made);
        child.v1 = Tree::open(&v1)?;
        Ok(child)
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
        Self::open(&Place { unified: Some(path), ..self.place.clone() })
    }

    /// The processes in it and below, by their ids in the caller's pid namespace, in no order. Those
    /// of other pid namespaces, which have no id here, are left out.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn processes(&self) -> Result<Vec<i32>> {
        match (&self.unified, &self.v1) {
            (Some(unified), _) => unified.processes(),
            (None, v1) => v1.as_ref().map_or(Ok(Vec::new()), Tree::processes),
        }
    }

    /// Kills every process in it and below, also those that are being forked or are stopped. They
    /// are not gone yet when this returns.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn kill_all(&self) -> Result<()> {
        match (&self.unified, &self.v1) {
            (Some(unified), None) => unified.kill_all(),
            (Some(unified), Some(v1)) => unified.kill_all().and_then(|()| v1.thaw_all()),
            (None, v1) => v1.as_ref().map_or(Ok(()), Tree::kill_all),
        }
    }

    /// Stops every process in it and below, and those that come in, until [`Cgroup::thaw`]; returns
    /// when none runs any more. To freeze what is frozen is no error.
    ///
    /// # Errors
    ///
    /// What the kernel says; EBUSY when a process has not stopped within ten seconds: then all go on.
    pub fn freeze(&self) -> Result<()> {
        match (&self.unified, &self.v1) {
            (Some(unified), _) => unified.freeze(),
            (None, v1) => v1.as_ref().map_or(Ok(()), Tree::freeze),
        }
    }

    /// Lets the processes go on, those excepted whose cgroups below were frozen by themselves.
    ///
    /// # Errors
    ///
    /// What the kernel says; EBUSY when a cgroup above it stays frozen.
    pub fn thaw(&self) -> Result<()> {
        match (&self.unified, &self.v1) {
            (Some(unified), _) => unified.thaw(),
            (None, v1) => v1.as_ref().map_or(Ok(()), Tree::thaw),
        }
    }

    /// Changes its limits, all that `update` has or none. The answer is what of it is not enforced,
    /// in one line.
    ///
    /// # Errors
    ///
    /// With the field and the file of the value that was refused. The limits are as before then;
    /// if one of them could not be put back, the text names it.
    pub fn update(&self, update: &Update) -> Result<Option<String>> {
        update.apply(self)
    }

    /// Removes the cgroup at `place` with every process in it. One in which nothing is left, which
    /// is the rule, takes one call for each directory.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::remove`].
    pub fn remove_at(place: &Place) -> Result<()> {
        let left = if place.remove_if_empty() { None } else { Self::open(place)? };
        left.as_ref().map_or(Ok(()), Self::kill_all)?;
        place.forget_scope();
        left.map_or(Ok(()), Self::remove)
    }

    /// The same for a cgroup whose processes have all ended: who is there is somebody else's, and
    /// stays.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::remove`].
    pub(crate) fn remove_unused(place: &Place) -> Result<()> {
        let left = if place.remove_if_empty() { None } else { Self::open(place)? };
        left.map_or(Ok(()), Self::remove)?;
        // Not before: a scope of that name may be theirs.
        place.forget_scope();
        Ok(())
    }

    /// Removes it and everything below, waiting up to ten seconds for processes to be gone; ending
    /// them is the caller's business. It is no error if it is gone already. What is above stays.
    ///
    /// # Errors
    ///
    /// EBUSY when processes are still there then, naming them.
    pub fn remove(self) -> Result<()> {
        let v1 = self.v1.map_or(Ok(()), Tree::remove);
        self.unified.map_or(Ok(()), Directory::remove).and(v1)
    }
}

/// A scope of a user's systemd, for a caller who is not below that systemd.
#[derive(Clone, Copy)]
pub(crate) struct Guarded<'a> {
    scope: &'a Scope,
    unified: &'a Path,
}

impl Guarded<'_> {
    /// Has systemd let a child of the caller's in.
    ///
    /// # Errors
    ///
    /// What systemd says.
    pub(crate) fn admit(&self, pid: i32) -> Result<()> {
        self.scope.attach(self.unified, pid.unsigned_abs())
    }
}

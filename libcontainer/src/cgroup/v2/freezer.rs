//! The freezer: stopping every process of a cgroup, and letting them go on.
//!
//! [`cgroup.freeze`](https://docs.kernel.org/admin-guide/cgroup-v2.html#core-interface-files) is a
//! wish; `cgroup.events` says when it has come true. Processes are stopped where they return to user
//! space, so one that waits for a disk, or for the child of its vfork, keeps the cgroup from being
//! frozen for as long as that takes. SIGKILL reaches the frozen, too.
//!
//! A cgroup with processes of its own counts as frozen when those are, whatever the cgroups below do
//! yet (`cgroup_update_frozen` in the kernel's kernel/cgroup/freezer.c, seen with Linux 6.18). So each
//! of those is waited for, too.

use super::super::directories::failed;
use super::super::file::write_file;
use super::super::walk;
use super::directory::{Directory, wait_until};
use crate::error::{Error, Result};
use nix::errno::Errno;
use std::time::{Duration, Instant};

const FILE: &str = "cgroup.freeze";

/// How long [`Directory::freeze`] and [`Directory::thaw`] wait for the last process.
const PATIENCE: Duration = Duration::from_secs(10);

impl Directory {
    /// Stops every process in it and below, and those that come in, until [`Directory::thaw`]; returns
    /// when none runs any more. To freeze what is frozen is no error.
    ///
    /// # Errors
    ///
    /// What the kernel says; EBUSY when a process has not stopped within ten seconds: then all go on.
    pub(in super::super) fn freeze(&self) -> Result<()> {
        let problem = |error| failed("freeze cgroup", self.path(), error);
        write_file(self.dir(), FILE, "1").map_err(problem)?;
        let frozen = self.are_all_frozen(Instant::now() + PATIENCE);
        if !matches!(frozen, Ok(true)) {
            // What went wrong first is what the caller wants to hear of.
            let _ = write_file(self.dir(), FILE, "0");
        }
        match frozen.map_err(problem)? {
            true => Ok(()),
            false => Err(self.in_vain("freeze", "not all of its processes could be stopped")),
        }
    }

    /// Lets the processes go on; returns when the first may. To thaw what is not frozen is no error.
    /// Cgroups below that were frozen by themselves stay so.
    ///
    /// # Errors
    ///
    /// What the kernel says; EBUSY when a cgroup above it stays frozen.
    pub(in super::super) fn thaw(&self) -> Result<()> {
        let problem = |error| failed("thaw cgroup", self.path(), error);
        write_file(self.dir(), FILE, "0").map_err(problem)?;
        let deadline = Instant::now() + PATIENCE;
        match wait_until(self.dir(), |events| !events.frozen, deadline).map_err(problem)? {
            true => Ok(()),
            false => Err(self.in_vain("thaw", "a cgroup above it is frozen")),
        }
    }

    /// Waits for it and everything below; what is made below meanwhile is born frozen.
    fn are_all_frozen(&self, deadline: Instant) -> nix::Result<bool> {
        let mut all = true;
        walk::visit_all(self.dir(), |dir| {
            all &= wait_until(dir, |events| events.frozen, deadline)?;
            Ok(())
        })?;
        Ok(all)
    }

    fn in_vain(&self, doing: &str, why: &str) -> Error {
        let seconds = PATIENCE.as_secs();
        let text = format!("{doing} cgroup {}: {why} in {seconds} seconds", self.path().display());
        Error::system(text, Errno::EBUSY)
    }
}

//! Stopping all processes of a container: `freezer.state`.
//!
//! The kernel stops those that are there when FROZEN is written. While others come, by fork(2) or from
//! outside, it may stay FREEZING for good; so FROZEN is written again and again, with a thaw now and
//! then, which frees those that wait for one that is stopped. That is what runc found to work.

use super::super::directories::failed;
use super::super::file::{read_file, write_file};
use super::super::walk;
use super::tree::{Directory, Tree};
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;
use std::time::{Duration, Instant};

/// A process that waits for a disk or for a child of vfork(2) is not stopped until it is served.
const PATIENCE: Duration = Duration::from_secs(10);

const RETRY: Duration = Duration::from_micros(200);
const THAW_EVERY: u32 = 50;
const THAWED_FOR: Duration = Duration::from_millis(10);

impl Tree {
    /// Stops every process in it and below; they are stopped when this returns.
    ///
    /// # Errors
    ///
    /// When the host has no freezer, and when one cannot be stopped in ten seconds: all run on then.
    pub(in super::super) fn freeze(&self) -> Result<()> {
        let freezer = self.freezer()?;
        let problem = |error| failed("freeze", &freezer.path, error);
        if freezer.freeze_within(PATIENCE).map_err(problem)? {
            return Ok(());
        }
        freezer.thaw().map_err(problem)?;
        let text = format!(
            "freeze {}: not all of its processes could be stopped in {} seconds; they run on",
            freezer.path.display(),
            PATIENCE.as_secs()
        );
        Err(Error::system(text, Errno::EBUSY))
    }

    /// Lets them run again.
    ///
    /// # Errors
    ///
    /// When the host has no freezer; what the kernel says.
    pub(in super::super) fn thaw(&self) -> Result<()> {
        let freezer = self.freezer()?;
        freezer.thaw().map_err(|error| failed("thaw", &freezer.path, error))
    }

    /// Lets everyone in it and below run, also those whom a container has stopped in cgroups of its
    /// own: nobody who is stopped by v1 dies of SIGKILL. Nothing where there is no freezer.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(in super::super) fn thaw_all(&self) -> Result<()> {
        self.with("freezer").map_or(Ok(()), Directory::thaw_all)
    }

    fn freezer(&self) -> Result<&Directory> {
        self.with("freezer").ok_or_else(|| {
            let text = "pause and resume need the freezer of cgroup v1, which is not mounted here, \
                        or is read-only";
            Error::new(ErrorKind::Unsupported, text)
        })
    }
}

impl Directory {
    /// Whether all are stopped; if not, those that could be still are.
    pub(super) fn freeze_within(&self, patience: Duration) -> nix::Result<bool> {
        let deadline = Instant::now() + patience;
        let mut tries = 0;
        while !self.try_freeze()? {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tries += 1;
            if tries % THAW_EVERY == 0 {
                self.thaw()?;
                std::thread::sleep(THAWED_FOR);
            } else {
                std::thread::sleep(RETRY);
            }
        }
        Ok(true)
    }

    fn try_freeze(&self) -> nix::Result<bool> {
        write_file(self.dir(), "freezer.state", "FROZEN")?;
        Ok(read_file(self.dir(), "freezer.state")?.trim() == "FROZEN")
    }

    pub(super) fn thaw(&self) -> nix::Result<()> {
        write_file(self.dir(), "freezer.state", "THAWED")
    }

    pub(super) fn thaw_all(&self) -> Result<()> {
        walk::visit_all(self.dir(), |dir| write_file(dir, "freezer.state", "THAWED"))
            .map_err(|error| failed("thaw", &self.path, error))
    }

    pub(super) fn is_frozen(&self) -> Result<bool> {
        let own = read_file(self.dir(), "freezer.self_freezing");
        let own =
            own.map_err(|error| failed("read freezer.self_freezing of", &self.path, error))?;
        Ok(own.trim() == "1")
    }
}

//! Ending all processes of a container where there is no `cgroup.kill`.
//!
//! They are stopped first, so that none can fork while the others are signalled, and let go on after,
//! since one that is stopped does not die. Where stopping them is not possible, or takes too long, they
//! are listed and signalled over and over, for a while.

use super::super::directories::failed;
use super::super::walk::gone;
use super::tree::Tree;
use crate::error::Result;
use crate::sys::Errno;
use crate::sys::process::{pidfd_open, pidfd_send_signal};
use std::collections::HashSet;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// Long enough for any process that runs.
const PATIENCE: Duration = Duration::from_millis(200);

const ROUNDS: usize = 100;
const PAUSE: Duration = Duration::from_millis(1);

/// So many are held open at once, well below the least limit of descriptors.
const BATCH: usize = 128;

impl Tree {
    /// Kills every process in it and below, also those that are stopped (SIGKILL). They are not gone
    /// yet when this returns, but they run no more of their own code.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(in super::super) fn kill_all(&self) -> Result<()> {
        let Some(freezer) = self.with("freezer") else {
            return self.kill_rounds(ROUNDS);
        };
        let problem = |error| failed("kill all in", &freezer.path, error);
        let frozen = match freezer.freeze_within(PATIENCE) {
            Err(error) if gone(error) => return Ok(()),
            frozen => frozen.map_err(problem)?,
        };
        let first = self.kill_rounds(1);
        freezer.thaw_all()?;
        match frozen {
            true => first,
            false => first.and_then(|()| self.kill_rounds(ROUNDS)),
        }
    }

    fn kill_rounds(&self, rounds: usize) -> Result<()> {
        for round in 0..rounds {
            if round > 0 {
                std::thread::sleep(PAUSE);
            }
            let pids = self.processes()?;
            if pids.is_empty() {
                break;
            }
            pids.chunks(BATCH).try_for_each(|batch| self.kill(batch))?;
        }
        Ok(())
    }

    /// A number may be another process's by now. So they are opened first and then looked for again:
    /// one that is still in the list has had its number all the time, or is gone, and the signal with
    /// it.
    fn kill(&self, pids: &[i32]) -> Result<()> {
        let opened: Vec<(i32, OwnedFd)> =
            pids.iter().filter_map(|pid| Some((*pid, pidfd_open(*pid).ok()?))).collect();
        let here: HashSet<i32> = self.processes()?.into_iter().collect();
        for (pid, pidfd) in opened.iter().filter(|(pid, _)| here.contains(pid)) {
            match pidfd_send_signal(pidfd.as_raw_fd(), libc::SIGKILL) {
                Ok(()) | Err(Errno(libc::ESRCH)) => {}
                Err(Errno(code)) => {
                    let error = nix::errno::Errno::from_raw(code);
                    let path = self.directories.first().map_or(Path::new(""), |one| &one.path);
                    return Err(failed(&format!("kill process {pid} of"), path, error));
                }
            }
        }
        Ok(())
    }
}

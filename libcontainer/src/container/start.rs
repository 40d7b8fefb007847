//! `start`: lets a created container execute its program.

use super::start_fifo::{Outcome, StartFifo};
use super::{Container, status};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::Hooks;
use crate::parent::{self, Process};
use crate::plan::Host;
use crate::sys::file::Flock;
use std::os::fd::AsFd;

impl Container {
    /// Executes the program of a created container; returns when that has happened.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongState`] when the container is not created any more: of two that start it
    /// at once, one gets this.
    pub fn start(&self) -> Result<()> {
        let (lock, record) = self.directory.lock_with_record(Flock::Exclusive)?;
        let (pid, pidfd) =
            status::open_init(&record).ok_or_else(|| self.wrong_state("has stopped"))?;
        let config = self.stored_config()?;
        let fifo = self.directory.start_fifo()?.filter(StartFifo::is_awaited);
        let fifo = fifo.ok_or_else(|| self.wrong_state("is already running"))?;
        if status::is_paused(&record) {
            return Err(self.wrong_state("is paused; resume it first"));
        }
        let host = Host::detect_to_join()?;
        let hooks = Hooks::new(&self.id, config.spec(), &record.bundle, &host, record.keyring);
        hooks
            .start_container(Process { pid, pidfd: pidfd.as_fd() }, record.cgroup.as_ref())
            .inspect_err(|_| drop(super::delete::kill(&pidfd, record.cgroup.as_ref())))?;
        let outcome =
            fifo.start().map_err(|errno| Error::system("start the container's process", errno))?;
        match outcome {
            Outcome::Executed => self.directory.remove_start_fifo()?,
            Outcome::Failed(step, errno) => {
                let process = config.spec().process().as_ref();
                let label = process.and_then(|process| process.selinux_label().as_deref());
                let label = label.filter(|label| !label.is_empty());
                return Err(parent::start_failed(&program(config), label, step, errno));
            }
            // Killed just now, or let go by a `start` that was killed itself.
            Outcome::Unread => return Err(self.wrong_state("does not wait any more")),
        }
        drop(lock);
        hooks.poststart(pid);
        Ok(())
    }

    fn wrong_state(&self, what: &str) -> Error {
        Error::new(
            ErrorKind::WrongState,
            format!("cannot start container {:?}: it {what}", self.id),
        )
    }
}

fn program(config: &Config) -> String {
    let process = config.spec().process().as_ref();
    process.and_then(|process| process.args().as_ref()?.first().cloned()).unwrap_or_default()
}

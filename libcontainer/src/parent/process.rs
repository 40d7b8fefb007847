//! A process that we have made, until it is somebody else's to wait for.

use crate::error::{Error, ErrorKind, Result};
use crate::procfs::Stat;
use crate::sys::process::{self, Ended};
use nix::poll::{PollFd, PollFlags, poll};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A process that is the container's, before it is known to be ready.
#[derive(Clone, Copy)]
pub(crate) struct Process<'a> {
    pub(crate) pid: i32,
    pub(crate) pidfd: BorrowedFd<'a>,
}

/// A child, killed and reaped when it is dropped before it is [kept](Self::keep).
pub(crate) struct Child {
    pub(crate) pid: i32,
    pidfd: Option<OwnedFd>,
    /// Read once when it is there; of the joiner it is not asked.
    pub(crate) stat: Stat,
    /// It makes the container's process, a child of ours too, in a session that it has begun. Where it ends, or
    /// is stopped, before it has told which process that is, nobody else can wait for that one, and the
    /// container's first process, which waits for all of its pid namespace to be reaped, cannot end.
    leads: bool,
}

impl Child {
    pub(super) fn new(pid: i32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd: Some(pidfd), stat: Stat::default(), leads: false }
    }

    /// The joiner of a process that is told of later.
    pub(super) fn leading(mut self) -> Self {
        self.leads = true;
        self
    }

    /// The error of one that ended before it was ready.
    pub(super) fn died(&mut self) -> Error {
        died(self.reap())
    }

    /// The same of the process that it makes, while it has not ended itself.
    pub(super) fn made_died(&self) -> Option<Error> {
        let ended = if self.leads { process::ended_in_group(self.pid) } else { None };
        ended.map(|ended| died(Some(ended)))
    }

    /// The files of a process that is just being killed are root's, and then gone.
    pub(super) fn died_or(&mut self, error: Error) -> Error {
        const PATIENCE: u8 = 100;
        let Some(pidfd) = &self.pidfd else { return error };
        if !matches!(error.errno(), Some(libc::EACCES | libc::ENOENT | libc::ESRCH)) {
            return error;
        }
        match poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PATIENCE) {
            Ok(1..) => self.died(),
            _ => error,
        }
    }

    pub(crate) fn process(&self) -> Result<Process<'_>> {
        let pidfd = self
            .pidfd
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::System, "the process is gone"))?;
        Ok(Process { pid: self.pid, pidfd: pidfd.as_fd() })
    }

    pub(super) fn keep(mut self) -> Result<(i32, OwnedFd)> {
        let pidfd = self.pidfd.take();
        pidfd
            .map(|pidfd| (self.pid, pidfd))
            .ok_or_else(|| Error::new(ErrorKind::System, "the process is gone"))
    }

    /// Kills the joiner, which may be stopped before its end, and goes on as the process that it has made.
    pub(super) fn becomes(&mut self, pid: i32, pidfd: OwnedFd) {
        let mut joiner = std::mem::replace(self, Self::new(pid, pidfd));
        joiner.leads = false;
    }

    /// Waits for a child that has ended, or is about to, and takes along what it leads.
    fn reap(&mut self) -> Option<Ended> {
        let pidfd = self.pidfd.take()?;
        // As long as it is to be reaped its number is its group's. Where the kernel reaps it (SIGCHLD ignored),
        // it reaps the group as well.
        let leads = self.leads && process::await_end(pidfd.as_raw_fd()).is_ok();
        if leads {
            process::kill_group(self.pid);
        }
        let ended = process::wait(pidfd.as_raw_fd(), true);
        if leads {
            process::wait_for_group(self.pid);
        }
        ended.ok().flatten()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pidfd) = &self.pidfd {
            // It may have ended by itself: then there is nothing to kill.
            let _ = process::pidfd_send_signal(pidfd.as_raw_fd(), libc::SIGKILL);
            self.reap();
        }
    }
}

fn died(ended: Option<Ended>) -> Error {
    let how = match ended {
        Some(Ended::Killed(libc::SIGKILL)) => "was killed by signal 9 (if by the kernel: \
            linux.resources.memory.limit is less than it takes)"
            .to_owned(),
        Some(Ended::Killed(signal)) => format!("was killed by signal {signal}"),
        Some(Ended::Exited(code)) => format!("exited with {code}"),
        None => "vanished".to_owned(),
    };
    let text = format!("the container's process {how} while it was being set up");
    Error::new(ErrorKind::Setup, text)
}

//! `delete`: removes what `create` made, in the reverse order.

use super::{Container, Status, status};
use crate::cgroup::{Cgroup, Place};
use crate::error::{Error, ErrorKind, Result};
use crate::hooks;
use crate::sys;
use crate::sys::file::Flock;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a killed process may take to be gone; it may be writing out a core or wait for a disk.
const PATIENCE: Duration = Duration::from_secs(10);

const THAW_EVERY: Duration = Duration::from_millis(100);

impl Container {
    /// Removes a container that is stopped or was never started; with `force`, any, killing what
    /// runs in it. poststop hooks run; what they do wrong is only warned of.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongState`] when it runs and `force` is false.
    pub fn delete(mut self, force: bool) -> Result<()> {
        // A `start` that waits for a program that waits for its seccomp agent holds the lock.
        let killed = self.init().filter(|_| force);
        if let Some((_, pidfd)) = &killed {
            let _ = sys::process::pidfd_send_signal(pidfd.as_raw_fd(), libc::SIGKILL);
            self.record.cgroup.iter().for_each(Place::let_die);
        }
        let ended = self.record.init.filter(|_| force && killed.is_none());
        let lock;
        (lock, self.record) = self.directory.lock_with_record(Flock::Exclusive)?;
        if !force
            && let status = status::status(&self.directory, &self.record)
            && !matches!(status, Status::Stopped | Status::Created)
        {
            let text =
                format!("cannot delete container {:?} that is not stopped: {status}", self.id);
            return Err(Error::new(ErrorKind::WrongState, text));
        }
        // What has ended stays so: it need not be looked for again.
        let init = if ended.is_some() && ended == self.record.init { None } else { self.init() };
        // One that has ended only now is still to be reaped.
        if let Some((_, pidfd)) = init.or(killed) {
            kill(&pidfd, self.record.cgroup.as_ref())?;
        }
        if let Some(place) = &self.record.cgroup {
            match self.record.init {
                Some(_) if force || !self.record.own_pids => Cgroup::remove_at(place)?,
                Some(_) => Cgroup::remove_unused(place)?,
                None => remove_if_empty(place),
            }
        }
        if let Some(place) = &self.record.intel_rdt {
            place.remove()?;
        }
        self.record.uncover();
        let config = if self.record.poststop { Some(self.stored_config()?) } else { None };
        self.directory.remove()?;
        drop(lock);
        if let Some(config) = config {
            hooks::poststop(&self.id, config.spec(), &self.record.bundle);
        }
        Ok(())
    }
}

/// The cgroup of a creation that was cut short may be somebody else's, found in use: nobody in it is
/// killed. A child of ours that is still in it ends by itself, now that its parent is gone.
fn remove_if_empty(cgroup: &Place) {
    const TRIES: usize = 50;
    for _ in 0..TRIES {
        if cgroup.remove_if_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    cgroup.forget_scope_if_unused();
}

/// Kills the first process, with which the kernel kills its pid namespace, and waits for its end.
pub(super) fn kill(pidfd: &OwnedFd, cgroup: Option<&Place>) -> Result<()> {
    let _ = sys::process::pidfd_send_signal(pidfd.as_raw_fd(), libc::SIGKILL);
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Again and again: a container with cgroups of its own may stop its first process anew.
        let freezer = cgroup.filter(|place| place.freezer().is_some());
        freezer.inspect(|place| place.let_die());
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = if freezer.is_some() { left.min(THAW_EVERY) } else { left };
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if left.is_zero() => {
                return Err(Error::new(
                    ErrorKind::System,
                    "the container's process does not end, though it was killed; if this process has entered it (exec), it must wait for what it started there",
                ));
            }
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(errno) => return Err(Error::system("wait for the container's process", errno)),
        }
    }
    // If it is our child, nobody else will reap it.
    let _ = sys::process::wait(pidfd.as_raw_fd(), false);
    Ok(())
}

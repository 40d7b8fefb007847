//! Containers: one directory of state each below a [`StateRoot`], and what can be done with them.

mod agent;
mod covered;
mod create;
mod delete;
mod directory;
mod events;
mod exec;
mod id;
mod options;
mod pause;
mod record;
mod root;
mod start;
mod start_fifo;
mod status;
mod update;

pub use events::{Event, Events};
pub use options::{CreateOptions, ExecOptions, Terminal};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use record::fuzz as record_fuzz;
pub use root::StateRoot;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use status::name_in;
pub use status::{State, Status};

use crate::cgroup::Cgroup;
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::sys;
use crate::sys::file::Flock;
use directory::Directory;
use record::Record;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::OnceLock;

/// A container that exists: created, running, paused or stopped.
#[derive(Debug)]
pub struct Container {
    id: String,
    directory: Directory,
    record: Record,
    config: OnceLock<Config>,
}

/// What [`StateRoot::create`] and [`StateRoot::run`] give.
#[derive(Debug)]
#[non_exhaustive]
pub struct Created {
    /// The container.
    pub container: Container,
    /// Its first process.
    pub init: Spawned,
}

/// A process that this library made: a container's first or one that [`Container::exec`] added. It
/// is a child of the calling process.
#[derive(Debug)]
#[non_exhaustive]
pub struct Spawned {
    /// Its process id as the caller sees it.
    pub pid: i32,
    /// Refers to it for as long as this is open, whatever becomes of the number.
    pub pidfd: OwnedFd,
    /// The other side of its terminal, for [`Terminal::Master`].
    pub terminal: Option<OwnedFd>,
}

impl Spawned {
    /// Waits until the process has ended, and reaps it.
    ///
    /// # Errors
    ///
    /// Those of waitid(2): ECHILD when somebody else has reaped it, be it the kernel, since the caller
    /// ignores SIGCHLD.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        match sys::process::wait(self.pidfd.as_raw_fd(), true)? {
            Some(sys::process::Ended::Exited(code)) => Ok(ExitStatus::from_raw((code & 0xff) << 8)),
            Some(sys::process::Ended::Killed(signal)) => Ok(ExitStatus::from_raw(signal & 0x7f)),
            None => Err(io::Error::from_raw_os_error(libc::ECHILD)),
        }
    }
}

impl Container {
    /// The container's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The configuration that the container was created with. Of one that is only half made it waits
    /// for the rest.
    ///
    /// # Errors
    ///
    /// When the stored copy cannot be read.
    pub fn config(&self) -> Result<&Config> {
        if self.record.init.is_none() {
            drop(self.directory.lock_with_record(Flock::Shared)?);
        }
        self.stored_config()
    }

    /// The same for who has the lock, or had it.
    fn stored_config(&self) -> Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = Config::from_bytes(self.directory.config()?)?;
        Ok(self.config.get_or_init(|| config))
    }

    fn new(directory: Directory, record: Record) -> Self {
        Self { id: directory.id().to_owned(), directory, record, config: OnceLock::new() }
    }

    /// What the container is doing now.
    ///
    /// # Errors
    ///
    /// When the kernel does not say.
    pub fn state(&self) -> Result<State> {
        Ok(status::state(&self.directory, &self.record))
    }

    /// The host's ids of every process in the container.
    ///
    /// # Errors
    ///
    /// When the kernel does not say.
    pub fn processes(&self) -> Result<Vec<i32>> {
        if let Some(cgroup) = self.cgroup()? {
            return cgroup.processes();
        }
        match self.init() {
            Some((pid, _)) => status::processes_of(pid),
            None => Ok(Vec::new()),
        }
    }

    /// Sends a signal to the first process or, with `all`, to every process in the container. SIGKILL
    /// is for every process in any case: where the container has no pid namespace of its own, the
    /// others would stay behind.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRunning`] when there is none.
    pub fn kill(&self, signal: i32, all: bool) -> Result<()> {
        if all || (signal == libc::SIGKILL && !self.record.own_pids && self.init().is_some()) {
            return self.kill_all(signal);
        }
        let (_, pidfd) = self.init().ok_or_else(not_running)?;
        match sys::process::pidfd_send_signal(pidfd.as_raw_fd(), signal) {
            Err(sys::Errno(libc::ESRCH)) => return Err(not_running()),
            sent => sent.map_err(|errno| Error::system(format!("send signal {signal}"), errno))?,
        }
        if let (libc::SIGKILL, Some(place)) = (signal, &self.record.cgroup) {
            place.let_die();
        }
        Ok(())
    }

    fn kill_all(&self, signal: i32) -> Result<()> {
        let cgroup = self.cgroup()?;
        if let (libc::SIGKILL, Some(cgroup)) = (signal, &cgroup) {
            return cgroup.kill_all();
        }
        for pid in self.processes()? {
            // It may have ended since it was listed.
            if let Ok(pidfd) = sys::process::pidfd_open(pid) {
                let _ = sys::process::pidfd_send_signal(pidfd.as_raw_fd(), signal);
            }
        }
        Ok(())
    }

    /// The first process, if it is alive.
    fn init(&self) -> Option<(i32, OwnedFd)> {
        status::open_init(&self.record)
    }

    /// The cgroup, if the container has one and it is still there.
    fn cgroup(&self) -> Result<Option<Cgroup>> {
        match &self.record.cgroup {
            Some(place) => Cgroup::open(place),
            None => Ok(None),
        }
    }
}

fn not_running() -> Error {
    Error::new(ErrorKind::NotRunning, "container not running")
}

//! `start`: lets a created container execute its program.

use super::directory::Directory;
use super::{Container, status};
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::Hooks;
use crate::parent::{self, Process};
use crate::plan::Host;
use crate::sys::file::Flock;
use crate::sys::socket;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd};

impl Container {
    /// Executes the program of a created container; returns when that has happened.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongState`] when the container is not created any more: of two that start it
    /// at once, one gets this.
    pub fn start(&self) -> Result<()> {
        let (lock, record) = self.directory.lock_with_record(Flock::Exclusive)?;
        let config = self.config()?;
        let (pid, pidfd) =
            status::open_init(&record).ok_or_else(|| self.wrong_state("has stopped"))?;
        if !status::waits_for_start(&self.directory) {
            return Err(self.wrong_state("is already running"));
        }
        let host = Host::detect()?;
        let hooks = Hooks::new(&self.id, config.spec(), &record.bundle, &host, record.keyring);
        hooks
            .start_container(Process { pid, pidfd: pidfd.as_fd() }, record.cgroup.as_deref())
            .inspect_err(|_| drop(super::delete::kill(&pidfd)))?;
        let path = CString::new(Directory::start_socket(&lock)).unwrap_or_default();
        let connection = socket::connect(&path, libc::SOCK_SEQPACKET)
            .map_err(|errno| Error::system("reach the container's process", errno))?;
        socket::send(connection.as_raw_fd(), &[1], None)
            .map_err(|errno| Error::system("start the container's process", errno))?;
        let name = config
            .spec()
            .process()
            .as_ref()
            .and_then(|process| process.args().as_ref()?.first().cloned());
        if let Some(error) = parent::start_failure(&connection, &name.unwrap_or_default())? {
            return Err(error);
        }
        self.directory.forget_start_socket()?;
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

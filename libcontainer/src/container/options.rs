//! What a caller may choose, beyond what the bundle says.

use crate::cgroup::Manager;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file;
use std::path::PathBuf;

/// Where the other side of a process's terminal goes. Only looked at when `process.terminal` is true.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Terminal {
    /// Nowhere: asking for a terminal is an error.
    #[default]
    None,
    /// To whoever listens at this unix socket (`SCM_RIGHTS`), as engines want it.
    Socket(PathBuf),
    /// To the caller, in [`Spawned::terminal`](super::Spawned::terminal).
    Master,
}

/// Options of [`StateRoot::create`](super::StateRoot::create) and [`StateRoot::run`](super::StateRoot::run).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CreateOptions {
    /// Where the terminal goes.
    pub terminal: Terminal,
    /// Who makes the cgroup.
    pub cgroups: Manager,
    /// Leaves the old root mounted below the new one, for a root filesystem on ramfs. Less safe.
    pub no_pivot: bool,
    /// Shares the caller's session keyring with the container.
    pub no_new_keyring: bool,
    /// How many descriptors from 3 up the process is given, beside stdin, stdout and stderr.
    pub preserve_fds: u32,
    /// Variables added to `process.env`.
    pub env: Vec<String>,
    /// Set by [`StateRoot::create`](super::StateRoot::create).
    pub(crate) wait_for_start: bool,
}

/// The descriptors that the process is to be given must be there: what we open for ourselves would
/// take their numbers.
pub(super) fn check_preserved(count: u32) -> Result<()> {
    const FIRST: u32 = 3;
    let passed = |fd: &u32| matches!(file::is_passed_on_exec(*fd as i32), Ok(true));
    match (FIRST..FIRST.saturating_add(count)).find(|fd| !passed(fd)) {
        None => Ok(()),
        Some(fd) => {
            let text = format!(
                "preserve-fds {count}: descriptor {fd} is not open to be passed on; open it without close-on-exec, or preserve fewer"
            );
            Err(Error::new(ErrorKind::InvalidArgument, text))
        }
    }
}

/// Options of [`Container::exec`](super::Container::exec).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExecOptions {
    /// Where the terminal goes.
    pub terminal: Terminal,
    /// How many descriptors from 3 up the process is given, beside stdin, stdout and stderr.
    pub preserve_fds: u32,
    /// A cgroup below the container's own for the process.
    pub cgroup: Option<PathBuf>,
    /// Goes ahead when the container is paused; the process then starts when it is resumed.
    pub ignore_paused: bool,
    /// Variables added to the process's.
    pub env: Vec<String>,
}

//! A directory of cgroup v2 with everything below it: who is in it, ending them, taking it away.

use super::super::directories::{self, REMOVE_TIMEOUT, failed, still_used};
use super::super::file::{read_file, write_file};
use super::super::walk::{self, busy, gone, open_directory};
use crate::error::Result;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::sys::statfs::CGROUP2_SUPER_MAGIC;
use nix::sys::uio::pread;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long until rmdir is tried again where there is no event to wait for.
const RETRY: Duration = Duration::from_millis(5);

/// A cgroup v2 directory.
#[derive(Debug)]
pub(in super::super) struct Directory {
    path: PathBuf,
    dir: OwnedFd,
}

/// `cgroup.events`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in super::super) struct Events {
    /// Whether a process lives here or below.
    pub(in super::super) populated: bool,
    /// Whether all of them are stopped.
    pub(in super::super) frozen: bool,
}

impl Events {
    fn parse(text: &str) -> Self {
        let set = |line: &str| text.lines().any(|one| one == line);
        Self { populated: set("populated 1"), frozen: set("frozen 1") }
    }
}

impl Directory {
    /// Opens the cgroup at `path`, an absolute path on the host; `None` if it is gone. Anything that
    /// is no cgroup v2 directory is refused, so a wrong path can do no harm.
    pub(in super::super) fn open(path: impl Into<PathBuf>) -> Result<Option<Self>> {
        let path = path.into();
        let dir = directories::open(&path, CGROUP2_SUPER_MAGIC)?;
        Ok(dir.map(|dir| Self { path, dir }))
    }

    /// Opens a directory that was just made below a hierarchy's root.
    pub(in super::super) fn open_made(path: &Path) -> nix::Result<Self> {
        Ok(Self { dir: open_directory(path)?, path: path.to_path_buf() })
    }

    /// The directory, for CLONE_INTO_CGROUP.
    pub(in super::super) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// `cgroup.procs`, for who walks in.
    pub(in super::super) fn door(&self) -> Result<OwnedFd> {
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        openat(&self.dir, "cgroup.procs", flags, Mode::empty())
            .map_err(|error| failed("open", &self.path.join("cgroup.procs"), error))
    }

    /// The directory's path on the host: what to store to find it again with [`Directory::open`].
    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    /// The processes in it and below, by their ids in the caller's pid namespace, in no order. Those
    /// of other pid namespaces, which have no id here, are left out.
    pub(in super::super) fn processes(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        let listing = |error| failed("list the processes of", &self.path, error);
        walk::visit_all(self.dir(), |dir| read_pids(dir, &mut pids)).map_err(listing)?;
        Ok(pids)
    }

    /// Kills every process in it and below, also those that are being forked (SIGKILL by
    /// `cgroup.kill`). They are not gone yet when this returns.
    pub(in super::super) fn kill_all(&self) -> Result<()> {
        match write_file(self.dir(), "cgroup.kill", "1") {
            Err(error) if !gone(error) => Err(failed("kill all in", &self.path, error)),
            _ => Ok(()),
        }
    }

    /// Removes it and everything below, waiting up to ten seconds for processes to be gone; ending
    /// them is the caller's business. It is no error if it is gone already. What is above stays.
    pub(in super::super) fn remove(self) -> Result<()> {
        let deadline = Instant::now() + REMOVE_TIMEOUT;
        let problem = |error| failed("remove cgroup", &self.path, error);
        let mut pause = Duration::ZERO;
        loop {
            match unlinkat(AT_FDCWD, &self.path, UnlinkatFlags::RemoveDir) {
                Ok(()) => return Ok(()),
                Err(error) if gone(error) => return Ok(()),
                Err(error) if !busy(error) => return Err(problem(error)),
                Err(_) if Instant::now() >= deadline => {
                    let left = self.processes().unwrap_or_default();
                    return Err(still_used(&self.path, REMOVE_TIMEOUT, &left));
                }
                Err(_) => {}
            }
            std::thread::sleep(pause);
            wait_until(self.dir(), |events| !events.populated, deadline).map_err(problem)?;
            match walk::remove_below(self.dir()) {
                Err(error) if !busy(error) => return Err(problem(error)),
                _ => pause = RETRY,
            }
        }
    }

    /// Whether anyone lives here, and whether they are frozen.
    pub(in super::super) fn events(&self) -> Result<Events> {
        let text = read_file(self.dir(), "cgroup.events")
            .map_err(|error| failed("read cgroup.events of", &self.path, error))?;
        Ok(Events::parse(&text))
    }
}

/// Waits until `cgroup.events` of the cgroup directory `dir` is as `wanted`, or for the deadline;
/// whether it is. A cgroup that is gone has nothing more to tell, and is as wanted.
pub(super) fn wait_until(
    dir: BorrowedFd<'_>,
    wanted: impl Fn(Events) -> bool,
    deadline: Instant,
) -> nix::Result<bool> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let file = match openat(dir, "cgroup.events", flags, Mode::empty()) {
        Err(error) if gone(error) => return Ok(true),
        file => file?,
    };
    let mut text = [0; 256];
    loop {
        let length = match pread(&file, &mut text, 0) {
            Err(error) if gone(error) => return Ok(true),
            length => length?,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if wanted(Events::parse(&String::from_utf8_lossy(&text[..length]))) {
            return Ok(true);
        }
        if left.is_zero() {
            return Ok(false);
        }
        let mut changed = [PollFd::new(file.as_fd(), PollFlags::POLLPRI)];
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut changed, left) {
            Err(error) if error != Errno::EINTR => return Err(error),
            _ => {}
        }
    }
}

/// A threaded cgroup has no list of its own: its processes are in that of the domain above.
pub(in super::super) fn read_pids(dir: BorrowedFd<'_>, pids: &mut Vec<i32>) -> nix::Result<()> {
    let file = openat(dir, "cgroup.procs", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    match File::from(file).read_to_string(&mut text) {
        Ok(_) => pids
            .extend(text.lines().filter_map(|line| line.parse().ok()).filter(|pid: &i32| *pid > 0)),
        Err(error) if error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) => {}
        Err(error) => return Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn events_are_read_by_name() {
        let events = Events::parse("populated 1\nfrozen 0\n");
        assert_eq!((events.populated, events.frozen), (true, false));
        let events = Events::parse("populated 0\nfrozen 1\n");
        assert_eq!((events.populated, events.frozen), (false, true));
        assert_eq!(Events::parse(""), Events::default());
    }

    #[test]
    fn what_is_no_cgroup_is_refused_and_what_is_gone_is_none() {
        for path in ["relative", "/sys/fs/cgroup/../x", "/tmp", "/proc"] {
            let error = Directory::open(path).expect_err(path);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{path}");
        }
        let none = Directory::open("/sys/fs/cgroup/unified/skep-no-such-cgroup/x").expect("open");
        assert!(none.is_none());
    }
}

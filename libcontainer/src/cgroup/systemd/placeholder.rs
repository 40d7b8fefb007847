//! A process that does nothing but be there, so that systemd makes a scope around it.

use crate::error::{Error, Result};
use crate::sys::{clone, file, identity, process};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// A process that lives until it is dropped, or until its parent ends.
#[derive(Debug)]
pub(crate) struct Placeholder {
    pid: u32,
    pidfd: OwnedFd,
    /// The process waits for its end.
    #[allow(dead_code, reason = "to be closed")]
    alive: OwnedFd,
}

impl Placeholder {
    /// Makes it: one clone3(2).
    pub(crate) fn new() -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::system("make the process that stands in for the container in its scope", error)
        };
        let (wait, alive) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let cloned = match clone::clone3(0, None).map_err(|errno| failed(errno.into()))? {
            Some(cloned) => cloned,
            None => stand_by(wait.as_raw_fd()),
        };
        Ok(Self { pid: cloned.pid.unsigned_abs(), pidfd: cloned.pidfd, alive })
    }

    /// Its id in the caller's pid namespace.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }
}

/// The child, with system calls only: a session of its own, out of reach of the terminal's signals;
/// nothing open but the pipe, whose other end is the parent's alone; and then it waits for its end.
fn stand_by(wait: RawFd) -> ! {
    let wait = wait.unsigned_abs();
    let _ = identity::setsid();
    if wait > 0 {
        let _ = file::close_range(0, wait - 1);
    }
    let _ = file::close_range(wait + 1, u32::MAX);
    let _ = file::read(wait as RawFd, &mut [0]);
    process::exit(0)
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        let _ = process::pidfd_send_signal(self.pidfd.as_raw_fd(), libc::SIGKILL);
        let _ = process::wait(self.pidfd.as_raw_fd(), true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn state(pid: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.split(' ').next().map(String::from)
    }

    /// Waits, since the child closes its copies some time after clone3(2) has returned.
    fn open_files(pid: u32) -> usize {
        let count = || fs::read_dir(format!("/proc/{pid}/fd")).expect("fds").count();
        for _ in 0..1000 {
            if count() == 1 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        count()
    }

    #[test]
    fn it_holds_nothing_and_leaves_nothing() {
        let placeholder = Placeholder::new().expect("a placeholder");
        let pid = placeholder.pid();
        assert_eq!(open_files(pid), 1);
        assert!(matches!(state(pid).as_deref(), Some("S" | "R")), "{:?}", state(pid));
        drop(placeholder);
        assert_eq!(state(pid), None);
    }

    #[test]
    fn it_ends_when_its_parent_does() {
        let mut placeholder = Placeholder::new().expect("a placeholder");
        placeholder.alive = fs::File::open("/dev/null").expect("a file").into();
        let ended = process::wait(placeholder.pidfd.as_raw_fd(), true);
        assert_eq!(ended, Ok(Some(process::Ended::Exited(0))));
    }
}

//! The FIFO `start.fifo`, at which a created container waits for `start`.
//!
//! Its first process has the FIFO open, and with it an exclusive lock (flock(2)) that `create` took
//! for it. The kernel releases the lock when the process executes its program, since the descriptor
//! is close-on-exec, or dies. So the lock says at any moment whether somebody waits, and who waits
//! for the lock waits for the outcome. All that the process itself does here is to read one byte: a
//! seccomp filter that it has loaded by then need permit no more than read(2) and execve(2).

use crate::child::{MESSAGE_SIZE, Message};
use crate::sys::file::{self, Flock};
use crate::sys::{Errno, Result};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// What `start` sends; no [`Message`] that execve(2) failed begins with it.
const GO: u8 = 1;

/// The FIFO as `start` has it open, and whoever only asks.
pub(super) struct StartFifo(OwnedFd);

/// What the process did when it was told to go.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It executed its program, or was killed while it did.
    Executed,
    /// This step failed with this errno.
    Failed(u32, i32),
    /// It did not wait any more.
    Unread,
}

impl StartFifo {
    /// Makes the FIFO and opens it, locked, for the process that will wait there. The lock lasts as
    /// long as anybody has a copy of this descriptor: the caller closes its own after the clone.
    pub(super) fn make(path: &Path) -> Result<OwnedFd> {
        mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).map_err(errno)?;
        // Its reader is a writer as well: it waits for nobody to open it, and finds no end of file.
        let fifo = open_for_both(path, OFlag::empty())?;
        file::lock(fifo.as_raw_fd(), Flock::Exclusive)?;
        Ok(fifo)
    }

    /// Never waits, and disturbs nobody who does.
    pub(super) fn open(path: &Path) -> Result<Self> {
        open_for_both(path, OFlag::O_NONBLOCK).map(Self)
    }

    /// Whether a process waits here now.
    pub(super) fn is_awaited(&self) -> bool {
        file::lock(self.0.as_raw_fd(), Flock::TryShared) == Err(Errno(libc::EWOULDBLOCK))
    }

    /// Lets the process go on, and waits until that has come to something.
    pub(super) fn start(&self) -> Result<Outcome> {
        let fifo = self.0.as_raw_fd();
        file::write_all(fifo, &[GO])?;
        file::lock(fifo, Flock::Shared)?;
        let mut answer = [0; 2 * MESSAGE_SIZE];
        match file::read(fifo, &mut answer) {
            Err(Errno(libc::EAGAIN)) => Ok(Outcome::Executed),
            read => Ok(outcome(answer.get(..read?).unwrap_or_default())),
        }
    }
}

fn open_for_both(path: &Path, more: OFlag) -> Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | more;
    open(path, flags, Mode::empty()).map_err(errno)
}

fn errno(errno: nix::errno::Errno) -> Errno {
    Errno(errno as i32)
}

/// A `start` that was killed may have left a byte of its own in front.
fn outcome(left: &[u8]) -> Outcome {
    let answer = left.iter().position(|byte| *byte != GO).unwrap_or(left.len());
    match left.get(answer..).and_then(Message::decode) {
        Some(message) => Outcome::Failed(message.step, message.value),
        None => Outcome::Unread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::{EXEC_STEP, Kind};
    use crate::plan::At;

    /// A FIFO in a directory of its own, as `create` makes it, and as others have it.
    fn fifo(test: &str) -> (OwnedFd, StartFifo) {
        let path = std::env::temp_dir().join(format!("{test}-{}.fifo", std::process::id()));
        let made = StartFifo::make(&path).unwrap();
        let opened = StartFifo::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        (made, opened)
    }

    fn go(fifo: &OwnedFd) {
        let mut byte = [0; 1];
        assert_eq!((file::read(fifo.as_raw_fd(), &mut byte), byte[0]), (Ok(1), GO));
    }

    #[test]
    fn a_copy_of_the_descriptor_waits_until_the_last_is_closed() {
        let (made, opened) = fifo("awaited");
        let copy = made.try_clone().unwrap();
        assert!(opened.is_awaited());
        drop(made);
        assert!(opened.is_awaited());
        drop(copy);
        assert!(!opened.is_awaited());
    }

    #[test]
    fn who_reads_the_byte_and_closes_has_executed_its_program() {
        let (made, opened) = fifo("executed");
        let process = std::thread::spawn(move || go(&made));
        assert_eq!(opened.start(), Ok(Outcome::Executed));
        process.join().unwrap();
    }

    #[test]
    fn an_answer_is_found_behind_what_a_killed_start_left() {
        let (made, opened) = fifo("failed");
        file::write_all(opened.0.as_raw_fd(), &[GO]).unwrap();
        let process = std::thread::spawn(move || {
            go(&made);
            let errno = libc::ENOEXEC.to_le_bytes();
            let answer = [&Message::begin::<8>(Kind::Failed, At::EXEC)[..], &errno].concat();
            file::write_all(made.as_raw_fd(), &answer).unwrap();
        });
        assert_eq!(opened.start(), Ok(Outcome::Failed(EXEC_STEP, libc::ENOEXEC)));
        process.join().unwrap();
    }

    #[test]
    fn a_byte_that_nobody_read_comes_back() {
        let (made, opened) = fifo("unread");
        drop(made);
        assert_eq!(opened.start(), Ok(Outcome::Unread));
    }
}

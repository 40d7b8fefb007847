//! Copies between our stdin and stdout and the master of the payload's terminal, both ways, without
//! losing a byte and without blocking: while one side is full, signals and the other side go on.
//!
//! The master is non-blocking. Our own stdio is not made so: its open file description is shared
//! with the caller's shell. It is read only when there is something, and written in pieces that a
//! pipe takes at once when poll says that there is room.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SpecialCharacterIndices, tcgetattr};
use nix::unistd::{read, write};

use crate::sys::STDIO;

/// A pipe with room takes this many bytes without blocking (PIPE_BUF).
const PIECE: usize = 4096;
/// How often a master without a slave is looked at: a program may close its terminal and open it
/// again, and until then poll would return at once.
const REOPEN_MILLISECONDS: u8 = 50;
/// After the end of the process: how long to wait for more from others that hold its terminal.
const IDLE_MILLISECONDS: u8 = 100;
/// After the end of the process: how much is read at most, lest one of those others writes forever.
const LEFTOVER_BYTES: usize = 1 << 20;

/// The two directions.
pub(crate) struct Relay {
    /// None once our stdout is gone: the payload's terminal is then hung up.
    master: Option<File>,
    stdin_open: bool,
    /// Nobody holds the slave at this moment.
    unheld: bool,
    to_payload: Buffer,
    to_stdout: Buffer,
    /// Whether the last byte of input left a line unfinished.
    mid_line: bool,
}

/// What the relay waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Master,
    Stdin,
    Stdout,
}

impl Relay {
    /// Between our stdio and `master`.
    pub(crate) fn new(master: OwnedFd) -> io::Result<Self> {
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
        Ok(Self {
            master: Some(master.into()),
            stdin_open: true,
            unheld: false,
            to_payload: Buffer::new(),
            to_stdout: Buffer::new(),
            mid_line: false,
        })
    }

    /// The master, while there is one.
    pub(crate) fn master(&self) -> Option<BorrowedFd<'_>> {
        self.master.as_ref().map(AsFd::as_fd)
    }

    /// What to poll for.
    pub(crate) fn wants(&self) -> Vec<(End, PollFd<'_>)> {
        let ends = [
            (End::Stdin, Some(STDIO[0]), self.stdin_events()),
            (End::Stdout, Some(STDIO[1]), self.stdout_events()),
            (End::Master, self.master(), self.master_events()),
        ];
        let wanted = ends.into_iter().filter(|(_, _, events)| !events.is_empty());
        wanted.filter_map(|(end, fd, events)| Some((end, PollFd::new(fd?, events)))).collect()
    }

    /// How long to poll.
    pub(crate) fn timeout(&self) -> PollTimeout {
        if self.unheld { REOPEN_MILLISECONDS.into() } else { PollTimeout::NONE }
    }

    fn stdin_events(&self) -> PollFlags {
        let room = self.stdin_open && self.master.is_some() && self.to_payload.is_empty();
        if room { PollFlags::POLLIN } else { PollFlags::empty() }
    }

    fn stdout_events(&self) -> PollFlags {
        if self.to_stdout.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT }
    }

    fn master_events(&self) -> PollFlags {
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, self.to_stdout.is_empty());
        events.set(PollFlags::POLLOUT, !self.to_payload.is_empty());
        if self.unheld { PollFlags::empty() } else { events }
    }

    /// Does what poll found to be possible.
    pub(crate) fn go_on(&mut self, ready: &[End]) {
        self.unheld = false;
        if ready.contains(&End::Stdout) {
            self.write_stdout();
        }
        if ready.contains(&End::Stdin) {
            self.read_stdin();
        }
        if ready.contains(&End::Master) {
            self.write_master();
            self.read_master();
        }
    }

    /// The process has ended: brings the rest of what it wrote to stdout.
    pub(crate) fn finish(&mut self) {
        let mut left = LEFTOVER_BYTES;
        loop {
            while !self.to_stdout.is_empty() {
                wait_for_room();
                self.write_stdout();
            }
            self.unheld = false;
            if left == 0 || !self.readable_soon() {
                return;
            }
            self.read_master();
            if self.to_stdout.is_empty() {
                return;
            }
            left = left.saturating_sub(self.to_stdout.len());
        }
    }

    fn readable_soon(&self) -> bool {
        let Some(master) = self.master() else {
            return false;
        };
        let mut fds = [PollFd::new(master, PollFlags::POLLIN)];
        poll(&mut fds, IDLE_MILLISECONDS).is_ok_and(|ready| ready > 0)
    }

    fn read_master(&mut self) {
        let Some(master) = &mut self.master else {
            return;
        };
        if !self.to_stdout.is_empty() {
            return;
        }
        match self.to_stdout.fill(|space| master.read(space)) {
            Err(error) if is_for_later(&error) => {}
            // EIO: everything was read and nobody holds the slave.
            Ok(0) | Err(_) => self.unheld = true,
            Ok(_) => {}
        }
    }

    fn write_master(&mut self) {
        let Some(master) = &mut self.master else {
            return;
        };
        match self.to_payload.drain(|bytes| master.write(bytes)) {
            Ok(()) => {}
            Err(error) if is_for_later(&error) => {}
            Err(_) => self.unheld = true,
        }
    }

    fn read_stdin(&mut self) {
        match self.to_payload.fill(|space| Ok(read(STDIO[0], space)?)) {
            Err(error) if is_for_later(&error) => {}
            Ok(0) | Err(_) => self.end_input(),
            Ok(_) => self.mid_line = self.to_payload.last() != Some(b'\n'),
        }
    }

    /// A pty has no end of its own: a program that reads lines is told by the character that a
    /// person would type, once for the unfinished line and once for the end.
    fn end_input(&mut self) {
        self.stdin_open = false;
        let Some(settings) = self.master().and_then(|master| tcgetattr(master).ok()) else {
            return;
        };
        if settings.local_flags.contains(LocalFlags::ICANON) {
            let end = settings.control_chars[SpecialCharacterIndices::VEOF as usize];
            self.to_payload.push(&[end, end][usize::from(!self.mid_line)..]);
        }
    }

    fn write_stdout(&mut self) {
        match self.to_stdout.drain(|bytes| Ok(write(STDIO[1], bytes)?)) {
            Ok(()) => {}
            Err(error) if is_for_later(&error) => {}
            Err(_) => self.hang_up(),
        }
    }

    /// Nobody reads our stdout any more: as when a terminal's window is closed.
    fn hang_up(&mut self) {
        self.master = None;
        self.to_stdout = Buffer::new();
    }
}

/// Our stdout may be non-blocking; its owner decides.
fn wait_for_room() {
    // An error here comes back from the write that follows.
    let _ = poll(&mut [PollFd::new(STDIO[1], PollFlags::POLLOUT)], PollTimeout::NONE);
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Bytes on their way.
struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; PIECE].into_boxed_slice(), start: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    fn last(&self) -> Option<u8> {
        self.bytes[self.start..self.end].last().copied()
    }

    /// Replaces the contents by what `read` gives.
    fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        (self.start, self.end) = (0, 0);
        self.end = read(&mut self.bytes)?;
        Ok(self.end)
    }

    /// Gives the contents to `write` and keeps what it does not take.
    fn drain(&mut self, write: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        if !self.is_empty() {
            self.start += write(&self.bytes[self.start..self.end])?;
        }
        Ok(())
    }

    /// Sets the contents of an empty buffer.
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        (self.start, self.end) = (0, bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_keeps_what_was_not_taken() {
        let mut buffer = Buffer::new();
        buffer.push(b"abcdef");
        buffer.drain(|_| Ok(4)).unwrap();
        let mut rest = Vec::new();
        buffer
            .drain(|bytes| {
                rest.extend_from_slice(bytes);
                Ok(bytes.len())
            })
            .unwrap();
        assert_eq!((rest.as_slice(), buffer.is_empty()), (b"ef".as_slice(), true));
    }

    #[test]
    fn failed_read_leaves_the_buffer_empty() {
        let mut buffer = Buffer::new();
        assert!(buffer.fill(|_| Err(ErrorKind::WouldBlock.into())).is_err());
        assert!(buffer.is_empty());
    }

    #[test]
    fn end_of_input_is_typed_to_a_terminal_that_edits_lines() {
        let pty = nix::pty::openpty(None, None).unwrap();
        let mut relay = Relay::new(pty.master).unwrap();
        relay.mid_line = true;
        relay.end_input();
        assert_eq!(&relay.to_payload.bytes[..relay.to_payload.end], [4, 4]);
        assert!(!relay.stdin_open);
        drop(pty.slave);
    }

    #[test]
    fn master_that_nobody_holds_is_looked_at_later() {
        let pty = nix::pty::openpty(None, None).unwrap();
        let mut relay = Relay::new(pty.master).unwrap();
        drop(pty.slave);
        relay.read_master();
        assert!(relay.unheld);
        assert_eq!(relay.timeout(), REOPEN_MILLISECONDS.into());
        assert!(relay.wants().iter().all(|(end, _)| *end != End::Master));
    }
}

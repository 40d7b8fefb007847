//! Terminals made by the test, and terminals that the runtime sends over a console socket.

use std::fs::File;
use std::io::{ErrorKind, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use crate::ctx::Ctx;
use crate::result::{Doing, Res};
use crate::sys;
use crate::text::brief;

const PATIENCE: Duration = Duration::from_secs(10);

/// The master side of a terminal, and all that was read from it.
pub(crate) struct Terminal {
    master: File,
    /// Held until the program that is to have it runs; as long as it is open, there is no end to read.
    slave: Option<OwnedFd>,
    pub(crate) seen: String,
    ended: bool,
}

impl Terminal {
    pub(crate) fn open(rows: u16, columns: u16) -> Res<Terminal> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).doing("open a terminal")?;
        Terminal::new(pair.master, Some(pair.slave))
    }

    fn new(master: OwnedFd, slave: Option<OwnedFd>) -> Res<Terminal> {
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))
            .doing("terminal flags")?;
        Ok(Terminal { master: File::from(master), slave, seen: String::new(), ended: false })
    }

    pub(crate) fn slave(&self) -> Res<&OwnedFd> {
        self.slave.as_ref().doing("slave side")
    }

    /// From now on the programs on it alone keep it open.
    pub(crate) fn let_go(&mut self) {
        self.slave = None;
    }

    pub(crate) fn types(&mut self, text: &str) -> Res {
        self.master.write_all(text.as_bytes()).doing("write to the terminal")
    }

    /// `stty` with this terminal as its stdin: reads or sets modes and size.
    pub(crate) fn stty(&self, ctx: &Ctx, args: &[&str]) -> Res<String> {
        let stdin = self.master.try_clone().doing("copy the terminal")?;
        Ok(ctx.program("stty").args(args).stdin(stdin).ok()?.text().to_string())
    }

    /// Reads until this was seen, and returns what came before and with it; it is taken out.
    pub(crate) fn until(&mut self, text: &str) -> Res<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            self.read();
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return Ok(std::mem::replace(&mut self.seen, rest));
            }
            if self.ended || Instant::now() > end {
                return Err(format!("terminal: no `{text}` in `{}`", brief(&self.seen, 300)));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether this has come by now.
    pub(crate) fn has(&mut self, text: &str) -> bool {
        self.read();
        self.seen.contains(text)
    }

    /// Reads until the last program that has it has closed it.
    pub(crate) fn until_end(&mut self) -> Res<String> {
        let end = Instant::now() + PATIENCE;
        while !self.ended {
            self.read();
            if Instant::now() > end {
                return Err(format!("terminal: not closed, read `{}`", brief(&self.seen, 300)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(std::mem::take(&mut self.seen))
    }

    fn read(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.master.read(&mut buffer) {
                Ok(0) => return self.ended = true,
                Ok(count) => self.seen += &String::from_utf8_lossy(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                // EIO: the slave side is closed.
                Err(_) => return self.ended = true,
            }
        }
    }
}

/// A socket for `--console-socket`.
pub(crate) struct ConsoleSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ConsoleSocket {
    pub(crate) fn new(ctx: &Ctx) -> Res<ConsoleSocket> {
        let path = ctx.dir.join(format!("s{}", ctx.next()));
        let listener = UnixListener::bind(&path).doing("bind the console socket")?;
        listener.set_nonblocking(true).doing("console socket")?;
        Ok(ConsoleSocket { listener, path })
    }

    pub(crate) fn flag(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Takes whatever has come, and closes it.
    pub(crate) fn forget(&self) {
        while self.listener.accept().is_ok() {}
    }

    /// Waits for the terminal.
    pub(crate) fn terminal(&self, ctx: &Ctx) -> Res<Terminal> {
        Terminal::new(self.descriptor(ctx)?, None)
    }

    /// Waits for a message with one file descriptor.
    pub(crate) fn descriptor(&self, ctx: &Ctx) -> Res<OwnedFd> {
        let (stream, _) = ctx.eventually("runtime connects", || self.listener.accept().ok())?;
        stream.set_nonblocking(false).doing("console socket")?;
        let mut text = [0; 4096];
        let mut buffers = [IoSliceMut::new(&mut text)];
        let mut space = nix::cmsg_space!([RawFd; 8]);
        let message = recvmsg::<()>(
            stream.as_raw_fd(),
            &mut buffers,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )
        .doing("receive the terminal")?;
        for part in message.cmsgs().doing("console message")? {
            if let ControlMessageOwned::ScmRights(fds) = part {
                let mut fds = fds.into_iter().map(sys::adopt);
                return match (fds.next(), fds.next()) {
                    (Some(fd), None) => Ok(fd),
                    _ => Err("console message has not one descriptor".into()),
                };
            }
        }
        Err("console message has no descriptor".into())
    }
}

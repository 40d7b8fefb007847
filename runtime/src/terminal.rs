//! Terminals: who gets the master of the process's, and the caller's own, which is in raw mode
//! while it is connected to it.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use libcontainer::Terminal;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use oci_spec::runtime::{Box as ConsoleSize, BoxBuilder};

use crate::failure::{Failure, Result};
use crate::sys;

/// Where the master of the process's terminal goes.
pub(crate) fn choose(wanted: bool, detached: bool, socket: Option<&Path>) -> Result<Terminal> {
    match (wanted, detached, socket) {
        (true, true, Some(path)) => Ok(Terminal::Socket(path.to_owned())),
        (true, true, None) => Err(Failure::new(
            "cannot allocate tty if skep will detach without setting console socket: process.terminal is true, so give --console-socket",
        )),
        (_, _, Some(_)) => Err(Failure::new(
            "cannot use console socket if skep will not detach or allocate tty: --console-socket needs process.terminal to be true and a detached process",
        )),
        (true, false, None) => Ok(Terminal::Master),
        (false, _, None) => Ok(Terminal::None),
    }
}

/// The first of stdin, stdout and stderr that is a terminal.
pub(crate) struct HostTerminal {
    fd: BorrowedFd<'static>,
    before: Termios,
}

impl HostTerminal {
    /// None when there is none.
    pub(crate) fn find() -> Option<Self> {
        sys::STDIO.into_iter().find_map(|fd| tcgetattr(fd).ok().map(|before| Self { fd, before }))
    }

    /// Keys go to the payload's terminal, which echoes, edits lines and makes signals, as they are.
    /// The old settings are back when the result is dropped.
    pub(crate) fn make_raw(&self) -> io::Result<Raw<'_>> {
        let mut raw = self.before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(self.fd, SetArg::TCSANOW, &raw)?;
        Ok(Raw(self))
    }

    /// Gives another terminal this one's size. Without a size (a serial line) it keeps its own.
    pub(crate) fn copy_size_to(&self, other: BorrowedFd<'_>) {
        if let Ok(size) = sys::window_size(self.fd)
            && size.ws_row != 0
            && let Err(error) = sys::set_window_size(other, &size)
        {
            log::warn!("window size of the container's terminal: {error}");
        }
    }

    /// The size as config.json says it.
    pub(crate) fn console_size(&self) -> Option<ConsoleSize> {
        let size = sys::window_size(self.fd).ok().filter(|size| size.ws_row != 0)?;
        BoxBuilder::default().height(size.ws_row).width(size.ws_col).build().ok()
    }
}

/// While this lives, the terminal is in raw mode.
pub(crate) struct Raw<'host>(&'host HostTerminal);

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // The terminal may be gone by now; then there is nothing to put back.
        let _ = tcsetattr(self.0.fd, SetArg::TCSANOW, &self.0.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn master_goes_where_it_is_wanted() {
        let socket = Some(Path::new("/s"));
        assert!(matches!(choose(false, true, None), Ok(Terminal::None)));
        assert!(matches!(choose(false, false, None), Ok(Terminal::None)));
        assert!(matches!(choose(true, false, None), Ok(Terminal::Master)));
        assert!(
            matches!(choose(true, true, socket), Ok(Terminal::Socket(path)) if path == Path::new("/s"))
        );
    }

    #[test]
    fn socket_must_fit_the_terminal() {
        let socket = Some(Path::new("/s"));
        for (wanted, detached, socket) in [
            (true, true, None),
            (false, true, socket),
            (false, false, socket),
            (true, false, socket),
        ] {
            let text = choose(wanted, detached, socket).err().map(|error| error.to_string());
            assert!(text.unwrap().contains("console socket if skep will") || wanted && detached);
        }
    }
}

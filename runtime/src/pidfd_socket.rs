//! `--pidfd-socket`: the pidfd of the process is sent over an AF_UNIX socket.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use crate::failure::{Failure, Result};

/// Which process it is; the text that is sent beside the descriptor, as runc spells it.
pub(crate) const INIT: &str = "standard";
/// See [`INIT`].
pub(crate) const EXEC: &str = "setns";

/// Sends `pidfd` with the text `kind`.
pub(crate) fn send(path: &Path, kind: &str, pidfd: BorrowedFd<'_>) -> Result<()> {
    UnixStream::connect(path)
        .and_then(|socket| send_to(&socket, kind, pidfd))
        .map_err(|error| Failure::system(format!("--pidfd-socket {}", path.display()), error))
}

fn send_to(socket: &UnixStream, kind: &str, pidfd: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [pidfd.as_raw_fd()];
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[IoSlice::new(kind.as_bytes())],
        &[ControlMessage::ScmRights(&descriptors)],
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    Ok(())
}

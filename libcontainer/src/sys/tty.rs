//! Pseudoterminals, by descriptor: no name below `/dev/pts` is ever looked up.

use super::{Errno, Result, check_int, done};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Opens the other side of a new `ptmx`, without a path, and keeps everybody else from opening it.
pub(crate) fn open_peer(master: RawFd) -> Result<RawFd> {
    lock(master, false)?;
    let peer = peer(master)?;
    lock(master, true)?;
    Ok(peer)
}

/// Lets everybody open the other side. Who tried before has left it in error, for those who have it open as
/// well, until it is opened with success (drivers/tty/pty.c, `pty_open`): so that is done here.
pub(crate) fn unlock_peer(master: BorrowedFd) -> Result<()> {
    lock(master.as_raw_fd(), false)?;
    peer(master.as_raw_fd()).map(super::file::close)
}

/// <https://man7.org/linux/man-pages/man2/TIOCGPTPEER.2const.html>
fn peer(master: RawFd) -> Result<RawFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes flags by value.
    check_int(unsafe { libc::ioctl(master, libc::TIOCGPTPEER as _, flags) })
}

/// <https://man7.org/linux/man-pages/man2/TIOCSPTLCK.2const.html>
fn lock(master: RawFd, locked: bool) -> Result<()> {
    let locked = libc::c_int::from(locked);
    // SAFETY: TIOCSPTLCK reads an int.
    done(unsafe { libc::ioctl(master, libc::TIOCSPTLCK as _, &raw const locked) })
}

/// Whether the other side of a `ptmx` is the controlling terminal of a session.
///
/// <https://man7.org/linux/man-pages/man2/TIOCGSID.2const.html>
pub(crate) fn is_taken(master: RawFd) -> Result<bool> {
    let mut session: libc::pid_t = 0;
    // SAFETY: TIOCGSID writes a pid_t.
    match done(unsafe { libc::ioctl(master, libc::TIOCGSID, &raw mut session) }) {
        Err(Errno(libc::ENOTTY)) => Ok(false),
        asked => asked.map(|()| true),
    }
}

/// <https://man7.org/linux/man-pages/man2/TIOCSWINSZ.2const.html>
pub(crate) fn set_size(tty: RawFd, rows: u16, columns: u16) -> Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads a winsize.
    done(unsafe { libc::ioctl(tty, libc::TIOCSWINSZ as _, &raw const size) })
}

/// Makes the terminal the controlling one of this session.
///
/// <https://man7.org/linux/man-pages/man2/TIOCSCTTY.2const.html>
pub(crate) fn set_controlling(tty: RawFd) -> Result<()> {
    // SAFETY: TIOCSCTTY takes a number by value.
    done(unsafe { libc::ioctl(tty, libc::TIOCSCTTY as _, 0) })
}

//! Pseudoterminals, by descriptor: no name below `/dev/pts` is ever looked up.

use super::{Result, check_int, done};
use std::os::fd::RawFd;

/// Unlocks the other side of a `ptmx` and opens it, without a path.
///
/// <https://man7.org/linux/man-pages/man2/TIOCGPTPEER.2const.html>
pub(crate) fn open_peer(master: RawFd) -> Result<RawFd> {
    let unlocked: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads an int.
    done(unsafe { libc::ioctl(master, libc::TIOCSPTLCK as _, &raw const unlocked) })?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes flags by value.
    check_int(unsafe { libc::ioctl(master, libc::TIOCGPTPEER as _, flags) })
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

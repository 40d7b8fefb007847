//! The only module with `unsafe`: the entry point and the calls that have no safe wrapper in `nix`.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Where the C runtime enters. `std::env::args_os` works without Rust's own entry, since glibc
/// gives the arguments to std's `.init_array` function.
// SAFETY: no other symbol of this program is called `main`.
#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn main() -> libc::c_int {
    open_missing_stdio();
    hear_of_children();
    crate::app::main().into()
}

/// Opens `/dev/null` on each of the descriptors 0 to 2 that the caller left closed: the next file
/// that is opened would else become the payload's stdin, stdout or stderr.
#[cfg(not(test))]
fn open_missing_stdio() {
    let mut fds = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: `fds` is a valid array of three; https://man7.org/linux/man-pages/man2/poll.2.html
    let found = unsafe { libc::poll(fds.as_mut_ptr(), 3, 0) };
    if found <= 0 {
        return;
    }
    for _ in fds.iter().filter(|fd| fd.revents & libc::POLLNVAL != 0) {
        // SAFETY: the path is a C string; the lowest free number is the missing one.
        unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    }
}

/// A caller that ignores SIGCHLD hands that on, and the kernel then keeps no exit status for us.
#[cfg(not(test))]
fn hear_of_children() {
    // SAFETY: the default handler runs no code; https://man7.org/linux/man-pages/man2/signal.2.html
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Sends `signal` to the process that `pidfd` stands for.
///
/// <https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html>
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: a null siginfo is allowed, flags are 0, and the descriptor is borrowed for the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A descriptor that stands for the process `pid`.
///
/// <https://man7.org/linux/man-pages/man2/pidfd_open.2.html>
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    match i32::try_from(fd) {
        // SAFETY: the kernel gave a new descriptor, which nobody else owns.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The size of a terminal's window.
///
/// <https://man7.org/linux/man-pages/man2/TIOCGWINSZ.2const.html>
pub(crate) fn window_size(terminal: BorrowedFd<'_>) -> io::Result<libc::winsize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize to the pointer.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    if result == 0 { Ok(size) } else { Err(io::Error::last_os_error()) }
}

/// Sets the size of a terminal's window.
///
/// <https://man7.org/linux/man-pages/man2/TIOCSWINSZ.2const.html>
pub(crate) fn set_window_size(terminal: BorrowedFd<'_>, size: &libc::winsize) -> io::Result<()> {
    // SAFETY: TIOCSWINSZ reads one winsize from the pointer.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const *size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reaps one dead child that is not `except`; false when there is none. `nix` cannot be used: it
/// refuses the status of a child that a real-time signal killed.
///
/// <https://man7.org/linux/man-pages/man2/waitid.2.html>
pub(crate) fn reap_orphan(except: i32) -> bool {
    // WNOWAIT: the status of `except` belongs to whoever waits for it.
    let dead = wait(libc::P_ALL, 0, libc::WNOWAIT);
    dead != 0 && dead != except && wait(libc::P_PID, dead.cast_unsigned(), 0) == dead
}

fn wait(which: libc::idtype_t, id: libc::id_t, flags: i32) -> i32 {
    // SAFETY: siginfo_t is plain data; all zeroes is what the call leaves when no child is dead.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes one siginfo_t to the pointer.
    let result =
        unsafe { libc::waitid(which, id, &raw mut info, libc::WEXITED | libc::WNOHANG | flags) };
    if result != 0 {
        return 0;
    }
    // SAFETY: si_pid was set by waitid, or is still zero.
    unsafe { info.si_pid() }
}

/// Whether the magic link at `path` leads to what [`read_only_copy`] made: a file that is a mount by itself,
/// attached nowhere, has no name but that of a root directory. A mount of the host's that is read-only does not
/// do: it may become writable (`mount -o remount,rw`), and with it whatever was opened through it.
///
/// <https://man7.org/linux/man-pages/man3/statvfs.3.html>
pub(crate) fn is_read_only_copy(path: &CStr) -> bool {
    let name = nix::fcntl::readlink(path);
    let found = nix::sys::statvfs::statvfs(path);
    name.is_ok_and(|name| name.as_encoded_bytes().ends_with(b"/"))
        && found.is_ok_and(|found| found.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY))
}

/// A mount of the file at `path`, read-only and attached nowhere.
///
/// <https://man7.org/linux/man-pages/man2/open_tree.2.html>,
/// <https://man7.org/linux/man-pages/man2/mount_setattr.2.html>
pub(crate) fn read_only_copy(path: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    // SAFETY: `path` is a valid C string.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let tree = match i32::try_from(fd) {
        // SAFETY: the kernel gave a new descriptor, which nobody else owns.
        Ok(fd) if fd >= 0 => unsafe { OwnedFd::from_raw_fd(fd) },
        _ => return Err(io::Error::last_os_error()),
    };
    let attr = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path is a valid C string; `attr` is valid for the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(tree) } else { Err(io::Error::last_os_error()) }
}

/// Executes the program that `file` is, with this process's environment; returns only when that fails.
///
/// <https://man7.org/linux/man-pages/man2/execveat.2.html>
pub(crate) fn execute(file: &OwnedFd, args: &[CString]) -> io::Error {
    let mut args: Vec<_> = args.iter().map(|arg| arg.as_ptr()).collect();
    args.push(std::ptr::null());
    // SAFETY: the path is a valid C string, `args` and `environ` are arrays of such that end with a null.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            args.as_ptr(),
            environ,
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

unsafe extern "C" {
    /// [environ(7)](https://man7.org/linux/man-pages/man7/environ.7.html)
    static environ: *const *const libc::c_char;
}

/// stdin, stdout and stderr.
pub(crate) const STDIO: [BorrowedFd<'static>; 3] = [
    // SAFETY: 0 to 2 are open from the start (see `open_missing_stdio`) and nothing closes them.
    unsafe { BorrowedFd::borrow_raw(0) },
    // SAFETY: as above.
    unsafe { BorrowedFd::borrow_raw(1) },
    // SAFETY: as above.
    unsafe { BorrowedFd::borrow_raw(2) },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_copy_is_told_from_the_file() {
        const SELF: &CStr = c"/proc/self/exe";
        assert!(!is_read_only_copy(SELF));
        // It takes CAP_SYS_ADMIN.
        let Ok(copy) = read_only_copy(SELF) else { return };
        let link = CString::new(format!("/proc/self/fd/{}", copy.as_raw_fd())).unwrap();
        assert!(is_read_only_copy(&link));
    }
}

//! Sockets to the kernel's network configuration.

use super::{Errno, Result, check, check_int, done, retry};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// The kernel answers within the call that asks; a socket that stays silent is broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// A socket for rtnetlink in the network namespace of the calling thread. The kernel puts its errors
/// in words on it, does not send a request back with them, and lists what was asked for alone.
///
/// <https://man7.org/linux/man-pages/man7/netlink.7.html>
pub(crate) fn open() -> Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: takes no pointer.
    let fd = check_int(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
    // SAFETY: the kernel has just opened this descriptor for us.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
        set(&socket, libc::SOL_NETLINK, option, &1_i32)?;
    }
    let patience = libc::timeval { tv_sec: PATIENCE.as_secs() as _, tv_usec: 0 };
    set(&socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &patience)?;
    Ok(socket)
}

/// <https://man7.org/linux/man-pages/man2/setsockopt.2.html>
fn set<T>(socket: &OwnedFd, level: i32, option: i32, value: &T) -> Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let value = (value as *const T).cast();
    // SAFETY: `value` is valid for the length given; the callers pass plain numbers.
    done(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) })
}

/// <https://man7.org/linux/man-pages/man2/send.2.html>
pub(crate) fn send(socket: RawFd, bytes: &[u8]) -> Result<()> {
    // SAFETY: `bytes` is valid for its length.
    let sent = || check(unsafe { libc::send(socket, bytes.as_ptr().cast(), bytes.len(), 0) } as _);
    retry(sent).map(drop)
}

/// One datagram of the kernel's, whole: EMSGSIZE when `buffer` is too small. Whoever may configure the
/// network can send to the socket as well; what is not from the kernel is passed over.
///
/// <https://man7.org/linux/man-pages/man2/recv.2.html>
pub(crate) fn receive(socket: RawFd, buffer: &mut [u8]) -> Result<usize> {
    loop {
        // SAFETY: sockaddr_nl is plain numbers.
        let mut sender: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        let mut length = size_of_val(&sender) as libc::socklen_t;
        let read = retry(|| {
            // SAFETY: `buffer` and `sender` are valid for writing, for the lengths given.
            let read = unsafe {
                libc::recvfrom(
                    socket,
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_TRUNC,
                    (&raw mut sender).cast(),
                    &raw mut length,
                )
            };
            check(read as libc::c_long)
        })?;
        match read as usize {
            _ if sender.nl_pid != 0 => {}
            read if read > buffer.len() => return Err(Errno(libc::EMSGSIZE)),
            read => return Ok(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{MsgFlags, NetlinkAddr, getsockname, sendto};

    /// Less than a request, but one that is to be answered: the kernel says that it has come.
    const REQUEST: [u8; 16] = [16, 0, 0, 0, 18, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0];

    /// Whoever may configure the network can send to any socket for it: an answer that was made up.
    #[test]
    fn only_the_kernel_is_listened_to() {
        let (ours, other) = (open().unwrap(), open().unwrap());
        // Whoever sends gets an address by that.
        send(ours.as_raw_fd(), &REQUEST).unwrap();
        let mut buffer = [0; 65536];
        let address: NetlinkAddr = getsockname(ours.as_raw_fd()).unwrap();
        match sendto(other.as_raw_fd(), b"made up", &address, MsgFlags::empty()) {
            Err(nix::Error::EPERM) => eprintln!("SKIP: only CAP_NET_ADMIN may send to others"),
            sent => assert_eq!(sent, Ok(7)),
        }
        send(ours.as_raw_fd(), &[REQUEST, REQUEST].concat()).unwrap();
        let patience = libc::timeval { tv_sec: 0, tv_usec: 200_000 };
        set(&ours, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &patience).unwrap();
        let mut seen = 0;
        while let Ok(length) = receive(ours.as_raw_fd(), &mut buffer) {
            assert_ne!(&buffer[..length], b"made up");
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn what_is_larger_than_the_buffer_is_an_error() {
        let ours = open().unwrap();
        send(ours.as_raw_fd(), &REQUEST).unwrap();
        assert_eq!(receive(ours.as_raw_fd(), &mut [0; 8]), Err(Errno(libc::EMSGSIZE)));
    }
}

//! Unix sockets with message boundaries, which carry descriptors; and the loopback interface.

use super::{Result, check, check_int, done, retry};
use std::ffi::{CStr, c_void};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Sends one message, with a descriptor if `fd` is given. Never raises SIGPIPE.
///
/// <https://man7.org/linux/man-pages/man2/sendmsg.2.html>
pub(crate) fn send(socket: RawFd, bytes: &[u8], fd: Option<RawFd>) -> Result<()> {
    send_some(socket, bytes, fd).map(drop)
}

/// Sends all of it on a stream, which takes as much at a time as it has room for; the descriptor goes
/// with the first part.
pub(crate) fn send_all(socket: RawFd, bytes: &[u8], fd: RawFd) -> Result<()> {
    let mut sent = send_some(socket, bytes, Some(fd))?;
    while let Some(rest @ [_, ..]) = bytes.get(sent..) {
        sent += send_some(socket, rest, None)?;
    }
    Ok(())
}

fn send_some(socket: RawFd, bytes: &[u8], fd: Option<RawFd>) -> Result<usize> {
    let mut iov = libc::iovec { iov_base: bytes.as_ptr() as *mut c_void, iov_len: bytes.len() };
    let mut control = Control::default();
    // SAFETY: msghdr is plain numbers and pointers; all zero is valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    if let Some(fd) = fd {
        control.carry(&mut message, fd);
    }
    retry(|| {
        // SAFETY: `message` and what it points to are valid for the call.
        check(unsafe { libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL) }
            as libc::c_long)
    })
    .map(|sent| sent as usize)
}

/// Has messages say who sent them: unix(7), SO_PASSCRED.
pub(crate) fn pass_credentials(socket: RawFd) -> Result<()> {
    let (on, length): (libc::c_int, _) = (1, size_of::<libc::c_int>() as libc::socklen_t);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_PASSCRED);
    // SAFETY: `on` is valid for the length given.
    done(unsafe { libc::setsockopt(socket, level, name, (&raw const on).cast(), length) })
}

/// What came with a message.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// 0 bytes mean that the peer is gone.
    pub(crate) length: usize,
    pub(crate) fd: Option<OwnedFd>,
    /// The sender's pid, as this process's pid namespace has it, where [it is asked for](pass_credentials).
    pub(crate) sender: Option<libc::pid_t>,
}

/// Receives one message.
///
/// <https://man7.org/linux/man-pages/man2/recvmsg.2.html>
pub(crate) fn receive(socket: RawFd, buffer: &mut [u8]) -> Result<Received> {
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control::default();
    // SAFETY: msghdr is plain numbers and pointers; all zero is valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control.0) as _;
    let read = retry(|| {
        // SAFETY: `message` and what it points to are valid for the call.
        check(unsafe { libc::recvmsg(socket, &raw mut message, libc::MSG_CMSG_CLOEXEC) }
            as libc::c_long)
    })?;
    Ok(Control::take(&message, read as usize))
}

/// Room for two control messages, one with credentials and one with a descriptor, aligned as cmsghdr wants it.
///
/// Each `unsafe` below is a step of the walk that cmsg(3) prescribes; apart they would say less.
#[derive(Default)]
struct Control([u64; 7]);

#[allow(clippy::multiple_unsafe_ops_per_block)]
impl Control {
    fn carry(&mut self, message: &mut libc::msghdr, fd: RawFd) {
        message.msg_control = self.0.as_mut_ptr().cast();
        // SAFETY: pure arithmetic.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as _;
        // SAFETY: msg_control points to room for one header and one descriptor.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const *message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        }
    }

    /// Whoever sends more descriptors than one has them closed.
    fn take(message: &libc::msghdr, length: usize) -> Received {
        let mut received = Received { length, ..Received::default() };
        // SAFETY: the kernel has filled in msg_control; descriptors in SCM_RIGHTS are ours now.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(&raw const *message);
            while !header.is_null() {
                let data = libc::CMSG_DATA(header);
                match ((*header).cmsg_level, (*header).cmsg_type) {
                    (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                        received.sender = Some(data.cast::<libc::ucred>().read_unaligned().pid);
                    }
                    (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                        let bytes = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                        for place in 0..bytes / size_of::<RawFd>() {
                            let fd = data.cast::<RawFd>().add(place).read_unaligned();
                            received.fd.get_or_insert(OwnedFd::from_raw_fd(fd));
                        }
                    }
                    _ => {}
                }
                header = libc::CMSG_NXTHDR(&raw const *message, header);
            }
        }
        received
    }
}

/// `struct ifreq` of netdevice(7), for the flags.
#[repr(C)]
struct InterfaceFlags {
    name: [u8; libc::IFNAMSIZ],
    flags: i16,
    rest: [u8; 22],
}

/// Brings `lo` of this process's network namespace up.
///
/// <https://man7.org/linux/man-pages/man7/netdevice.7.html>
pub(crate) fn loopback_up() -> Result<()> {
    let mut request =
        InterfaceFlags { name: [0; libc::IFNAMSIZ], flags: libc::IFF_UP as i16, rest: [0; 22] };
    for (to, from) in request.name.iter_mut().zip(b"lo") {
        *to = *from;
    }
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // An AF_UNIX socket takes the ioctls of network devices as well, and needs no IP in the kernel.
    // SAFETY: takes no pointer.
    let socket = check_int(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: `request` has the size and layout of struct ifreq.
    done(unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw mut request) })
}

/// A unix stream socket that is connected to the one at `path`. The other side may be given so long to
/// accept, and later to read what it is sent: EAGAIN when it takes longer.
///
/// <https://man7.org/linux/man-pages/man2/connect.2.html>,
/// <https://man7.org/linux/man-pages/man7/socket.7.html> (SO_SNDTIMEO)
pub(crate) fn connect(path: &CStr, patience: Option<Duration>) -> Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: takes no pointer.
    let fd = check_int(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: the kernel has just opened this descriptor for us.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    if let Some(patience) = patience {
        let value = libc::timeval { tv_sec: patience.as_secs() as _, tv_usec: 0 };
        let length = size_of_val(&value) as libc::socklen_t;
        let (level, name) = (libc::SOL_SOCKET, libc::SO_SNDTIMEO);
        // SAFETY: `value` is valid for the length given.
        done(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), length) })?;
    }
    let (address, length) = address(path)?;
    // SAFETY: `address` is valid for the length given.
    retry(|| done(unsafe { libc::connect(fd, (&raw const address).cast(), length) }))?;
    Ok(socket)
}

/// Fails with ENAMETOOLONG when the path is longer than `sun_path`.
fn address(path: &CStr) -> Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: sockaddr_un is plain numbers.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as _;
    let bytes = path.to_bytes_with_nul();
    if bytes.len() > address.sun_path.len() {
        return Err(super::Errno(libc::ENAMETOOLONG));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as _;
    }
    let length = std::mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len();
    Ok((address, length as libc::socklen_t))
}

/// Two connected sockets with message boundaries.
///
/// <https://man7.org/linux/man-pages/man2/socketpair.2.html>
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `fds` has two elements.
    done(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })?;
    // SAFETY: the kernel has just opened this descriptor for us.
    let first = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: as above.
    Ok((first, unsafe { OwnedFd::from_raw_fd(fds[1]) }))
}

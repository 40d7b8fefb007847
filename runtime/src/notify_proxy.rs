//! The container's end of `NOTIFY_SOCKET`, and passing on what comes there.

use std::fs::{self, Permissions};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

use crate::failure::{Failure, Result};
use crate::notify::{Directory, SOCKET, manager};

/// What a container may say. The rest names processes, descriptors and rights of the host's.
const PASSED_ON: &[&str] = &[
    "READY=",
    "STATUS=",
    "RELOADING=",
    "MONOTONIC_USEC=",
    "STOPPING=",
    "ERRNO=",
    "WATCHDOG=",
    "EXTEND_TIMEOUT_USEC=",
];
const READY: &str = "READY=1";
/// systemd's own limit for a message.
const LONGEST: usize = 4096;
/// How long the manager may take to look at us before we exit, in milliseconds.
const BARRIER: u16 = 30_000;

/// The socket that the container writes to, and where its messages go.
pub(crate) struct Proxy {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl Proxy {
    /// Binds the socket of `directory`. None when no manager waits.
    pub(crate) fn bind(directory: &Directory) -> Result<Option<Self>> {
        let Some(manager) = manager() else {
            return Ok(None);
        };
        let wrong = |error| Failure::system("NOTIFY_SOCKET", error);
        let manager = address(manager.as_bytes()).map_err(wrong)?;
        let socket = listen(directory.path()).map_err(wrong)?;
        Ok(Some(Self { socket, manager }))
    }

    /// To poll.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Passes one message on; true when it said that the service is ready. `main` is the pid that the
    /// manager shall watch from then on.
    pub(crate) fn pass_on(&self, main: Option<i32>) -> io::Result<bool> {
        let mut message = [0; LONGEST];
        let length = self.socket.recv(&mut message)?;
        let lines = allowed(&String::from_utf8_lossy(&message[..length]));
        let ready = lines.iter().any(|line| line == READY);
        let main = main.filter(|_| ready).map(|pid| format!("MAINPID={pid}"));
        let lines: Vec<_> = lines.into_iter().chain(main).collect();
        if !lines.is_empty() {
            self.socket.send_to_addr(lines.join("\n").as_bytes(), &self.manager)?;
        }
        Ok(ready)
    }

    /// Stays until the container is ready or its process, which `pidfd` stands for, has ended; the manager
    /// then knows its pid.
    pub(crate) fn until_ready(&self, pid: i32, pidfd: BorrowedFd<'_>) -> io::Result<()> {
        loop {
            let mut fds = [
                PollFd::new(self.as_fd(), PollFlags::POLLIN),
                PollFd::new(pidfd, PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => continue,
                result => _ = result?,
            }
            let [message, end] = fds.map(|fd| fd.any().unwrap_or(true));
            if message && self.pass_on(Some(pid))? {
                return self.barrier();
            }
            if end && !message {
                return Ok(());
            }
        }
    }

    /// Waits until the manager has read what was sent: it finds the sender's unit by our process, which
    /// is about to exit. It answers by closing the descriptor that it is sent.
    fn barrier(&self) -> io::Result<()> {
        let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        let address = self.manager_address()?;
        let descriptors = [theirs.as_raw_fd()];
        sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(b"BARRIER=1")],
            &[ControlMessage::ScmRights(&descriptors)],
            MsgFlags::MSG_NOSIGNAL,
            Some(&address),
        )?;
        drop(theirs);
        poll(&mut [PollFd::new(ours.as_fd(), PollFlags::empty())], BARRIER)?;
        Ok(())
    }

    fn manager_address(&self) -> io::Result<UnixAddr> {
        let address = match (self.manager.as_pathname(), self.manager.as_abstract_name()) {
            (Some(path), _) => UnixAddr::new(path)?,
            (None, Some(name)) => UnixAddr::new_abstract(name)?,
            (None, None) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        Ok(address)
    }
}

fn address(text: &[u8]) -> io::Result<SocketAddr> {
    match text.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(Path::new(std::ffi::OsStr::from_bytes(text))),
    }
}

/// The path of a state root may be longer than an address can be, so it goes through a descriptor.
fn listen(directory: &Path) -> io::Result<UnixDatagram> {
    let handle = fs::File::open(directory)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", handle.as_raw_fd()));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixDatagram::bind(&path)?;
    // Whatever user the container's process has.
    fs::set_permissions(&path, Permissions::from_mode(0o777))?;
    Ok(socket)
}

fn allowed(message: &str) -> Vec<String> {
    let lines = message.lines();
    lines
        .filter(|line| PASSED_ON.iter().any(|name| line.starts_with(name)))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_lines_are_passed_on() {
        let message = "READY=1\nMAINPID=1\nSTATUS=up\nFDSTORE=1\nBARRIER=1\nX=READY=1\n";
        assert_eq!(allowed(message), ["READY=1", "STATUS=up"]);
        assert!(allowed("").is_empty());
    }

    fn proxy(name: &str) -> (Proxy, UnixDatagram, PathBuf) {
        let directory =
            std::env::temp_dir().join(format!("skep-proxy-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let host = directory.join("manager");
        let manager = UnixDatagram::bind(&host).unwrap();
        let address = address(host.as_os_str().as_bytes()).unwrap();
        let socket = listen(&directory).unwrap();
        (Proxy { socket, manager: address }, manager, directory)
    }

    fn received(manager: &UnixDatagram) -> String {
        let mut message = [0; 100];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    #[test]
    fn main_pid_is_told_with_ready_only() {
        let (proxy, manager, directory) = proxy("main");
        let container = UnixDatagram::unbound().unwrap();
        container.connect(directory.join(SOCKET)).unwrap();
        container.send(b"STATUS=starting").unwrap();
        assert!(!proxy.pass_on(Some(7)).unwrap());
        assert_eq!(received(&manager), "STATUS=starting");
        container.send(b"READY=1\nMAINPID=1").unwrap();
        assert!(proxy.pass_on(Some(7)).unwrap());
        assert_eq!(received(&manager), "READY=1\nMAINPID=7");
        container.send(b"READY=1").unwrap();
        assert!(proxy.pass_on(None).unwrap());
        assert_eq!(received(&manager), "READY=1");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn barrier_ends_when_the_manager_closes_its_descriptor() {
        let (proxy, manager, directory) = proxy("barrier");
        // A plain read drops the descriptor that came with the message.
        let reader = std::thread::spawn(move || received(&manager));
        proxy.barrier().unwrap();
        assert_eq!(reader.join().unwrap(), "BARRIER=1");
        fs::remove_dir_all(directory).unwrap();
    }
}

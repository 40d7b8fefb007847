//! What a hostile process does with the socket of who enters its container: speaks for it.

use std::time::{Duration, Instant};

use crate::{say, sys};

/// The highest descriptor that is looked at.
const LAST: u64 = 24;

/// For so long a newcomer is tried.
const PATIENCE: Duration = Duration::from_millis(300);

/// Takes the socket of each new process, and says in its place that it has made process `victim`, and then that
/// something failed. Prints 'sent PID', or 'refused PID' where the kernel has refused all descriptors.
pub(crate) fn messages(victim: i32) -> ! {
    let mut next = u64::from(std::process::id()) + 1;
    say("ready");
    loop {
        let found = (next..next + 8).find_map(|pid| Some((pid, open(pid)?)));
        let Some((pid, pidfd)) = found else {
            std::thread::yield_now();
            continue;
        };
        let begin = Instant::now();
        let mut word = "refused";
        while word == "refused" && begin.elapsed() < PATIENCE && open(pid).map(close).is_some() {
            if let Some(socket) = (3..LAST).find_map(|fd| socket(pidfd, fd)) {
                speak(socket, victim, pid);
                close(socket);
                word = "sent";
            }
        }
        say(&format!("{word} {pid}"));
        close(pidfd);
        next = pid + 1;
    }
}

fn call(number: libc::c_long, args: [u64; 4]) -> Option<u64> {
    let [a, b, c, d] = args;
    sys::native(number as u64, [a, b, c, d, 0, 0]).ok().map(|value| value as u64)
}

fn open(pid: u64) -> Option<u64> {
    call(libc::SYS_pidfd_open, [pid, 0, 0, 0])
}

fn close(fd: u64) {
    call(libc::SYS_close, [fd, 0, 0, 0]);
}

/// A copy of the descriptor, if that is a socket with message boundaries.
fn socket(pidfd: u64, number: u64) -> Option<u64> {
    let fd = call(libc::SYS_pidfd_getfd, [pidfd, number, 0, 0])?;
    let (mut kind, mut length) = (0_i32, size_of::<i32>() as u32);
    let (kind_at, length_at) = (&raw mut kind as u64, &raw mut length as u64);
    let args = [fd, libc::SOL_SOCKET as u64, libc::SO_TYPE as u64, kind_at, length_at, 0];
    let asked = sys::native(libc::SYS_getsockopt as u64, args);
    if asked.is_ok() && kind == libc::SOCK_SEQPACKET {
        return Some(fd);
    }
    close(fd);
    None
}

/// The messages are those of libcontainer/src/child/message.rs.
fn speak(socket: u64, victim: i32, newcomer: u64) {
    const FORKED: u8 = 4;
    const FAILED: u8 = 11;
    for (kind, value) in [(FORKED, victim), (FAILED, libc::EIO)] {
        let mut message = [0; 12];
        message[0] = kind;
        message[8..].copy_from_slice(&value.to_le_bytes());
        let (at, length) = (message.as_ptr() as u64, message.len() as u64);
        call(libc::SYS_sendto, [socket, at, length, libc::MSG_NOSIGNAL as u64]);
        // It is to have no word itself.
        call(libc::SYS_kill, [newcomer, libc::SIGKILL as u64, 0, 0]);
    }
}

//! A process in the foreground: its terminal is connected to ours, signals that we get go to it,
//! and we wait for its end.
//!
//! Order: signals are blocked before the process is made, so that none that arrives in between can
//! kill us and leave the container alone; the library unblocks them in the child. They are read from a
//! signalfd and sent through the pidfd, which cannot hit another process that got the same pid.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use libcontainer::Spawned;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::failure::{Failure, Result};
use crate::notify_proxy::Proxy;
use crate::relay::{End, Relay};
use crate::sys;
use crate::terminal::HostTerminal;

/// Faults of our own: blocking them would only hide them.
const FAULTS: [Signal; 5] =
    [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGTRAP];

/// Signals that are about us and not about the payload: our stdout is gone, a socket has urgent
/// data, our window has another size.
const OURS: [i32; 3] = [libc::SIGPIPE, libc::SIGURG, libc::SIGWINCH];

/// The state of our process that a foreground needs; it lasts until the program ends.
pub(crate) struct Foreground {
    /// Left to the end of the program to be closed.
    signals: ManuallyDrop<SignalFd>,
}

impl Foreground {
    /// Gets ready. To be called before the process is made.
    pub(crate) fn enter(subreaper: bool) -> Result<Self> {
        let mut mask = SigSet::all();
        FAULTS.into_iter().for_each(|signal| mask.remove(signal));
        mask.thread_block().map_err(|errno| Failure::system("block signals", errno))?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC)
            .map_err(|errno| Failure::system("signalfd", errno))?;
        if subreaper {
            set_child_subreaper(true)
                .map_err(|errno| Failure::system("become the reaper of orphans", errno))?;
        }
        Ok(Self { signals: ManuallyDrop::new(signals) })
    }

    /// Stays with the process until its end and gives its exit code.
    pub(crate) fn attend(&self, process: &Spawned, attached: Attached) -> Result<u8> {
        let wrong = |error| Failure::system("attend the process in the foreground", error);
        let Attached { host, relay, proxy } = attached;
        let raw = host.as_ref().map(HostTerminal::make_raw).transpose().map_err(wrong)?;
        let watch = Watch { signals: &self.signals, process, host: host.as_ref(), relay, proxy };
        watch.until_end().map_err(wrong)?;
        drop(raw);
        process.wait().map(exit_code).map_err(wrong)
    }
}

/// What connects the process to our surroundings, beside signals.
#[derive(Default)]
pub(crate) struct Attached {
    /// The terminal that we were called from, if the process has one.
    pub(crate) host: Option<HostTerminal>,
    /// Holds the master of the process's terminal.
    pub(crate) relay: Option<Relay>,
    /// Holds the process's notify socket.
    pub(crate) proxy: Option<Proxy>,
}

/// What is looked at while the process lives.
struct Watch<'a> {
    signals: &'a SignalFd,
    process: &'a Spawned,
    host: Option<&'a HostTerminal>,
    relay: Option<Relay>,
    proxy: Option<Proxy>,
}

/// What poll found.
struct Ready {
    ended: bool,
    signalled: bool,
    notified: bool,
    ends: Vec<End>,
}

impl Watch<'_> {
    fn until_end(mut self) -> io::Result<()> {
        loop {
            let ready = self.poll()?;
            if ready.notified {
                self.pass_notification_on();
            }
            if ready.ended {
                break;
            }
            if ready.signalled {
                self.take_signal()?;
            }
            if let Some(relay) = &mut self.relay {
                relay.go_on(&ready.ends);
            }
        }
        if let Some(relay) = &mut self.relay {
            relay.finish();
        }
        Ok(())
    }

    fn poll(&self) -> io::Result<Ready> {
        let wants = self.relay.as_ref().map(Relay::wants).unwrap_or_default();
        let always = [self.process.pidfd.as_fd(), self.signals.as_fd()].into_iter();
        let always = always.chain(self.proxy.as_ref().map(Proxy::as_fd));
        let mut fds: Vec<_> = always.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let first_end = fds.len();
        fds.extend(wants.iter().map(|(_, fd)| fd.clone()));
        let timeout = self.relay.as_ref().map_or(PollTimeout::NONE, Relay::timeout);
        match poll(&mut fds, timeout) {
            // Stopped and continued.
            Err(Errno::EINTR) => {}
            result => _ = result?,
        }
        let found: Vec<_> = fds.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        let ends = wants.iter().zip(&found[first_end..]);
        Ok(Ready {
            ended: found[0],
            signalled: found[1],
            notified: first_end > 2 && found[2],
            ends: ends.filter(|(_, found)| **found).map(|((end, _), _)| *end).collect(),
        })
    }

    fn take_signal(&self) -> io::Result<()> {
        let Some(info) = self.signals.read_signal()? else {
            return Ok(());
        };
        match info.ssi_signo.cast_signed() {
            libc::SIGCHLD => while sys::reap_orphan(self.process.pid) {},
            libc::SIGWINCH if self.relay.is_some() => self.resize(),
            signal if OURS.contains(&signal) => {}
            signal => self.forward(signal),
        }
        Ok(())
    }

    /// We are what the service manager started and watches: it is told of no other pid.
    fn pass_notification_on(&self) {
        if let Some(Err(error)) = self.proxy.as_ref().map(|proxy| proxy.pass_on(None)) {
            log::warn!("NOTIFY_SOCKET: {error}");
        }
    }

    fn resize(&self) {
        let master = self.relay.as_ref().and_then(Relay::master);
        if let (Some(host), Some(master)) = (self.host, master) {
            host.copy_size_to(master);
        }
    }

    fn forward(&self, signal: i32) {
        match sys::pidfd_send_signal(self.process.pidfd.as_fd(), signal) {
            // It ended in this moment.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(error) => log::warn!("forward signal {signal} to the process: {error}"),
            Ok(()) => {}
        }
    }
}

/// As a shell has it: the process's own code, or 128 and the signal that killed it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        for (status, code) in
            [(0, 0), (7 << 8, 7), (255 << 8, 255), (9, 137), (15 | 0x80, 143), (64, 192)]
        {
            assert_eq!(exit_code(ExitStatus::from_raw(status)), code);
        }
    }
}

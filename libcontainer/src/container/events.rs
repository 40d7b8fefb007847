//! What happens to a container while somebody watches: the OOM killer, and the end. And what it uses.
//!
//! The kernel tells of a change by making a descriptor ready: `memory.events` and `cgroup.events` of
//! cgroup v2 (POLLPRI, until they are read again), an eventfd that was registered with v1's
//! `cgroup.event_control`, the first process's pidfd. All of them are in one epoll instance, which a
//! program with an event loop of its own can wait for. There is no thread.
//!
//! What has become ready is not asked: each look reads all of it, which is a few small reads, and
//! cannot miss what came between two of them.

#![forbid(unsafe_code)]

use super::{Container, not_running};
use crate::cgroup::Stats;
use crate::cgroup::stats::MemoryEvents;
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::stat::Mode;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::sys::uio::pread;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often a cgroup is looked at that has outlived its first process. The kernel holds changes of
/// `cgroup.events` back for 10 ms, and tells nobody if the cgroup is removed meanwhile.
const RECHECK: Duration = Duration::from_millis(250);

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The OOM killer has killed in the container. Kills at the same time are one event. On cgroup
    /// v1 it may be only about to, or be disabled (`memory.disableOOMKiller`) and have stopped it.
    Oom,
    /// Nothing of the container runs any more.
    Ended,
}

/// Watches a container; [`Container::events`] gives it.
///
/// As a descriptor ([`AsFd`]) it is readable when [`next`](Self::next) has something to look at:
/// level-triggered, sometimes for nothing. Wait for that in an event loop, then call `next` with a
/// timeout of zero until it gives `None`.
#[derive(Debug)]
pub struct Events {
    epoll: Epoll,
    /// The first process, until it has ended.
    init: Option<OwnedFd>,
    /// `cgroup.events`; without it the container ends with its first process.
    cgroup: Option<File>,
    oom: Option<Oom>,
    recheck: Option<TimerFd>,
    ended: bool,
}

/// Where it is told that memory ran out.
#[derive(Debug)]
enum Oom {
    /// `memory.events`, and what its `oom_kill` was when it was last read.
    V2 { file: File, killed: u64 },
    /// An eventfd, and the file whose end is the cgroup's, of which the eventfd tells as well.
    V1 { events: EventFd, control: PathBuf },
}

impl Container {
    /// What the container uses: the counters of its cgroup, which are there until it is deleted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] when it has no cgroup, [`ErrorKind::NotRunning`] when that is gone;
    /// when the kernel refuses to let a file be read.
    pub fn stats(&self) -> Result<Stats> {
        if self.record.cgroup.is_none() {
            let text = "the container has no cgroup, so nothing counts what it uses";
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        self.cgroup()?.ok_or_else(not_running)?.stats()
    }

    /// Watches the container from now on. Without a cgroup, or without its memory controller, there
    /// is only the end to be told of.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRunning`] when its first process has ended.
    pub fn events(&self) -> Result<Events> {
        let (_, init) = self.init().ok_or_else(not_running)?;
        let Some(cgroup) = self.cgroup()? else { return Events::new(init, None, None) };
        let has_memory = |name: &str| name.split(',').any(|controller| controller == "memory");
        let memory = cgroup.place().v1.iter().find(|(name, _)| has_memory(name));
        Events::new(init, cgroup.unified(), memory.map(|(_, path)| path.as_path()))
    }
}

impl Events {
    /// Watches the process `init`, its cgroup v2 directory, and its directory in the v1 hierarchy of
    /// the memory controller.
    pub(super) fn new(
        init: OwnedFd,
        unified: Option<BorrowedFd<'_>>,
        memory: Option<&Path>,
    ) -> Result<Self> {
        let mut events = Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(watching)?,
            init: None,
            cgroup: unified.map_or(Ok(None), |dir| open(dir, "cgroup.events"))?,
            oom: match (unified, memory) {
                (_, Some(memory)) => Some(Oom::v1(memory)?),
                (Some(dir), None) => open(dir, "memory.events")?.map(Oom::v2),
                (None, None) => None,
            },
            recheck: None,
            ended: false,
        };
        events.watch(&init, EpollFlags::EPOLLIN)?;
        events.init = Some(init);
        if let Some(file) = &events.cgroup {
            events.watch(file, EpollFlags::EPOLLPRI)?;
        }
        match &events.oom {
            Some(Oom::V2 { file, .. }) => events.watch(file, EpollFlags::EPOLLPRI)?,
            Some(Oom::V1 { events: fd, .. }) => events.watch(fd, EpollFlags::EPOLLIN)?,
            None => {}
        }
        // What was before is nothing that happened.
        events.oom()?;
        Ok(events)
    }

    /// The next event; `None` if there is none within `timeout`, where `None` waits for ever. After
    /// [`Event::Ended`] there is nothing else, and it is given again.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to be asked.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Event>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(event) = self.look()? {
                return Ok(Some(event));
            }
            if !self.wait(deadline)? {
                return Ok(None);
            }
        }
    }

    /// What has happened since the last look. What ended the container is told before its end, and
    /// so must be looked at after it.
    fn look(&mut self) -> Result<Option<Event>> {
        let ended = self.ended || self.has_ended()?;
        if !self.ended && self.oom()? {
            return Ok(Some(Event::Oom));
        }
        self.ended = ended;
        Ok(ended.then_some(Event::Ended))
    }

    /// Whether memory has run out since this was last asked.
    fn oom(&mut self) -> Result<bool> {
        let seen = match &mut self.oom {
            None => return Ok(false),
            Some(Oom::V2 { file, killed }) => reread(file)?.map(|text| {
                let before = std::mem::replace(killed, MemoryEvents::parse(&text).oom_kill);
                *killed > before
            }),
            Some(Oom::V1 { events, control }) => match events.read() {
                Ok(_) => control.exists().then_some(true),
                Err(Errno::EAGAIN) => Some(false),
                Err(error) => return Err(watching(error)),
            },
        };
        if seen.is_none() {
            match self.oom.take() {
                Some(Oom::V2 { file, .. }) => self.unwatch(&file)?,
                Some(Oom::V1 { events, .. }) => self.unwatch(&events)?,
                None => {}
            }
        }
        Ok(seen.unwrap_or_default())
    }

    fn has_ended(&mut self) -> Result<bool> {
        let init_ended = match &self.init {
            Some(init) => is_readable(init)?,
            None => true,
        };
        let Some(file) = &self.cgroup else { return Ok(init_ended) };
        let populated =
            reread(file)?.is_some_and(|text| text.lines().any(|line| line == "populated 1"));
        if populated && init_ended {
            self.outlive_init()?;
        }
        Ok(!populated)
    }

    /// Others than the first process live on: from now on a clock makes us look.
    fn outlive_init(&mut self) -> Result<()> {
        if let Some(init) = self.init.take() {
            self.unwatch(&init)?;
        }
        if let Some(timer) = &self.recheck {
            // It is not readable again until its next period.
            return match timer.wait() {
                Ok(()) | Err(Errno::EAGAIN) => Ok(()),
                Err(error) => Err(watching(error)),
            };
        }
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(watching)?;
        let period = Expiration::Interval(TimeSpec::from_duration(RECHECK));
        timer.set(period, TimerSetTimeFlags::empty()).map_err(watching)?;
        self.watch(&timer, EpollFlags::EPOLLIN)?;
        self.recheck = Some(timer);
        Ok(())
    }

    fn watch(&self, fd: impl AsFd, what: EpollFlags) -> Result<()> {
        self.epoll.add(fd, EpollEvent::new(what, 0)).map_err(watching)
    }

    /// Closing would do, were it not for children of other threads that have copies until they execute.
    fn unwatch(&self, fd: impl AsFd) -> Result<()> {
        self.epoll.delete(fd).map_err(watching)
    }

    /// Whether there may be something to look at; false at the deadline.
    fn wait(&self, deadline: Option<Instant>) -> Result<bool> {
        let timeout = match deadline.map(|end| end.saturating_duration_since(Instant::now())) {
            None => EpollTimeout::NONE,
            // Milliseconds, rounded up: what is left of one is no reason to return.
            Some(left) => EpollTimeout::try_from(left + Duration::from_nanos(999_999))
                .unwrap_or(EpollTimeout::MAX),
        };
        match self.epoll.wait(&mut [EpollEvent::empty()], timeout) {
            Ok(0) => Ok(deadline.is_none_or(|end| Instant::now() < end)),
            Ok(_) | Err(Errno::EINTR) => Ok(true),
            Err(error) => Err(watching(error)),
        }
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl Oom {
    fn v2(file: File) -> Self {
        Self::V2 { file, killed: 0 }
    }

    /// Registers an eventfd with the OOM killer of a v1 cgroup (memory.rst of v1, "OOM Control").
    fn v1(directory: &Path) -> Result<Self> {
        let control = directory.join("cgroup.event_control");
        let failed = |error| Error::system(format!("write to {}", control.display()), error);
        let file = File::open(directory.join("memory.oom_control")).map_err(failed)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let events = EventFd::from_flags(flags).map_err(watching)?;
        let order = format!("{} {}", events.as_raw_fd(), file.as_raw_fd());
        std::fs::write(&control, order).map_err(failed)?;
        Ok(Self::V1 { events, control })
    }
}

/// A file of the cgroup, if it has it.
fn open(dir: BorrowedFd<'_>, name: &str) -> Result<Option<File>> {
    match openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::ENOENT | Errno::ENODEV) => Ok(None),
        Err(error) => Err(Error::system(format!("open {name} of the cgroup"), error)),
    }
}

/// Reads a small file again from its beginning, after which it is ready only when it has changed;
/// `None` when the cgroup is gone.
fn reread(file: &File) -> Result<Option<String>> {
    let mut text = [0; 1024];
    loop {
        return match pread(file, &mut text, 0) {
            Ok(length) => Ok(Some(String::from_utf8_lossy(&text[..length]).into_owned())),
            Err(Errno::ENODEV) => Ok(None),
            Err(Errno::EINTR) => continue,
            Err(error) => Err(watching(error)),
        };
    }
}

fn is_readable(fd: &OwnedFd) -> Result<bool> {
    match poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(watching(error)),
    }
}

fn watching(errno: Errno) -> Error {
    Error::system("watch the container", errno)
}

#[cfg(test)]
mod tests;

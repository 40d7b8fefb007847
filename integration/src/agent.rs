//! A seccomp agent: gets filters over a socket, as `linux.seccomp.listenerPath` names it, and answers the
//! calls that they hand over.

use std::io::{IoSliceMut, PipeReader, PipeWriter, Read, pipe};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::Value;

use crate::ctx::Ctx;
use crate::result::{Doing, Res, holds};
pub(crate) use crate::sys::Answer;
use crate::sys::{self, Notification};

/// What came over each connection.
struct Received {
    state: Value,
    stream: UnixStream,
}

type All = Arc<Mutex<Vec<Res<Received>>>>;

/// A call of a container that waits for an answer.
pub(crate) struct Asked<'a> {
    filter: BorrowedFd<'a>,
    it: Notification,
}

impl Asked<'_> {
    /// The call's number.
    pub(crate) fn number(&self) -> i64 {
        self.it.number
    }

    /// The caller, seen from here.
    pub(crate) fn pid(&self) -> i32 {
        self.it.pid
    }

    /// False when the caller is gone or was interrupted.
    pub(crate) fn still_waits(&self) -> bool {
        sys::waits(self.filter, self.it.id)
    }
}

/// Works in a thread until it is dropped.
pub(crate) struct Agent {
    pub(crate) path: PathBuf,
    all: All,
    /// Closing it ends the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    pub(crate) fn new(
        ctx: &Ctx,
        answers: impl Fn(&Asked<'_>) -> Answer + Send + 'static,
    ) -> Res<Agent> {
        let path = ctx.dir.join(format!("s{}", ctx.next()));
        let listener = UnixListener::bind(&path).doing("bind the agent's socket")?;
        let (stopped, stop) = pipe().doing("pipe")?;
        let all = All::default();
        let work = Work { listener, stopped, all: all.clone(), filters: Vec::new() };
        let thread = std::thread::spawn(move || work.until_stopped(answers));
        Ok(Agent { path, all, stop: Some(stop), thread: Some(thread) })
    }

    /// Waits for this many container process states, one for each connection; more are an error.
    pub(crate) fn states(&self, ctx: &Ctx, count: usize) -> Res<Vec<Value>> {
        ctx.eventually(&format!("{count} states come"), || {
            self.all.lock().is_ok_and(|all| all.len() >= count).then_some(())
        })?;
        let all = self.all.lock().doing("the agent")?;
        holds!(all.len() == count, "{} states came, not {count}", all.len());
        all.iter().map(|it| Ok(it.as_ref().map_err(String::clone)?.state.clone())).collect()
    }

    /// Every connection must have been closed, with nothing after the one state.
    pub(crate) fn closed(&self) -> Res {
        for received in self.all.lock().doing("the agent")?.iter().flatten() {
            let mut rest = [0; 64];
            let size =
                (&received.stream).read(&mut rest).doing("wait for the end of the connection")?;
            holds!(size == 0, "{size} bytes after the state");
        }
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop = None;
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

struct Work {
    listener: UnixListener,
    stopped: PipeReader,
    all: All,
    filters: Vec<OwnedFd>,
}

impl Work {
    fn until_stopped(mut self, answers: impl Fn(&Asked<'_>) -> Answer) {
        loop {
            let ready = self.ready();
            if ready[0] != PollFlags::empty() {
                return;
            }
            self.answer(&ready[2..], &answers);
            if ready[1] != PollFlags::empty() {
                self.accept();
            }
        }
    }

    /// Waits for something to do: what poll says of the end, of the socket and of each filter.
    fn ready(&self) -> Vec<PollFlags> {
        let fixed = [self.stopped.as_fd(), self.listener.as_fd()];
        let all = fixed.into_iter().chain(self.filters.iter().map(AsFd::as_fd));
        let mut list: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let _interrupted = poll(&mut list, PollTimeout::NONE);
        list.iter().map(|each| each.revents().unwrap_or(PollFlags::empty())).collect()
    }

    /// A filter that nobody is under any more is let go.
    fn answer(&mut self, ready: &[PollFlags], answers: &impl Fn(&Asked<'_>) -> Answer) {
        for (filter, ready) in self.filters.iter().zip(ready) {
            let filter = filter.as_fd();
            if !ready.contains(PollFlags::POLLIN) {
                continue;
            }
            if let Ok(it) = sys::notification(filter) {
                let asked = Asked { filter, it };
                let _gone = sys::answer(filter, asked.it.id, answers(&asked));
            }
        }
        let mut ready = ready.iter();
        self.filters.retain(|_| ready.next().is_none_or(|it| !it.contains(PollFlags::POLLHUP)));
    }

    fn accept(&mut self) {
        let stream = self.listener.accept().doing("accept");
        let received = stream.and_then(|(stream, _)| {
            let (state, filter) = receive(&stream)?;
            self.filters.push(filter);
            Ok(Received { state, stream })
        });
        if let Ok(mut all) = self.all.lock() {
            all.push(received);
        }
    }
}

/// One state, in as many messages as the runtime likes, and one descriptor with the first of them.
fn receive(stream: &UnixStream) -> Res<(Value, OwnedFd)> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).doing("set a time limit")?;
    let (mut text, mut fds) = message(stream)?;
    let filter = fds.pop().doing("a descriptor with the first message")?;
    holds!(fds.is_empty(), "{} descriptors too many", fds.len());
    loop {
        match serde_json::from_slice(&text) {
            Ok(state) => return Ok((state, filter)),
            Err(error) if !error.is_eof() => return Err(format!("the state: {error}")),
            Err(_more_to_come) => (),
        }
        let (more, fds) = message(stream)?;
        holds!(fds.is_empty(), "descriptors in a later message than the first");
        holds!(!more.is_empty(), "the state ends too early");
        text.extend(more);
    }
}

fn message(stream: &UnixStream) -> Res<(Vec<u8>, Vec<OwnedFd>)> {
    let mut text = [0; 8192];
    let mut buffers = [IoSliceMut::new(&mut text)];
    let mut space = nix::cmsg_space!([RawFd; 8]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(stream.as_raw_fd(), &mut buffers, Some(&mut space), flags)
        .doing("receive the state")?;
    let mut fds = Vec::new();
    for part in received.cmsgs().doing("descriptors")? {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            fds.extend(numbers.into_iter().map(sys::adopt));
        }
    }
    let size = received.bytes;
    Ok((text[..size].to_vec(), fds))
}

//! The parent's half: opens what only the host can see, clones once, answers what the child asks
//! for, and turns the child's numbers back into words.
//!
//! The caller may be a program with threads. Its working directory, umask, signals, environment and
//! descriptors stay as they are. No handler of the caller runs in the child: clone3(2) with
//! CLONE_CLEAR_SIGHAND makes it begin without any.

mod attributes;
mod explain;
mod filter;
mod id_maps;
mod idmap;
mod inputs;
mod net_devices;
mod process;
mod procfs;

pub(crate) use explain::start_failed;
pub(crate) use net_devices::Moved;
pub(crate) use process::{Child, Process};

use crate::cgroup::{Cgroup, Guarded};
use crate::child::{self, Context, Kind, Message, State};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Host, Plan};
use crate::procfs::Stat;
use crate::sys::{self, clone, socket, trampoline, tty};
use filter::Listening;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use skep_seccomp::Filter;
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// What a child is started with, besides its plan.
pub(crate) struct Launch<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) host: &'a Host,
    /// The cgroup that it begins its life in.
    pub(crate) cgroup: Option<&'a Cgroup>,
    /// Where it waits for `start`, locked. Closed here as soon as the child has its copy.
    pub(crate) start_fifo: Option<OwnedFd>,
    /// The first process of the container that it enters.
    pub(crate) entered: Option<BorrowedFd<'a>>,
}

/// What the launcher does at certain points of the child's life.
pub(crate) struct Midwife<'a> {
    /// As soon as the process exists, while it sets itself up.
    pub(crate) born: &'a mut dyn FnMut(Process, &Stat) -> Result<After>,
    /// When it is in its network namespace: moves the devices there.
    pub(crate) net_devices: &'a mut dyn FnMut(Process) -> Result<()>,
    /// Before it attaches the mount of this number to the caller's mount namespace.
    pub(crate) attaching: &'a mut dyn FnMut(u64) -> Result<()>,
    /// Before it changes its root directory: runs hooks.
    pub(crate) before_pivot: &'a mut dyn FnMut(Process) -> Result<()>,
}

/// Whether the child, once it is ready, has to wait for us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum After {
    /// There is something left to be done then.
    Wait,
    /// All is done already: it finds the answer before it asks.
    GoOn,
}

impl Midwife<'_> {
    /// One that has nothing to do.
    pub(crate) fn idle<T>(then: impl FnOnce(&mut Midwife) -> T) -> T {
        Self::of_exec(&mut |_, _| Ok(After::Wait), then)
    }

    /// One of a process that enters a container, whose root is there already.
    pub(crate) fn of_exec<T>(
        born: &mut dyn FnMut(Process, &Stat) -> Result<After>,
        then: impl FnOnce(&mut Midwife) -> T,
    ) -> T {
        then(&mut Midwife {
            born,
            net_devices: &mut |_| Ok(()),
            attaching: &mut |_| Ok(()),
            before_pivot: &mut |_| Ok(()),
        })
    }
}

/// A child that has taken all its steps and waits for [`release`](Self::release).
pub(crate) struct Ready {
    pub(crate) child: Child,
    pub(crate) terminal: Option<OwnedFd>,
    /// What it asked for and did not get, one line each.
    pub(crate) notes: Vec<String>,
    socket: OwnedFd,
    answered: bool,
}

/// Starts the child and answers it until it is ready.
pub(crate) fn launch(mut launch: Launch, midwife: &mut Midwife) -> Result<Ready> {
    filter::check_flags(launch.plan)?;
    let inputs = inputs::open(launch.plan, launch.host)?;
    let raw: Vec<RawFd> = inputs.iter().map(inputs::Opened::as_raw_fd).collect();
    let procfs = if launch.plan.needs_procfs() { Some(procfs::open()?) } else { None };
    let (ours, theirs) = socket::pair().map_err(|errno| Error::system("socketpair", errno))?;
    if !launch.plan.joiner.is_empty() {
        // Others may be there when the child is made, and get hold of its socket.
        socket::pass_credentials(ours.as_raw_fd())
            .map_err(|errno| Error::system("setsockopt", errno))?;
    }
    let orders = filter::orders(launch.plan, launch.start_fifo.as_ref(), &theirs);
    let calls = filter::calls(launch.plan, procfs.as_ref(), &orders);
    let filter = launch.plan.filter.as_ref().map_or(&[][..], Filter::instructions);
    let trampoline =
        trampoline::open(orders, filter, &calls, launch.plan.unreadable).map_err(no_trampoline)?;
    let given = Given {
        inputs: &raw,
        socket: theirs.as_raw_fd(),
        procfs: procfs.as_ref().map_or(-1, OwnedFd::as_raw_fd),
        trampoline: trampoline.as_ref().map_or(-1, OwnedFd::as_raw_fd),
        guarded: launch.cgroup.map_or(Ok(None), Cgroup::guarded)?,
        ignored: if launch.plan.spawns() { ignored()? } else { 0 },
    };
    let guarded = given.guarded;
    let child = fork(&launch, &given)?;
    drop(theirs);
    drop(launch.start_fifo.take());
    let mut conversation = Conversation {
        launch: &launch,
        inputs: &raw,
        guarded,
        socket: ours,
        child,
        terminal: None,
        notes: Vec::new(),
        answered: false,
        knows_child: false,
        held: VecDeque::new(),
    };
    if launch.plan.joiner.is_empty() {
        conversation.born(midwife)?;
    }
    conversation.until_ready(midwife)
}

fn no_trampoline(errno: sys::Errno) -> Error {
    let text = match errno.0 {
        libc::EACCES => {
            "make a memory file that can be executed (sysctl vm.memfd_noexec must be below 2)"
        }
        _ => "make a memory file that can be executed",
    };
    Error::system(text, errno)
}

/// The descriptors of the child.
struct Given<'a> {
    inputs: &'a [RawFd],
    socket: RawFd,
    procfs: RawFd,
    trampoline: RawFd,
    /// The cgroup, where the child cannot be born in it.
    guarded: Option<Guarded<'a>>,
    /// The signals that we ignore, where they are reset before we can look at the child.
    ignored: u32,
}

/// Clones. The child never returns from here.
fn fork(launch: &Launch, given: &Given) -> Result<Child> {
    let plan = launch.plan;
    let mut directories = vec![-1; plan.directories];
    let mut trees = vec![-1; plan.trees];
    let start_fifo = launch.start_fifo.as_ref().map_or(-1, OwnedFd::as_raw_fd);
    // Where only systemd lets it in, it neither walks nor is born.
    let open = launch.cgroup.filter(|_| given.guarded.is_none());
    let cgroup = open.filter(|_| !plan.walks_in()).and_then(Cgroup::unified);
    let cgroup = cgroup.map(|fd| fd.as_raw_fd());
    let walks_in = plan.walks_in() && open.is_some();
    let doors = launch.cgroup.map_or(Ok(Vec::new()), |cgroup| cgroup.doors(walks_in))?;
    let doors: Vec<RawFd> = doors.iter().map(OwnedFd::as_raw_fd).collect();
    let own = [given.socket, start_fifo, given.procfs, given.trampoline];
    let own = own.iter().chain(given.inputs).chain(&doors).copied();
    let others = descriptors_between(plan.first_own_descriptor(), own);
    let cloned = clone::clone3(plan.clone_flags, cgroup);
    if matches!(cloned, Ok(None)) {
        child::run(Context {
            plan,
            inputs: given.inputs,
            socket: given.socket,
            start_fifo,
            procfs: given.procfs,
            trampoline: given.trampoline,
            others: &others,
            doors: &doors,
            directories: &mut directories,
            trees: &mut trees,
            state: State::new(given.ignored),
        });
    }
    match cloned {
        Ok(Some(cloned)) => {
            let child = Child::new(cloned.pid, cloned.pidfd);
            Ok(if plan.spawns() { child.leading() } else { child })
        }
        Ok(None) => Err(Error::new(ErrorKind::System, "clone3 returned twice")),
        Err(errno) => Err(explain::clone_failed(plan, launch.host, errno)),
    }
}

fn stat(path: &str) -> Result<Stat> {
    Stat::read(path).map_err(|error| Error::system(format!("read {path}"), error))
}

fn ignored() -> Result<u32> {
    stat("/proc/self/stat").map(|stat| stat.ignored)
}

/// The ranges of descriptors from `first` up that leave these out.
fn descriptors_between(first: u32, kept: impl Iterator<Item = RawFd>) -> Vec<(u32, u32)> {
    let mut kept: Vec<u32> = kept.filter_map(|fd| u32::try_from(fd).ok()).collect();
    kept.sort_unstable();
    let mut next = first;
    let mut ranges = Vec::new();
    for fd in kept {
        if fd > next {
            ranges.push((next, fd - 1));
        }
        next = next.max(fd + 1);
    }
    ranges.push((next, u32::MAX));
    ranges
}

/// The exchange of messages with a child that is being set up.
struct Conversation<'a> {
    launch: &'a Launch<'a>,
    /// What the child was given.
    inputs: &'a [RawFd],
    /// The cgroup that systemd has to let the child into.
    guarded: Option<Guarded<'a>>,
    socket: OwnedFd,
    child: Child,
    terminal: Option<OwnedFd>,
    notes: Vec<String>,
    /// The child has its last answer already.
    answered: bool,
    /// `child` is the container's process, not the joiner.
    knows_child: bool,
    held: VecDeque<Heard>,
}

impl Conversation<'_> {
    fn until_ready(mut self, midwife: &mut Midwife) -> Result<Ready> {
        loop {
            let Some(Heard { message, fd, .. }) = self.next()? else {
                return Err(self.child.died());
            };
            match message.kind {
                kind if self.is_out_of_turn(kind) => return Err(out_of_turn(&message)),
                Kind::NeedIdMaps => {
                    self.map_ids()?;
                    self.answer()?;
                }
                Kind::NeedNetDevices => {
                    (midwife.net_devices)(self.child.process()?)?;
                    self.answer()?;
                }
                Kind::NeedCgroup => {
                    self.guarded.map_or(Ok(()), |scope| scope.admit(self.child.pid))?;
                    self.answer()?;
                }
                Kind::NeedAttribute => {
                    attributes::set(self.launch.plan, &message, self.child.pid)?;
                    self.answer()?;
                }
                Kind::Forked => {
                    self.forked(message.value)?;
                    self.born(midwife)?;
                    if self.launch.plan.spawns() {
                        attributes::give_scheduler(self.launch.plan, self.child.pid)?;
                        if !self.launch.plan.has_more_to_say() {
                            break;
                        }
                        self.answer()?;
                    }
                }
                Kind::AttachRoot => {
                    let number = message.text().try_into().map_err(|_| out_of_turn(&message))?;
                    (midwife.attaching)(u64::from_le_bytes(number))?;
                    self.answer()?;
                }
                Kind::Hooks => {
                    (midwife.before_pivot)(self.child.process()?)?;
                    self.answer()?;
                }
                Kind::Terminal => self.terminal = fd,
                Kind::Note => self.notes.push(explain::note(self.launch.plan, &message)),
                Kind::Ready => break self.unlock_terminal()?,
                Kind::Listener => return Err(out_of_turn(&message)),
                Kind::Failed => return Err(explain::failed(self.launch.plan, &message)),
            }
        }
        Ok(Ready {
            child: self.child,
            terminal: self.terminal,
            notes: self.notes,
            socket: self.socket,
            answered: self.answered,
        })
    }

    /// The process has its terminal, and nobody can take it any more.
    fn unlock_terminal(&self) -> Result<()> {
        let unlocked = self.terminal.as_ref().map_or(Ok(()), |fd| tty::unlock_peer(fd.as_fd()));
        unlocked.map_err(|errno| Error::system("unlock the terminal", errno))
    }

    /// The maps of the container's user namespace, and the mounts that have the same.
    fn map_ids(&mut self) -> Result<()> {
        let plan = self.launch.plan;
        if let Some(maps) = &plan.id_maps {
            id_maps::write(self.child.pid, maps, self.launch.host)
                .map_err(|error| self.child.died_or(error))?;
        }
        idmap::by_container(plan, self.inputs, self.child.pid)
    }

    /// The next message. The joiner and the child that it makes write to the same socket, and the
    /// child may be the quicker one: what it says is held back until we know of it.
    fn next(&mut self) -> Result<Option<Heard>> {
        loop {
            if self.knows_child
                && let Some(held) = self.held.pop_front()
            {
                return self.only_of_child(held);
            }
            match self.knows_child {
                false => self.await_joiner()?,
                true if self.launch.plan.spawns() && !hears(&self.socket, &self.child)? => {
                    return Ok(None);
                }
                true => {}
            }
            match receive(&self.socket)? {
                Some(heard) if !self.knows_child && !heard.message.in_joiner => {
                    self.held.push_back(heard);
                }
                Some(heard) => return self.only_of_child(heard),
                None => return Ok(None),
            }
        }
    }

    /// Whoever has got hold of the child's socket cannot say that another process is the child.
    fn only_of_child(&self, heard: Heard) -> Result<Option<Heard>> {
        match heard.sender {
            Some(pid) if pid != self.child.pid => Err(out_of_turn(&heard.message)),
            _ => Ok(Some(heard)),
        }
    }

    /// What enters a container is seen there, and has little to say. Nobody says some things twice.
    fn is_out_of_turn(&self, kind: Kind) -> bool {
        match kind {
            Kind::Ready | Kind::Failed => false,
            Kind::Terminal if self.terminal.is_some() => true,
            Kind::Forked => self.knows_child,
            _ => self.knows_child && self.launch.plan.spawns(),
        }
    }

    /// Waits for a message or the joiner's end. A joiner that was killed before it could speak of the
    /// child leaves a socket that the child holds open: only its end tells. One that is frozen with the
    /// container that it enters would stay for ever when that is killed: before the child is made the
    /// container's end tells, and then the child's, of which no descriptor can.
    fn await_joiner(&mut self) -> Result<()> {
        const LOOK_EVERY: u8 = 100;
        let joiner = self.child.process()?.pidfd;
        let fds = [Some(self.socket.as_fd()), Some(joiner), self.launch.entered];
        let mut fds: Vec<PollFd> =
            fds.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        loop {
            match poll(&mut fds, LOOK_EVERY) {
                Ok(0) => self.child.made_died().map_or(Ok(()), Err)?,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::system("wait for the container's process", errno)),
                Ok(_) if fds[0].any() == Some(true) => return Ok(()),
                // It may have spoken when the kernel had looked at the socket already.
                Ok(_) if fds[1].any() == Some(true) => {
                    let spoken = poll(&mut fds[..1], PollTimeout::ZERO).is_ok_and(|any| any > 0);
                    return if spoken { Ok(()) } else { Err(self.child.died()) };
                }
                Ok(_) => return Err(left_alone()),
            }
        }
    }

    fn answer(&mut self) -> Result<()> {
        answer(self.socket.as_fd(), &mut self.child)
    }

    /// A child that asks for nothing else on its way may have its last answer in advance.
    fn born(&mut self, midwife: &mut Midwife) -> Result<()> {
        self.knows_child = true;
        if self.launch.plan.spawns() {
            // Where procfs hides what is not one's own (`hidepid`), it is closed to us.
            (midwife.born)(self.child.process()?, &self.child.stat)?;
            return Ok(());
        }
        self.child.stat = stat(&format!("/proc/{}/stat", self.child.pid))?;
        let after = (midwife.born)(self.child.process()?, &self.child.stat)?;
        if after == After::GoOn && self.launch.plan.asks_only_when_ready() {
            // A child that has failed already is gone; what it said is still to be read.
            match socket::send(
                self.socket.as_raw_fd(),
                &self.child.stat.ignored.to_le_bytes(),
                None,
            ) {
                Ok(()) | Err(sys::Errno(libc::EPIPE)) => self.answered = true,
                Err(errno) => return Err(cannot_answer(errno)),
            }
        }
        Ok(())
    }

    /// The joiner has made the child, which is ours too, and ends.
    fn forked(&mut self, pid: i32) -> Result<()> {
        let pidfd =
            sys::process::pidfd_open(pid).map_err(|errno| Error::system("pidfd_open", errno))?;
        self.child.becomes(pid, pidfd);
        Ok(())
    }
}

impl Ready {
    fn answer(&mut self) -> Result<()> {
        if self.answered { Ok(()) } else { answer(self.socket.as_fd(), &mut self.child) }
    }

    /// Lets the child go on to wait for `start`. If it has a filter with a listener, `listening` gets that.
    pub(crate) fn release(mut self, plan: &Plan, listening: Listening) -> Result<Started> {
        self.answer()?;
        if plan.listens() {
            let listener = filter::await_listener(&self, plan)?;
            listening(listener.ok_or_else(filter::ended_early)?)?;
        } else if plan.has_labels() {
            self.await_exec(plan)?;
        }
        self.keep()
    }

    /// Lets the child go on to its execve(2), and waits until that has happened. Until then the
    /// program may already have to wait for whoever has the listener.
    pub(crate) fn execute(mut self, plan: &Plan, listening: Listening) -> Result<Started> {
        self.answer()?;
        if plan.listens()
            && let Some(listener) = filter::await_listener(&self, plan)?
        {
            listening(listener)?;
        }
        self.await_exec(plan)?;
        self.keep()
    }

    /// `None` when the child has executed its program, or has ended.
    fn hear(&self, plan: &Plan) -> Result<Option<Heard>> {
        if plan.spawns() && !hears(&self.socket, &self.child)? {
            return Ok(None);
        }
        receive(&self.socket)
    }

    /// The socket closes when the child executes its program, or has its labels and waits for `start`; before
    /// that a message says what failed.
    fn await_exec(&self, plan: &Plan) -> Result<()> {
        match self.hear(plan)? {
            Some(Heard { message, .. }) if message.kind == Kind::Failed => {
                Err(explain::failed(plan, &message))
            }
            Some(Heard { message, .. }) => Err(out_of_turn(&message)),
            None => Ok(()),
        }
    }

    fn keep(self) -> Result<Started> {
        let (pid, pidfd) = self.child.keep()?;
        Ok((pid, pidfd, self.terminal))
    }
}

/// The first process, and the other side of its terminal.
type Started = (i32, OwnedFd, Option<OwnedFd>);

/// What a program says by its exit status is lost on a caller that ignores SIGCHLD.
pub(crate) fn check_exit_status() -> Result<()> {
    let text = "the caller ignores SIGCHLD, so the kernel keeps no exit status of what runs here; set it to SIG_DFL, or to a handler";
    let error = || Error::new(ErrorKind::Setup, text);
    if sys::signal::keeps_exit_status() { Ok(()) } else { Err(error()) }
}

fn out_of_turn(message: &Message) -> Error {
    let text = format!("the container's process said {:?} out of turn", message.kind);
    Error::new(ErrorKind::Setup, text)
}

/// Nobody to answer is left where the process was killed as it waited.
fn answer(socket: BorrowedFd, child: &mut Child) -> Result<()> {
    match socket::send(socket.as_raw_fd(), &child.stat.ignored.to_le_bytes(), None) {
        Err(sys::Errno(libc::EPIPE)) => Err(child.died()),
        sent => sent.map_err(cannot_answer),
    }
}

fn left_alone() -> Error {
    Error::new(ErrorKind::NotRunning, "the container's first process has ended")
}

fn cannot_answer(errno: sys::Errno) -> Error {
    Error::system("answer the container's process", errno)
}

/// A message, and what came with it.
struct Heard {
    message: Message,
    fd: Option<OwnedFd>,
    /// Where it is asked for: of a child that is made by a joiner.
    sender: Option<i32>,
}

/// Waits until there is something to hear; false when the child has ended first, though somebody else may still
/// have its socket.
fn hears(socket: &OwnedFd, child: &Child) -> Result<bool> {
    let child = child.process()?.pidfd;
    let mut fds = [socket.as_fd(), child].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::system("wait for the container's process", errno)),
            Ok(_) => return Ok(fds[0].any() == Some(true)),
        }
    }
}

fn receive(socket: &OwnedFd) -> Result<Option<Heard>> {
    let mut buffer = [0; child::MESSAGE_SIZE];
    let received = match socket::receive(socket.as_raw_fd(), &mut buffer) {
        // A child that ended with our answer unread resets the connection. The kernel says so
        // once, and then gives what the child had said before.
        Err(sys::Errno(libc::ECONNRESET)) => socket::receive(socket.as_raw_fd(), &mut buffer),
        received => received,
    };
    let socket::Received { length, fd, sender } =
        received.map_err(|errno| Error::system("hear from the container's process", errno))?;
    let message = Message::decode(buffer.get(..length).unwrap_or_default());
    Ok(message.map(|message| Heard { message, fd, sender }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_in_no_range() {
        let between = |first, kept: &[RawFd]| descriptors_between(first, kept.iter().copied());
        assert_eq!(between(3, &[]), [(3, u32::MAX)]);
        assert_eq!(between(3, &[5, -1, 3, 8, 9, 5]), [(4, 4), (6, 7), (10, u32::MAX)]);
        assert_eq!(between(6, &[4, 7]), [(6, 6), (8, u32::MAX)]);
    }
}

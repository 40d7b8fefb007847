//! The child's half: walks the steps of a [`Plan`] between clone3(2) and execve(2).
//!
//! The child of a program with threads may use only what is async-signal-safe. So nothing in here
//! allocates, locks, logs, reads the environment or panics: every value is in the plan or on the
//! stack, and every call goes through [`sys`]. `tests/no_allocation.rs` proves the first of these.
//!
//! What the child has to say goes to the parent as [`Message`]s: a failure is the number of the
//! step and the kernel's errno, and the parent, which holds the plan, finds the words for it.

mod attributes;
mod copy;
mod devices;
mod filesystem;
mod filter;
mod join;
mod masks;
mod message;
mod mounts;
mod passwd;
mod process;
mod terminal;

pub(crate) use message::{Kind, Message, SIZE as MESSAGE_SIZE};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use passwd::fuzz as passwd_fuzz;

use crate::plan::{Op, Plan, Step};
use crate::sys::{
    Errno, Result, attributes as sys_attributes, identity, process as sys_process, socket,
};
use crate::sys::{file, mount};
use std::ffi::CStr;
use std::os::fd::{OwnedFd, RawFd};

/// The number of the last step of all, execve(2), in a [`Message`].
pub(crate) const EXEC_STEP: u32 = u32::MAX;

/// This process, for calls that take any.
const OURSELVES: i32 = 0;

/// What the parent has prepared for the child, and what the child opens on its way.
pub(crate) struct Context<'a> {
    pub(crate) plan: &'a Plan,
    /// The plan's inputs, opened.
    pub(crate) inputs: &'a [RawFd],
    /// To the parent.
    pub(crate) socket: RawFd,
    /// Where it waits for `start`; -1 where it does not.
    pub(crate) start_fifo: RawFd,
    /// The host's procfs.
    pub(crate) procfs: RawFd,
    /// The program that executes the container's in our place; -1 where there is none.
    pub(crate) trampoline: RawFd,
    /// Ranges of descriptors that are not for it.
    pub(crate) others: &'a [(u32, u32)],
    /// `cgroup.procs` of the cgroups that it was not born into.
    pub(crate) doors: &'a [RawFd],
    pub(crate) directories: &'a mut [RawFd],
    pub(crate) trees: &'a mut [RawFd],
    pub(crate) state: State<'a>,
}

/// What changes while the child walks.
pub(crate) struct State<'a> {
    step: u32,
    in_joiner: bool,
    /// The root filesystem; -1 until it is known.
    root: RawFd,
    /// The container's side of the terminal.
    tty: RawFd,
    /// A copy of the host's null device that is not attached yet.
    null: RawFd,
    /// A mount of the empty directory that masks others.
    empty: RawFd,
    /// Namespaces entered so far.
    joined: u64,
    /// The working directory could not be entered with the setup user's rights.
    cwd_pending: bool,
    /// The signals that the caller ignores, as the parent knew at first, or its last answer says.
    ignored: u32,
    /// The kernel has no open_tree_attr(2).
    no_tree_attr: bool,
    executable: Option<&'a CStr>,
    /// Of the filter, until the parent has it.
    filter_listener: Option<OwnedFd>,
    /// `start` has come, and the parent has gone.
    started: bool,
    scratch: Scratch,
    message: Message,
}

impl State<'_> {
    pub(crate) fn new(ignored: u32) -> Self {
        Self {
            step: 0,
            in_joiner: false,
            root: -1,
            tty: -1,
            null: -1,
            empty: -1,
            joined: 0,
            cwd_pending: false,
            ignored,
            no_tree_attr: false,
            executable: None,
            filter_listener: None,
            started: false,
            scratch: Scratch::default(),
            message: Message::new(Kind::Failed),
        }
    }
}

/// Descriptors that are no longer needed. They are closed in bulk by execve(2), or one by one when
/// there are many: a config with 500 mounts must not run into RLIMIT_NOFILE.
struct Scratch {
    fds: [RawFd; 64],
    count: usize,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { fds: [-1; 64], count: 0 }
    }
}

impl Scratch {
    fn push(&mut self, fd: RawFd) {
        if let Some(place) = self.fds.get_mut(self.count) {
            *place = fd;
            self.count += 1;
            return;
        }
        self.fds.iter().for_each(|fd| file::close(*fd));
        self.fds[0] = fd;
        self.count = 1;
    }
}

/// Runs the child to its execve(2). The number of steps, their order and all their values are the plan's.
pub(crate) fn run(mut context: Context) -> ! {
    let plan = context.plan;
    context.state.in_joiner = !plan.joiner.is_empty();
    context.forget_others();
    // The joiner's last step returns in the child that it makes.
    context.walk(&plan.joiner);
    context.state.in_joiner = false;
    context.walk(&plan.steps);
    context.state.step = EXEC_STEP;
    let errno = context.execute();
    context.fail(errno)
}

/// A process that is in a user namespace and holds it, until whoever made it closes its end of
/// `socket` or is gone.
pub(crate) fn hold(socket: RawFd, others: &[(u32, u32)]) -> ! {
    let closed = others.iter().try_for_each(|(first, last)| file::close_range(*first, *last));
    if closed.is_ok() {
        let _ = file::read(socket, &mut [0u8; 1]);
    }
    sys_process::exit(0)
}

impl<'a> Context<'a> {
    /// A clone copies whatever other threads have open for their own children and containers. Who
    /// waits until one of those is closed must not have to wait for this child as well; and the
    /// parent's end of our socket must be closed when the parent is gone.
    fn forget_others(&mut self) {
        for (first, last) in self.others {
            if let Err(errno) = file::close_range(*first, *last) {
                self.fail(errno);
            }
        }
    }

    fn walk(&mut self, steps: &'a [Step]) {
        for (number, step) in steps.iter().enumerate() {
            self.state.step = number as u32;
            if let Err(errno) = self.take(&step.op) {
                self.fail(errno);
            }
        }
    }

    /// The one table from operations to functions.
    fn take(&mut self, op: &'a Op) -> Result<()> {
        match op {
            Op::EnterCgroups { .. } => self.enter_cgroups(),
            Op::AllProcessors => self.all_processors(),
            Op::Processors(list) => sys_attributes::set_processors(list.mask()),
            Op::JoinEarly(list) => self.join_early(list),
            Op::JoinRest(list) => self.join_rest(list),
            Op::JoinUser(input) => self.join_user(*input),
            Op::NewUser => self.new_user(),
            Op::NewTime(lines) => self.new_time(lines),
            Op::JoinProcess { input, flags } => self.join_process(*input, *flags),
            Op::Chroot(input) => self.chroot(*input),
            Op::Fork(flags) => self.fork(*flags),
            Op::Spawn => self.spawn(),
            Op::AwaitParent => self.await_parent(),
            Op::AwaitCgroup => self.ask(Kind::NeedCgroup),
            Op::AwaitIdMaps => self.ask(Kind::NeedIdMaps),
            Op::BecomeSetupUser { uid, gid } => process::become_user(*uid, *gid),
            Op::NewSession => identity::setsid(),
            Op::SessionKeyring(name) => self.session_keyring(name),
            Op::OomScoreAdj { value, strict } => self.oom_score_adj(value, *strict),
            Op::Dumpable(dumpable) => identity::set_dumpable(*dumpable),
            Op::NewCgroupNamespace => crate::sys::clone::unshare(libc::CLONE_NEWCGROUP as u64),
            Op::LoopbackUp => socket::loopback_up(),
            Op::AwaitNetDevices => self.ask(Kind::NeedNetDevices),
            Op::Hostname(name) => identity::sethostname(name),
            Op::Domainname(name) => identity::setdomainname(name),
            Op::Propagation { attr, recursive } => mounts::propagate(attr, *recursive),
            Op::OpenTree { tree, path, recursive } => self.open_tree(*tree, path, *recursive),
            Op::AttachRoot { source, path, host: true, .. } => self.attach_to_host(source, path),
            Op::AttachRoot { source, path, private, .. } => {
                self.attach_root(source, path, *private)
            }
            Op::UseRoot(path) => self.use_root(path),
            Op::Mount(mount) => self.mount(mount),
            Op::OpenDirectory { path, directory } => self.open_directory(path, *directory),
            Op::Node(node) => self.node(node),
            Op::Link { target, directory, name, replace } => {
                self.link(target, *directory, name, *replace)
            }
            Op::Mask(path) => self.mask(path),
            Op::ReadOnly(path) => self.read_only(path),
            Op::Sysctl { path, value } => self.write_proc(path, value.to_bytes()),
            Op::Terminal { console, size } => self.terminal(*console, *size),
            Op::Hooks => self.ask(Kind::Hooks),
            Op::WorkingDirectory(path) => self.working_directory(path),
            Op::ReadOnlyRoot => self.read_only_root(),
            Op::RootPropagation { attr, recursive } => {
                mount::mount_setattr(self.state.root, c"", *recursive, attr)
            }
            Op::Pivot { shared } => self.pivot(*shared),
            Op::ChrootToRoot => self.chroot_to_root(),
            Op::Redirect { input, to } => file::dup_to(self.input(*input)?, *to),
            Op::Stdio => self.stdio(),
            Op::ControllingTerminal => crate::sys::tty::set_controlling(0),
            Op::OwnStdio { uid } => process::own_stdio(*uid),
            Op::ChangeDirectory { path, last_try } => self.change_directory(path, *last_try),
            Op::Rlimit { resource, soft, hard } => self.rlimit(*resource, *soft, *hard),
            Op::Personality(persona) => sys_attributes::set_personality(*persona),
            Op::MemoryPolicy(policy) => {
                sys_attributes::set_memory_policy(policy.mode, policy.nodes.mask())
            }
            Op::Scheduler(scheduler) => self.or_ask(scheduler.set(OURSELVES), scheduler.may_ask),
            Op::GivenScheduler(_) => Ok(()),
            Op::IoPriority(priority) => self.or_ask(priority.set(OURSELVES), priority.may_ask),
            Op::Groups(groups) => process::set_groups(groups),
            Op::BoundingSet { drop } => process::drop_bounding(drop),
            Op::Ids { uid, gid, keep_capabilities } => {
                process::set_ids(*uid, *gid, *keep_capabilities)
            }
            Op::Capabilities(sets) => identity::capset(sets),
            Op::LowerEffective => process::lower_effective(),
            Op::Ambient(list) => process::set_ambient(list),
            Op::NoNewPrivileges => identity::set_no_new_privs(),
            Op::Umask(mask) => {
                file::umask(*mask);
                Ok(())
            }
            Op::Label { labelled, value } => self.label(*labelled, value),
            Op::Home { uid } => self.home(*uid),
            Op::FindExecutable { as_root } => self.find_executable(*as_root),
            Op::TakeExecutable => self.take_executable(),
            Op::ResetSignals => {
                process::unblock_signals();
                process::heed_signals(self.state.ignored)
            }
            Op::Ready => self.ready(),
            Op::LoadFilter { .. } => self.load_filter(),
            Op::SendListener => self.send_listener(),
            Op::KeepAdminBack { inheritable } => self.keep_admin_back(*inheritable),
            Op::GiveUpAdmin => self.give_up_admin(),
            Op::AwaitStart { first } => self.await_start(*first),
            Op::CloseOwn { first } => {
                // The trampoline sets labels through procfs, as the process that is to have them.
                let procfs = if self.plan.has_labels() { self.procfs } else { -1 };
                self.state.root = -1;
                self.close_all_but(*first, [self.socket, self.trampoline, procfs, -1])
            }
            Op::CloseOnExec { first } => file::cloexec_from(*first),
        }
    }

    fn input(&self, place: usize) -> Result<RawFd> {
        self.inputs.get(place).copied().ok_or(Errno(libc::EBADF))
    }

    /// The root filesystem: of a container that is being made, its descriptor; else the root directory.
    fn root(&mut self) -> Result<RawFd> {
        if self.state.root < 0 {
            self.state.root = file::open(c"/", libc::O_PATH | libc::O_DIRECTORY)?;
        }
        Ok(self.state.root)
    }

    /// Writes to a file of the host's procfs; a mount over any part of the path is an error.
    fn write_proc(&mut self, path: &CStr, bytes: &[u8]) -> Result<()> {
        let fd = file::openat2(self.procfs, path, libc::O_WRONLY, file::Resolve::SameMount)?;
        let written = file::write_all(fd, bytes);
        file::close(fd);
        written
    }

    /// Sends a request to the parent and waits until it has done what was asked.
    fn ask(&mut self, kind: Kind) -> Result<()> {
        self.send(kind, 0, None)?;
        let mut ignored = [0; 4];
        let read = file::read(self.socket, &mut ignored);
        if read != Ok(ignored.len()) {
            // The parent is gone, and with it whoever wanted this container.
            sys_process::exit(1);
        }
        self.state.ignored = u32::from_le_bytes(ignored);
        Ok(())
    }

    fn send(&mut self, kind: Kind, value: i32, fd: Option<RawFd>) -> Result<()> {
        let message = &mut self.state.message;
        message.kind = kind;
        message.step = self.state.step;
        message.in_joiner = self.state.in_joiner;
        message.value = value;
        let bytes = message.encode();
        message.clear_text();
        // A failure is told where the trampoline would tell it.
        if self.state.started {
            return file::write_all(self.start_fifo, &bytes);
        }
        socket::send(self.socket, &bytes, fd)
    }

    /// Tells the parent of something that was asked for and could not be done, and goes on.
    fn note(&mut self, errno: Errno) -> Result<()> {
        self.send(Kind::Note, errno.0, None)
    }

    fn fail(&mut self, errno: Errno) -> ! {
        // When nobody listens any more, there is nobody to tell.
        let _ = self.send(Kind::Failed, errno.0, None);
        sys_process::exit(1)
    }

    fn ready(&mut self) -> Result<()> {
        self.ask(Kind::Ready)?;
        process::heed_signals(self.state.ignored)
    }

    /// `start` sends a byte. A container may wait for long: it holds nothing of the caller's open.
    fn await_start(&mut self, first: u32) -> Result<()> {
        // The trampoline still has a listener to send, or a label to set.
        let labels = self.plan.has_labels();
        let socket = if self.plan.listens() || labels { self.socket } else { -1 };
        let procfs = if labels { self.procfs } else { -1 };
        self.close_all_but(first, [self.start_fifo, self.trampoline, socket, procfs])?;
        if self.trampoline >= 0 {
            return file::keep_on_exec(self.start_fifo);
        }
        file::read(self.start_fifo, &mut [0u8; 1])?;
        self.state.started = true;
        Ok(())
    }

    fn close_all_but(&self, first: u32, mut kept: [RawFd; 4]) -> Result<()> {
        kept.sort_unstable();
        let mut next = first;
        for kept in kept.into_iter().filter_map(|fd| u32::try_from(fd).ok()) {
            if kept > next {
                file::close_range(next, kept - 1)?;
            }
            next = next.max(kept + 1);
        }
        file::close_range(next, u32::MAX)
    }
}

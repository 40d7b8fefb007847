//! The steps that a child can take. Each is a few system calls on values that are ready.

use super::attributes::{IoPriority, MemoryPolicy, Scheduler};
use super::labels::Labelled;
use super::mount::{BindSource, MountPlan};
use super::namespaces::{self, Flags, Namespace};
use super::paths::RootPath;
use crate::config::List;
use crate::sys::identity::CapabilitySets;
use crate::sys::mount::MountAttr;
use std::ffi::CString;
use std::fmt;

/// One step: what to do, and which field of config.json asked for it (`""` for none).
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) field: String,
}

/// A device node, FIFO or, where mknod(2) is not allowed, a bind of the host's.
#[derive(Debug)]
pub(crate) struct MakeNode {
    pub(crate) directory: usize,
    pub(crate) name: CString,
    /// `S_IFCHR` or the like, and the permissions.
    pub(crate) mode: u32,
    pub(crate) device: u64,
    /// `None` leaves it to whoever makes it.
    pub(crate) owner: Option<(u32, u32)>,
    /// The host's node, to bind instead of making one.
    pub(crate) bind: Option<CString>,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Op {
    /// Moves into those cgroups that one was not born into: of cgroup v1, and of v2 if it is `unified`.
    EnterCgroups {
        unified: bool,
    },

    /// Has the parent see to it that systemd lets this process into the container's scope.
    AwaitCgroup,

    /// Has this process run on all processors that its cpuset allows, wherever the caller runs.
    AllProcessors,
    /// Has it run on these.
    Processors(List),

    // The joiner's steps.
    /// Enters the namespaces of these inputs; what needs rights of a user namespace that is joined
    /// later may be refused now.
    JoinEarly(Vec<(usize, u64)>),
    /// Enters those that [`Op::JoinEarly`] could not.
    JoinRest(Vec<(usize, u64)>),
    /// Enters the user namespace of an input.
    JoinUser(usize),
    /// Makes a user namespace and waits for its maps.
    NewUser,
    /// Makes a time namespace for the children, with these lines for `timens_offsets`.
    NewTime(CString),
    /// Enters namespaces of the process whose pidfd is the input.
    JoinProcess {
        input: usize,
        flags: u64,
    },
    /// Makes the directory of the input the root directory.
    Chroot(usize),
    /// Makes the child as a sibling, in new namespaces.
    Fork(u64),
    /// Becomes the trampoline, where there is one, and that makes the child.
    Spawn,
    /// The child's first step then: waits until the parent knows of it, and has done to it what only that may.
    AwaitParent,

    // Who the child is.
    /// Waits until the parent has written the id maps.
    AwaitIdMaps,
    /// Becomes the user with which the container is set up.
    BecomeSetupUser {
        uid: u32,
        gid: u32,
    },
    NewSession,
    SessionKeyring(CString),
    OomScoreAdj {
        value: CString,
        strict: bool,
    },
    /// Whether others, of the same user or of the container, may look into this process.
    Dumpable(bool),
    NewCgroupNamespace,
    LoopbackUp,
    /// Waits until the parent has moved the host's network devices here.
    AwaitNetDevices,
    Hostname(CString),
    Domainname(CString),

    // The root filesystem.
    Propagation {
        attr: MountAttr,
        recursive: bool,
    },
    /// Copies the host's mount at the path, to be used by a bind mount: place among the trees.
    OpenTree {
        tree: usize,
        path: CString,
        recursive: bool,
    },
    /// Attaches the root filesystem over its own directory, where createContainer hooks look for it.
    AttachRoot {
        source: BindSource,
        path: CString,
        /// Takes it, and what it is mounted on, out of the host's peer groups first.
        private: bool,
        /// The mounts are the caller's: nothing of them is changed or covered but the directory.
        host: bool,
    },
    /// A directory of the host is the root filesystem as it is.
    UseRoot(CString),
    Mount(Box<MountPlan>),
    OpenDirectory {
        path: RootPath,
        directory: usize,
    },
    Node(MakeNode),
    Link {
        target: CString,
        directory: usize,
        name: CString,
        replace: bool,
    },
    Mask(RootPath),
    ReadOnly(RootPath),
    Sysctl {
        path: CString,
        value: CString,
    },
    Terminal {
        console: bool,
        size: Option<(u16, u16)>,
    },
    /// Lets the parent run hooks before the root changes.
    Hooks,
    WorkingDirectory(RootPath),
    ReadOnlyRoot,
    RootPropagation {
        attr: MountAttr,
        recursive: bool,
    },
    /// The old root goes; if its mounts are shared with the host's, they leave their peer groups first.
    Pivot {
        shared: bool,
    },
    ChrootToRoot,

    // The process.
    /// An input becomes stdin, stdout or stderr.
    Redirect {
        input: usize,
        to: i32,
    },
    /// The terminal becomes stdin, stdout and stderr.
    Stdio,
    /// In a session that has none.
    ControllingTerminal,
    OwnStdio {
        uid: u32,
    },
    ChangeDirectory {
        path: RootPath,
        last_try: bool,
    },
    Rlimit {
        resource: u32,
        soft: u64,
        hard: u64,
    },
    Personality(u32),
    MemoryPolicy(MemoryPolicy),
    Scheduler(Scheduler),
    /// The parent has set it, since the child may not.
    GivenScheduler(Scheduler),
    IoPriority(IoPriority),
    Groups(Vec<u32>),
    BoundingSet {
        drop: Vec<u32>,
    },
    Ids {
        uid: u32,
        gid: u32,
        keep_capabilities: bool,
    },
    Capabilities(CapabilitySets),
    Ambient(Vec<u32>),
    /// Has no capability in effect until the next execve(2) gives them back.
    LowerEffective,
    NoNewPrivileges,
    Umask(u32),
    /// Writes to a file of `/proc/self/attr`. For the program this is taken by the trampoline, where there
    /// is one.
    Label {
        labelled: Labelled,
        value: CString,
    },
    /// HOME from the image's passwd(5).
    Home {
        uid: u32,
    },
    /// For root, whichever execute bit is set will do.
    FindExecutable {
        as_root: bool,
    },
    /// The first candidate, unseen: execve(2) will tell.
    TakeExecutable,
    /// No signal is blocked. Those that the caller ignores are reset with its last answer.
    ResetSignals,
    /// Tells the parent that all is ready, and waits until it has written that down.
    Ready,
    // Taken by the trampoline, where there is one: child/filter.rs.
    /// Takes CAP_SYS_ADMIN, which is needed to load the filter, out of what the program will have.
    KeepAdminBack {
        inheritable: bool,
    },
    /// Loads the plan's seccomp filter.
    LoadFilter {
        instructions: usize,
    },
    /// Hands the filter's listener to the parent.
    SendListener,
    /// Gives up CAP_SYS_ADMIN before the program is executed.
    GiveUpAdmin,
    /// Closes every descriptor from this one up but the start FIFO, and waits for `start`.
    AwaitStart {
        first: u32,
    },
    /// What execve(2) would close a little later, before others see it.
    CloseOwn {
        first: u32,
    },
    CloseOnExec {
        first: u32,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "{:#}", self.op),
            field => write!(f, "{:#}  <- {field}", self.op),
        }
    }
}

impl Op {
    /// The kind of namespace of which it changes a setting.
    pub(crate) fn changes(&self) -> Option<Namespace> {
        match self {
            Self::Hostname(_) | Self::Domainname(_) => Some(namespaces::UTS),
            Self::Sysctl { path, .. } => {
                let path = path.to_str().ok()?.strip_prefix("sys/")?;
                crate::config::namespace_of_sysctl(path).map(Namespace::of)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnterCgroups { unified: false } => f.write_str("enter the cgroups of cgroup v1"),
            Self::EnterCgroups { unified: true } => f.write_str("enter the cgroups"),
            Self::AllProcessors => f.write_str("run on all CPUs of the cpuset"),
            Self::Processors(list) => write!(f, "run on CPUs {list}"),
            Self::AwaitCgroup => f.write_str("wait to be let into the cgroup"),
            Self::JoinEarly(list) | Self::JoinRest(list) => {
                let flags = list.iter().fold(0, |all, (_, flag)| all | flag);
                write!(f, "join namespaces ({})", Flags(flags))
            }
            Self::JoinUser(_) => f.write_str("join the user namespace"),
            Self::NewUser => f.write_str("make a user namespace"),
            Self::NewTime(lines) => write!(f, "make a time namespace with offsets {lines:?}"),
            Self::JoinProcess { flags, .. } => {
                write!(f, "join the container's namespaces ({})", Flags(*flags))
            }
            Self::Chroot(_) => {
                f.write_str("chroot to the root directory of the container's process")
            }
            Self::Fork(flags) => write!(f, "clone the child ({})", Flags(*flags)),
            Self::Spawn => f.write_str("make the child from the trampoline"),
            Self::AwaitParent => f.write_str("wait for the parent"),
            Self::AwaitIdMaps => f.write_str("wait for the id maps"),
            Self::BecomeSetupUser { uid, gid } => write!(f, "become uid {uid}, gid {gid}"),
            Self::NewSession => f.write_str("start a session"),
            Self::SessionKeyring(name) => write!(f, "join session keyring {name:?}"),
            Self::OomScoreAdj { value, .. } => {
                write!(f, "set oom_score_adj to {}", value.to_string_lossy())
            }
            Self::Dumpable(true) => f.write_str("open this process to its user"),
            Self::Dumpable(false) => f.write_str("close this process to others"),
            Self::NewCgroupNamespace => f.write_str("make a cgroup namespace"),
            Self::LoopbackUp => f.write_str("bring lo up"),
            Self::AwaitNetDevices => f.write_str("wait for the network devices"),
            Self::Hostname(name) => write!(f, "set hostname to {name:?}"),
            Self::Domainname(name) => write!(f, "set domainname to {name:?}"),
            Self::Propagation { attr, recursive } => {
                write!(
                    f,
                    "set propagation of / to {:#x}{}",
                    attr.propagation,
                    if *recursive { ", recursively" } else { "" }
                )
            }
            Self::OpenTree { path, .. } => write!(f, "bind source {}", path.to_string_lossy()),
            Self::UseRoot(path) => write!(f, "use {} as the root", path.to_string_lossy()),
            Self::RootPropagation { attr, .. } => {
                write!(f, "set propagation of the root filesystem to {:#x}", attr.propagation)
            }
            Self::AttachRoot { .. } => f.write_str("attach the root filesystem"),
            Self::Mount(mount) => mount.fmt(f),
            Self::OpenDirectory { path, .. } => write!(f, "open directory {path}"),
            Self::Node(node) => match &node.bind {
                Some(source) => write!(
                    f,
                    "bind device {} from {}",
                    node.name.to_string_lossy(),
                    source.to_string_lossy()
                ),
                None => write!(
                    f,
                    "make device {} ({}:{}, mode {:o})",
                    node.name.to_string_lossy(),
                    libc::major(node.device),
                    libc::minor(node.device),
                    node.mode
                ),
            },
            Self::Link { target, name, .. } => {
                write!(f, "link {} to {}", name.to_string_lossy(), target.to_string_lossy())
            }
            Self::Mask(path) => write!(f, "mask {path}"),
            Self::ReadOnly(path) => write!(f, "make {path} read-only"),
            Self::Sysctl { path, value } => {
                write!(f, "write {value:?} to /proc/{}", path.to_string_lossy())
            }
            Self::Terminal { .. } => f.write_str("make a terminal"),
            Self::Hooks => f.write_str("let the parent run its hooks"),
            Self::WorkingDirectory(path) => write!(f, "make directory {path}"),
            Self::ReadOnlyRoot => f.write_str("make / read-only"),
            Self::Pivot { .. } => f.write_str("pivot_root"),
            Self::ChrootToRoot => f.write_str("chroot to the root filesystem"),
            Self::Redirect { to, .. } => write!(f, "redirect descriptor {to}"),
            Self::Stdio => f.write_str("make the terminal stdin, stdout and stderr"),
            Self::ControllingTerminal => f.write_str("make the terminal the controlling one"),
            Self::OwnStdio { uid } => write!(f, "give stdin, stdout and stderr to uid {uid}"),
            Self::ChangeDirectory { path, .. } => {
                write!(f, "chdir to cwd (\"{path}\") set in config.json")
            }
            Self::Rlimit { resource, soft, hard } => {
                write!(f, "set resource limit {resource} to {soft} (hard {hard})")
            }
            Self::Personality(persona) => write!(f, "set personality to {persona:#x}"),
            Self::MemoryPolicy(policy) => policy.fmt(f),
            Self::Scheduler(scheduler) => scheduler.fmt(f),
            Self::GivenScheduler(scheduler) => scheduler.fmt(f),
            Self::IoPriority(priority) => priority.fmt(f),
            Self::Groups(groups) => write!(f, "set groups to {groups:?}"),
            Self::BoundingSet { drop } => {
                write!(f, "drop {} capabilities from the bounding set", drop.len())
            }
            Self::Ids { uid, gid, .. } => write!(f, "become uid {uid}, gid {gid}"),
            Self::Capabilities(sets) => write!(
                f,
                "set capabilities (effective {:#x}, permitted {:#x}, inheritable {:#x})",
                sets.effective, sets.permitted, sets.inheritable
            ),
            Self::Ambient(list) => write!(f, "set {} ambient capabilities", list.len()),
            Self::LowerEffective => f.write_str("have no capability in effect"),
            Self::NoNewPrivileges => f.write_str("set no_new_privs"),
            Self::Umask(mask) => write!(f, "set umask to {mask:03o}"),
            Self::Label { labelled, value } => labelled.describe(value, f),
            Self::Home { .. } => f.write_str("look up HOME in /etc/passwd"),
            Self::FindExecutable { .. } => f.write_str("find the executable"),
            Self::TakeExecutable => f.write_str("take the executable as it is named"),
            Self::ResetSignals => f.write_str("reset signals"),
            Self::Ready => f.write_str("report ready"),
            Self::LoadFilter { instructions } => {
                write!(f, "load the seccomp filter of {instructions} instructions")
            }
            Self::SendListener => f.write_str("hand over the listener of the seccomp filter"),
            Self::KeepAdminBack { .. } => f.write_str("keep CAP_SYS_ADMIN from the program"),
            Self::GiveUpAdmin => f.write_str("give up CAP_SYS_ADMIN"),
            Self::AwaitStart { .. } => f.write_str("wait for start"),
            Self::CloseOwn { .. } => {
                f.write_str("close all of ours but the socket and the trampoline")
            }
            Self::CloseOnExec { first } => write!(f, "close descriptors from {first} up"),
        }
    }
}

//! The plan: everything that starting a container will do, computed before anything is done.
//!
//! [`Plan`] is flat: what the parent opens first (its inputs), what a short-lived joiner does if
//! namespaces must be entered first, and the steps of the child in the order in which it takes
//! them. Every string is a C string already and every flag a number, so that the child
//! (module `child`) only walks the list. Making a plan needs no privilege and touches
//! nothing; printing it is the dry run.

mod attributes;
mod cgroup_view;
mod create;
mod credentials;
mod devices;
mod environment;
mod exec;
mod exec_process;
mod filesystem;
mod filter;
mod host;
mod identity;
mod idmap;
mod labels;
mod mount;
mod mount_label;
mod mount_options;
mod net_devices;
mod op;
mod paths;

pub(crate) use attributes::Scheduler;
pub use attributes::{memory_policy_flags, memory_policy_modes};
pub use host::Host;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use mount_options::fuzz as mount_options_fuzz;
pub use mount_options::names as mount_option_names;
pub(crate) use mount_options::{harmless, private, read_only, slave};

pub(crate) use exec::{ExecTarget, HookPlan, for_exec, for_hook};
pub(crate) use exec_process::ProcessPlan;
pub(crate) use filter::permits;
pub(crate) use identity::{IdMap, IdMaps, render as render_id_maps};
pub(crate) use idmap::{IdMapping, Ids};
pub(crate) use labels::Labelled;
pub(crate) use mount::{BindSource, Classic, CopyUp, Filesystem, MountPlan, Source, TargetKind};
pub(crate) use namespaces::{ALL as ALL_NAMESPACES, Namespace};
pub(crate) use net_devices::NetDevice;
pub(crate) use op::{MakeNode, Op, Step};
pub(crate) use paths::{RootPath, c_path};

use crate::config::namespaces;
use crate::resctrl;
use crate::sys::mount::MountAttr;
use skep_seccomp::Filter;
use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::fmt;

/// Something that only the parent can open, before the clone; the child refers to it by its place.
#[derive(Debug)]
pub(crate) enum Input {
    /// A file of a namespace to be joined.
    Namespace { kind: Namespace, path: CString, field: String },
    /// A detached copy of a host mount: for a child that may not reach the path itself.
    Tree {
        path: CString,
        recursive: bool,
        /// What it is to the host's mounts, if no longer a peer.
        propagation: Option<MountAttr>,
        idmap: Option<IdMapping>,
        field: String,
    },
    /// A new file system that is to be id-mapped.
    Filesystem {
        fstype: CString,
        parameters: Vec<(CString, Option<CString>)>,
        idmap: IdMapping,
        field: String,
    },
    /// An open file of the caller: a pidfd, a directory.
    Given(std::os::fd::RawFd),
}

impl Input {
    /// What it is id-mapped with.
    pub(crate) fn idmap(&self) -> Option<&IdMapping> {
        match self {
            Self::Tree { idmap, .. } => idmap.as_ref(),
            Self::Filesystem { idmap, .. } => Some(idmap),
            Self::Namespace { .. } | Self::Given(_) => None,
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace { kind, path, field } => {
                write!(f, "{} namespace {}  <- {field}", kind.name, path.to_string_lossy())
            }
            Self::Tree { path, idmap, field, .. } => {
                write!(f, "bind source {}", path.to_string_lossy())?;
                idmap.iter().try_for_each(|idmap| idmap.fmt(f))?;
                write!(f, "  <- {field}")
            }
            Self::Filesystem { fstype, idmap, field, .. } => {
                write!(f, "new {}{idmap}  <- {field}", fstype.to_string_lossy())
            }
            Self::Given(_) => f.write_str("a descriptor of the caller's"),
        }
    }
}

/// The place of a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct At {
    pub(crate) in_joiner: bool,
    pub(crate) number: u32,
}

impl At {
    /// The last of all, execve(2).
    pub(crate) const EXEC: Self = Self { in_joiner: false, number: crate::child::EXEC_STEP };
}

/// What a container's creation (or a process's entry) will do, in order.
#[derive(Debug)]
pub struct Plan {
    pub(crate) inputs: Vec<Input>,
    /// Namespaces that the one clone3 makes.
    pub(crate) clone_flags: u64,
    /// Taken by an intermediate process that enters namespaces and then makes the child as its sibling.
    pub(crate) joiner: Vec<Step>,
    pub(crate) steps: Vec<Step>,
    pub(crate) id_maps: Option<IdMaps>,
    /// What the parent moves into the network namespace when the child waits for it.
    pub(crate) net_devices: Vec<NetDevice>,
    pub(crate) intel_rdt: Option<resctrl::Plan>,
    pub(crate) process: ProcessPlan,
    /// What the last steps load.
    pub(crate) filter: Option<Filter>,
    /// What loads the filter and sets labels is executed from a file that may not be read. So the process
    /// stays as it was before, and for whom it was: closed to those who could otherwise trace it, and use
    /// it without a filter, or what it holds open. Its files in procfs are those of who set it up then.
    pub(crate) unreadable: bool,
    /// How many directories the steps hold open at once.
    pub(crate) directories: usize,
    /// How many copies of host mounts the child makes before it attaches them.
    pub(crate) trees: usize,
    /// The SELinux label of what takes it by no mount option of its own.
    pub(crate) mount_label: Option<CString>,
    pub(crate) warnings: Vec<String>,
}

impl Plan {
    /// One in which nothing is done yet.
    fn new(process: ProcessPlan) -> Self {
        Self {
            inputs: Vec::new(),
            clone_flags: 0,
            joiner: Vec::new(),
            steps: Vec::new(),
            id_maps: None,
            net_devices: Vec::new(),
            intel_rdt: None,
            process,
            filter: None,
            unreadable: false,
            directories: 0,
            trees: 0,
            mount_label: None,
            warnings: Vec::new(),
        }
    }

    /// What the configuration asks for and will not get, one line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether the child has nothing to ask of the parent before it is ready.
    pub(crate) fn asks_only_when_ready(&self) -> bool {
        let asks = |step: &Step| match &step.op {
            Op::AwaitCgroup | Op::AwaitIdMaps | Op::NewUser | Op::AwaitNetDevices | Op::Hooks => {
                true
            }
            Op::AttachRoot { host, .. } => *host,
            Op::Scheduler(scheduler) => scheduler.may_ask,
            Op::IoPriority(priority) => priority.may_ask,
            _ => false,
        };
        !self.joiner.iter().chain(&self.steps).any(asks)
    }

    /// Whether a process walks into its cgroup of v2 rather than being born there.
    pub(crate) fn walks_in(&self) -> bool {
        let walks = |step: &Step| matches!(step.op, Op::EnterCgroups { unified: true });
        self.joiner.iter().any(walks)
    }

    /// The first descriptor that the program is not given.
    pub(crate) fn first_own_descriptor(&self) -> u32 {
        let first = |step: &Step| match step.op {
            Op::CloseOnExec { first } => Some(first),
            _ => None,
        };
        self.joiner.iter().chain(&self.steps).find_map(first).unwrap_or(3)
    }

    /// Whether a step writes to procfs.
    pub(crate) fn needs_procfs(&self) -> bool {
        let writes = |step: &Step| {
            matches!(
                step.op,
                Op::OomScoreAdj { .. } | Op::Sysctl { .. } | Op::Label { .. } | Op::NewTime(_)
            )
        };
        self.joiner.iter().chain(&self.steps).any(writes)
    }

    /// The inputs that are mapped with the container's user namespace, by their places.
    pub(crate) fn mapped_by_container(&self) -> impl Iterator<Item = (usize, &Input)> {
        let is_containers =
            |input: &Input| input.idmap().is_some_and(|idmap| idmap.ids == Ids::Containers);
        self.inputs.iter().enumerate().filter(move |(_, input)| is_containers(input))
    }

    /// The first step of a kind.
    pub(crate) fn find_step(&self, kind: impl Fn(&Op) -> bool) -> Option<At> {
        self.numbered().find(|(_, step)| kind(&step.op)).map(|(at, _)| at)
    }

    /// Whether the child is made by the trampoline.
    pub(crate) fn spawns(&self) -> bool {
        self.joiner.iter().any(|step| matches!(step.op, Op::Spawn))
    }

    /// Whether a child that is there is not ready yet.
    pub(crate) fn has_more_to_say(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.op, Op::Ready))
    }

    /// The steps that label the program, where they are among the joiner's or the child's own.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (At, Labelled, &CStr)> {
        self.numbered().filter_map(|(at, step)| match &step.op {
            Op::Label { labelled: Labelled::Keyring, .. } => None,
            Op::Label { labelled, value } => Some((at, *labelled, value.as_c_str())),
            _ => None,
        })
    }

    /// All steps, the joiner's first.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (At, &Step)> {
        let at = |in_joiner| move |(number, step)| (At { in_joiner, number }, step);
        (0..).zip(&self.joiner).map(at(true)).chain((0..).zip(&self.steps).map(at(false)))
    }

    /// The field that first changes a setting of the container's namespace of this kind.
    pub(crate) fn changed_in(&self, kind: Namespace) -> Option<&str> {
        let changing = self.steps.iter().find(|step| step.op.changes() == Some(kind));
        changing.map(|step| step.field.as_str())
    }

    /// Whether the program is to have a label of AppArmor or SELinux.
    pub(crate) fn has_labels(&self) -> bool {
        self.labels().next().is_some()
    }

    /// The program's label of SELinux.
    pub(crate) fn selinux_label(&self) -> Option<Cow<'_, str>> {
        let mut labels = self.labels();
        let label = labels.find(|(_, labelled, _)| *labelled == Labelled::Program);
        label.map(|(_, _, value)| value.to_string_lossy())
    }

    /// Whether the filter's listener is to be waited for.
    pub(crate) fn listens(&self) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.flags().listens())
    }

    /// Adds an input and gives its place.
    fn input(&mut self, input: Input) -> usize {
        self.inputs.push(input);
        self.inputs.len() - 1
    }
}

/// The namespace of an OCI type.
pub(crate) fn namespace_of(kind: oci_spec::runtime::LinuxNamespaceType) -> Namespace {
    Namespace::of(kind)
}

/// The names of the namespaces in a set of `CLONE_NEW*` flags.
pub(crate) fn flag_names(flags: u64) -> String {
    namespaces::Flags(flags).to_string()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for input in &self.inputs {
            writeln!(f, "open   {input}")?;
        }
        writeln!(f, "clone  {}", namespaces::Flags(self.clone_flags))?;
        if let Some(maps) = &self.id_maps {
            writeln!(f, "map    {maps}")?;
        }
        if let Some(rdt) = &self.intel_rdt {
            writeln!(f, "enter  {rdt}")?;
        }
        for device in &self.net_devices {
            writeln!(f, "move   {device}")?;
        }
        for (number, step) in self.joiner.iter().enumerate() {
            writeln!(f, "join   {number:3} {step}")?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "child  {number:3} {step}")?;
        }
        write!(f, "exec   {}", self.process)
    }
}

//! `create` and `run`.
//!
//! The order, so that whatever is left after a SIGKILL can be found and removed: the directory,
//! locked; state.json with the names of the cgroup and the resctrl group; those; the child; state.json
//! with its pid; only then may the child go on to wait for `start`, or to its program. A child whose
//! parent is gone before that ends by itself.

use super::agent::Agent;
use super::covered::Covered;
use super::directory::{CONFIG, Directory, Lock};
use super::options::{CreateOptions, Terminal, check_preserved};
use super::record::{Init, Record};
use super::{Container, Created, Spawned, StateRoot, id};
use crate::cgroup::{Cgroup, CgroupPlan, Place};
use crate::config::Bundle;
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::Hooks;
use crate::parent::{self, After, Launch, Midwife, Moved, Process, Ready};
use crate::plan::{Host, Plan};
use crate::procfs::Stat;
use crate::resctrl::{self, Prepared};
use crate::sys::socket;
use oci_spec::runtime::Spec;
use std::cell::RefCell;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

pub(super) fn create(
    root: &StateRoot,
    id: &str,
    bundle: &Bundle,
    options: &CreateOptions,
) -> Result<Created> {
    id::check(id)?;
    check_preserved(options.preserve_fds)?;
    let host = Host::detect()?;
    let spec = bundle.config.spec();
    // What is wrong with the config comes before what is wrong with its cgroup.
    let cgroup_plan = CgroupPlan::for_create(id, bundle, options, &host);
    let place = cgroup_plan.as_ref().ok().and_then(CgroupPlan::place);
    let planning = |place: Option<&Place>| Plan::for_create(id, bundle, options, &host, place);
    let plan = planning(place)?;
    let cgroup_plan = cgroup_plan?;
    log::debug!("plan of {id}:\n{plan}\n{cgroup_plan}");
    crate::labels::check(spec)?;
    let console = Console::open(spec, &options.terminal)?;
    let agent = Agent::connect(spec, plan.listens())?;
    let rdt = plan.intel_rdt.as_ref().map(Prepared::new).transpose()?;
    let keyring = !options.no_new_keyring;
    let mut record = Record::new(spec, bundle.path.clone(), bundle.rootfs(), keyring, host.euid);
    if crate::config::mounts_are_the_callers(spec) {
        record.covered = Some(Covered::at(&record.rootfs)?);
    }
    let hooks = Hooks::new(id, spec, &bundle.path, &host, keyring);
    let unfinished = Unfinished::begin(root, id, record, bundle)?;
    let making = Making {
        plan: &plan,
        planning: &planning,
        cgroup_plan: &cgroup_plan,
        rdt,
        console,
        agent,
        hooks: &hooks,
        options,
        net_devices: RefCell::default(),
    };
    making.make(unfinished, &host).map_err(|error| {
        // A missing directory or a file shows in whatever step comes upon it first.
        let error = check_rootfs(&bundle.rootfs()).err().unwrap_or(error);
        let error = making.net_devices.borrow_mut().give_back(error);
        // A creation that fails after the first hook ends as a life does: with the last ones.
        hooks.poststop_if_begun();
        error
    })
}

/// What a container is made by.
struct Making<'a> {
    plan: &'a Plan,
    /// Makes the plan for a cgroup.
    planning: &'a dyn Fn(Option<&Place>) -> Result<Plan>,
    cgroup_plan: &'a CgroupPlan,
    rdt: Option<Prepared<'a>>,
    console: Console,
    agent: Option<Agent>,
    hooks: &'a Hooks<'a>,
    options: &'a CreateOptions,
    net_devices: RefCell<Moved>,
}

impl Making<'_> {
    fn make(&self, mut unfinished: Unfinished, host: &Host) -> Result<Created> {
        let start = !self.options.wait_for_start;
        unfinished.record.intel_rdt = self.rdt.as_ref().map(|rdt| rdt.place().clone());
        let mut cgroup = unfinished.make_cgroup(self.cgroup_plan)?;
        let rdt = self.rdt.as_ref().map(Prepared::create).transpose()?;
        let other = self.plan_again(host, cgroup.as_ref().map(Cgroup::place))?;
        let plan = other.as_ref().unwrap_or(self.plan);
        let mut ready = self.launch(plan, &mut unfinished, host, cgroup.as_ref())?;
        if let Some(cgroup) = &mut cgroup {
            cgroup.settle(self.cgroup_plan)?;
        }
        self.console.deliver(&mut ready)?;
        if unfinished.record.init.is_none() {
            unfinished.record_init(ready.child.pid, &ready.child.stat)?;
        }
        let cgroup = unfinished.record.cgroup.as_ref();
        if start {
            self.hooks.start_container(ready.child.process()?, cgroup)?;
        }
        let notes = plan.warnings().iter().chain(&ready.notes);
        notes.for_each(|line| log::warn!("{line}"));
        let pid = ready.child.pid;
        let mut listening = |listener| match &self.agent {
            Some(agent) => agent.deliver(&listener, pid, self.hooks.creating(pid)),
            None => Ok(()),
        };
        let (pid, pidfd, terminal) = if start {
            ready.execute(plan, &mut listening)?
        } else {
            ready.release(plan, &mut listening)?
        };
        rdt.into_iter().for_each(resctrl::Unfinished::keep);
        let container = unfinished.finish();
        if start {
            self.hooks.poststart(pid);
        }
        Ok(Created { container, init: Spawned { pid, pidfd, terminal } })
    }

    /// On cgroup v1 the plan has the directories in it, and they may not be those that were planned:
    /// a scope's are known when there is one, and an ordinary user is refused some.
    fn plan_again(&self, host: &Host, made: Option<&Place>) -> Result<Option<Plan>> {
        let other = host.cgroups.has_v1() && made != self.cgroup_plan.place();
        other.then(|| (self.planning)(made)).transpose()
    }

    fn launch(
        &self,
        plan: &Plan,
        unfinished: &mut Unfinished,
        host: &Host,
        cgroup: Option<&Cgroup>,
    ) -> Result<Ready> {
        // Others look at the record: `create` is not to be taken for done before it is, and a
        // program that is started at once is watched by nobody if there are no hooks.
        let alone = !self.options.wait_for_start
            && self.hooks.none_in_creation()
            && matches!(self.console, Console::Nowhere);
        let waits = self.options.wait_for_start;
        let start_fifo = waits.then(|| unfinished.directory.make_start_fifo()).transpose()?;
        let place = unfinished.record.cgroup.clone();
        let unfinished = RefCell::new(unfinished);
        let mut born = |process: Process, stat: &Stat| {
            if let Some(cgroup) = cgroup {
                cgroup.restrict_devices(self.cgroup_plan)?;
            }
            if let Some(rdt) = &self.rdt {
                rdt.place().enter(process.pid)?;
            }
            if alone {
                unfinished.borrow_mut().record_init(process.pid, stat)?;
            }
            Ok(if alone { After::GoOn } else { After::Wait })
        };
        let mut before_pivot = |process: Process| self.hooks.before_pivot(process, place.as_ref());
        let mut net_devices =
            |process: Process| self.net_devices.borrow_mut().give(&plan.net_devices, process);
        let mut attaching = |number| unfinished.borrow_mut().record_root(number);
        let mut midwife = Midwife {
            born: &mut born,
            net_devices: &mut net_devices,
            attaching: &mut attaching,
            before_pivot: &mut before_pivot,
        };
        let launch = Launch { plan, host, cgroup, start_fifo, entered: None };
        parent::launch(launch, &mut midwife)
    }
}

fn check_rootfs(rootfs: &Path) -> Result<()> {
    let checked = match rootfs.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => {
            let text = "is no directory; name that of the root filesystem";
            Err(Error::new(ErrorKind::InvalidConfig, format!("{} {text}", rootfs.display())))
        }
        Err(error) => Err(Error::system(rootfs.display().to_string(), error)),
    };
    checked.map_err(|error| error.field("root.path"))
}

/// Where the terminal's other side goes.
pub(super) enum Console {
    Nowhere,
    Caller,
    Socket(OwnedFd),
}

impl Console {
    fn open(spec: &Spec, wanted: &Terminal) -> Result<Self> {
        let terminal =
            spec.process().as_ref().is_some_and(|process| process.terminal().unwrap_or(false));
        Self::for_process(terminal, wanted)
    }

    /// Connects before anything is made: a socket that nobody listens at is found at once.
    pub(super) fn for_process(terminal: bool, wanted: &Terminal) -> Result<Self> {
        let wrong =
            |text| Err(Error::new(ErrorKind::InvalidArgument, text).field("process.terminal"));
        match (terminal, wanted) {
            (false, Terminal::Socket(_)) => wrong(
                "is false, so there is no terminal to send; set it, or leave the console socket out",
            ),
            (false, _) => Ok(Self::Nowhere),
            (true, Terminal::None) => {
                wrong("is true, so the terminal must go somewhere; name a console socket")
            }
            (true, Terminal::Master) => Ok(Self::Caller),
            (true, Terminal::Socket(path)) => {
                let name = crate::plan::c_path(path)?;
                socket::connect(&name, None).map(Self::Socket).map_err(|errno| {
                    Error::system(format!("connect to console socket {}", path.display()), errno)
                })
            }
        }
    }

    pub(super) fn deliver(&self, ready: &mut Ready) -> Result<()> {
        match (self, &ready.terminal) {
            (Self::Socket(socket), Some(terminal)) => {
                // What comes with the descriptor is its name, as runc sends it.
                let sent =
                    socket::send(socket.as_raw_fd(), b"/dev/ptmx", Some(terminal.as_raw_fd()));
                ready.terminal = None;
                sent.map_err(|errno| {
                    Error::system("send the terminal to the console socket", errno)
                })
            }
            _ => Ok(()),
        }
    }
}

/// A container that is being made. Dropped before it is finished, all of it is taken back.
struct Unfinished {
    directory: Directory,
    _lock: Lock,
    record: Record,
    /// The cgroup is one that we have made or taken over.
    owns_cgroup: bool,
    finished: bool,
}

impl Unfinished {
    fn begin(root: &StateRoot, id: &str, record: Record, bundle: &Bundle) -> Result<Self> {
        let directory = Directory::make(root, id)?;
        let lock = directory.lock().inspect_err(|_| drop(directory.remove()))?;
        let unfinished =
            Self { directory, _lock: lock, record, owns_cgroup: false, finished: false };
        unfinished.directory.write(CONFIG, bundle.config.raw())?;
        Ok(unfinished)
    }

    /// The record that names the cgroup is there before the cgroup is.
    fn make_cgroup(&mut self, plan: &CgroupPlan) -> Result<Option<Cgroup>> {
        self.record.cgroup = plan.place().cloned();
        self.directory.store_first(&self.record)?;
        let created = Cgroup::create(plan)?;
        self.owns_cgroup = created.cgroup.is_some();
        created.notes.iter().for_each(|line| log::warn!("{line}"));
        self.record.cgroup = created.cgroup.as_ref().map(|cgroup| cgroup.place().clone());
        Ok(created.cgroup)
    }

    fn record_init(&mut self, pid: i32, stat: &Stat) -> Result<()> {
        self.record.init = Some(Init { pid, start_time: stat.start_time });
        self.directory.store(&self.record)
    }

    /// The record that names the mount is there before it is attached.
    fn record_root(&mut self, number: u64) -> Result<()> {
        self.record.covered.iter_mut().for_each(|covered| covered.attaching(number));
        self.directory.store(&self.record)
    }

    fn finish(mut self) -> Container {
        self.finished = true;
        let directory = self.directory.clone();
        Container::new(directory, self.record.clone())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // The error that brought us here is the one to be told.
        if let Some(place) = self.record.cgroup.as_ref().filter(|_| self.owns_cgroup) {
            let _ = Cgroup::remove_at(place);
        }
        self.record.uncover();
        let _ = self.directory.remove();
    }
}

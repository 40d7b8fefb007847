//! The plan of `create` and `run`: a new container.

use super::attributes;
use super::credentials::{self, Before, Credentials};
use super::devices::DeviceSteps;
use super::exec_process::ProcessPlan;
use super::filesystem;
use super::filter::{self, CarriesAdmin};
use super::host::Host;
use super::identity::{self, IdMaps};
use super::labels;
use super::namespaces::{self, Namespace};
use super::net_devices;
use super::op::{Op, Step};
use super::paths::{RootPath, c_path, c_string};
use super::{Input, Plan, environment};
use crate::cgroup::{Manager, Place};
use crate::config::{Bundle, HostIds, sysctl_path, validate};
use crate::container::CreateOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::resctrl;
use oci_spec::runtime::{Linux, LinuxTimeOffset, Process, Spec};
use std::collections::HashMap;
use std::ffi::CString;

/// Told of a container that the caller's mounts are to serve.
const ON_HOST: &str = "linux.namespaces has no mount namespace: the container's mounts show in the caller's, and chroot alone keeps it from the caller's files";

/// The umask of a process when `process.user.umask` says nothing, as runc has it.
const DEFAULT_UMASK: u32 = 0o022;

impl Plan {
    /// Plans the creation of a container whose cgroup is, or will be, `cgroup`. Nothing is touched.
    ///
    /// # Errors
    ///
    /// Everything that validation finds wrong, in one error.
    pub fn for_create(
        id: &str,
        bundle: &Bundle,
        options: &CreateOptions,
        host: &Host,
        cgroup: Option<&Place>,
    ) -> Result<Self> {
        let spec = bundle.config.spec();
        let ids = HostIds {
            privileged: host.has(caps::Capability::CAP_SYS_ADMIN),
            euid: host.euid,
            egid: host.egid,
        };
        let problems = validate(spec, &ids);
        if !problems.is_empty() {
            return Err(Error::problems(problems));
        }
        Planner { cgroup, ..Planner::new(id, bundle, options, host)? }.plan()
    }
}

/// The config's namespaces, sorted by what is done with them.
pub(super) struct Namespaces {
    /// `CLONE_NEW*` of those to be made.
    pub(super) new: u64,
    /// Kind, path and field of those to be joined.
    pub(super) joined: Vec<(Namespace, CString, String)>,
}

impl Namespaces {
    fn new(linux: &Linux) -> Result<Self> {
        let mut namespaces = Self { new: 0, joined: Vec::new() };
        for (number, namespace) in linux.namespaces().iter().flatten().enumerate() {
            let kind = Namespace::of(namespace.typ());
            match namespace.path().as_ref().filter(|path| !path.as_os_str().is_empty()) {
                Some(path) => {
                    let field = format!("linux.namespaces[{number}] ({})", kind.name);
                    namespaces.joined.push((kind, c_path(path)?, field));
                }
                None => namespaces.new |= kind.flag,
            }
        }
        Ok(namespaces)
    }

    pub(super) fn is_new(&self, kind: Namespace) -> bool {
        self.new & kind.flag != 0
    }

    fn is_joined(&self, kind: Namespace) -> bool {
        self.joined.iter().any(|(joined, ..)| *joined == kind)
    }

    /// Whether the container has one that is not the caller's.
    pub(super) fn has(&self, kind: Namespace) -> bool {
        self.is_new(kind) || self.is_joined(kind)
    }
}

/// The parts of the configuration that planning looks at all the time.
pub(super) struct Planner<'a> {
    id: &'a str,
    pub(super) spec: &'a Spec,
    pub(super) bundle: &'a Bundle,
    pub(super) options: &'a CreateOptions,
    pub(super) host: &'a Host,
    pub(super) cgroup: Option<&'a Place>,
    pub(super) linux: Linux,
    pub(super) process: &'a Process,
    pub(super) namespaces: Namespaces,
    pub(super) plan: Plan,
    /// The place at which a new, empty `/dev` is open.
    pub(super) dev: Option<usize>,
    /// tmpfs mounts that become read-only at the end, with the fields that say so.
    pub(super) read_only: Vec<(RootPath, String)>,
}

impl<'a> Planner<'a> {
    fn new(
        id: &'a str,
        bundle: &'a Bundle,
        options: &'a CreateOptions,
        host: &'a Host,
    ) -> Result<Self> {
        let spec = bundle.config.spec();
        let missing = || Error::new(ErrorKind::InvalidConfig, "process: is missing");
        let process = spec.process().as_ref().ok_or_else(missing)?;
        let linux = spec.linux().clone().unwrap_or_default();
        let namespaces = Namespaces::new(&linux)?;
        let args = process.args().clone().unwrap_or_default();
        let env =
            environment::merge(process.env().iter().flatten().map(String::as_str), &options.env);
        let mut warnings = Vec::new();
        let filter = filter::compile(spec, &mut warnings)?;
        filter::check_start(filter.as_ref(), options.wait_for_start)?;
        let process_plan = ProcessPlan::new(&args, &env)?;
        let plan = Plan { filter, warnings, ..Plan::new(process_plan) };
        Ok(Self {
            id,
            spec,
            bundle,
            options,
            host,
            cgroup: None,
            linux,
            process,
            namespaces,
            plan,
            dev: None,
            read_only: Vec::new(),
        })
    }

    fn plan(mut self) -> Result<Plan> {
        self.plan.intel_rdt =
            self.linux.intel_rdt().as_ref().map(|rdt| resctrl::Plan::new(rdt, self.id));
        self.push(Op::Umask(0), "");
        // Becoming another user closes our own files in procfs to us, so this comes before it.
        let oom_score = oom_score(self.process, self.host)?;
        self.enter_namespaces(oom_score)?;
        self.identity()?;
        self.root_filesystem()?;
        let setup_uid = self.setup_ids().0;
        let home = environment::value(&self.environment(), "HOME").is_none();
        let last = process_steps(
            &mut self.plan,
            self.process,
            &Entry {
                before: Before {
                    uid: setup_uid,
                    user_namespace: self.namespaces.has(namespaces::USER),
                },
                host: self.host,
                linux: Some(&self.linux),
                preserve_fds: self.options.preserve_fds,
                terminal: self.process.terminal().unwrap_or(false),
                keep_groups: credentials::keeps_groups(self.spec),
                home,
                at_root: true,
                seen: !self.namespaces.is_new(namespaces::PID),
            },
        )?;
        last.add_to(&mut self.plan);
        if self.options.wait_for_start {
            // Engines without a capability (pasta, for Buildah) open its namespaces while it waits.
            let own_user = self.process.user().uid() == setup_uid;
            self.plan.unreadable |= !own_user && !self.namespaces.has(namespaces::USER);
            self.push(Op::AwaitStart { first: 3 + self.options.preserve_fds }, "");
        }
        Ok(self.plan)
    }

    fn environment(&self) -> Vec<&str> {
        environment::merge(
            self.process.env().iter().flatten().map(String::as_str),
            &self.options.env,
        )
    }

    pub(super) fn push(&mut self, op: Op, field: &str) {
        self.plan.steps.push(Step { op, field: field.to_owned() });
    }

    /// The ids with which the container is set up.
    fn setup_ids(&self) -> (u32, u32) {
        match (&self.plan.id_maps, self.namespaces.has(namespaces::USER)) {
            (Some(maps), _) => (identity::setup_id(&maps.uids), identity::setup_id(&maps.gids)),
            (None, true) => (0, 0),
            (None, false) => (self.host.euid, self.host.egid),
        }
    }

    /// One clone3 makes all new namespaces, unless some must be entered first: then a joiner does
    /// that and makes the child as its sibling.
    fn enter_namespaces(&mut self, oom_score: Option<Step>) -> Result<()> {
        let user = self.namespaces.is_new(namespaces::USER);
        if user {
            let maps =
                IdMaps::new(self.linux.uid_mappings().as_ref(), self.linux.gid_mappings().as_ref());
            self.plan.id_maps = Some(maps);
        }
        // The cgroup namespace is made by the child itself: its root is the cgroup of whoever
        // calls, and only the child is in the container's.
        let flags = self.namespaces.new & !(namespaces::CGROUP.flag | namespaces::TIME.flag);
        let joins = !self.namespaces.joined.is_empty() || self.namespaces.is_new(namespaces::TIME);
        let steps = if joins { &mut self.plan.joiner } else { &mut self.plan.steps };
        if self.options.cgroups == Manager::Systemd && self.host.is_rootless() {
            steps.push(Step { op: Op::AwaitCgroup, field: "linux.cgroupsPath".to_owned() });
        }
        if self.host.cgroups.has_v1() {
            let op = Op::EnterCgroups { unified: false };
            steps.push(Step { op, field: "linux.cgroupsPath".to_owned() });
        }
        steps.push(Step { op: Op::AllProcessors, field: String::new() });
        if joins {
            self.plan.joiner.extend(oom_score);
            return self.joiner(flags);
        }
        self.plan.clone_flags = flags;
        self.plan.steps.extend(oom_score);
        if user {
            self.push(Op::AwaitIdMaps, "linux.uidMappings");
            let (uid, gid) = self.setup_ids();
            self.push(Op::BecomeSetupUser { uid, gid }, "linux.uidMappings");
        }
        // Hooks are run by the caller, who has to look into this process for that. Nobody else sees
        // it before its program runs, if the pid namespace is new.
        let seen = !self.namespaces.is_new(namespaces::PID);
        if user || seen {
            self.push(Op::Dumpable(!seen), "");
        }
        Ok(())
    }

    /// Namespaces owned by the caller's user namespace must be entered before the container's own
    /// user namespace is, those owned by a joined one after it: so twice, and the second time counts.
    fn joiner(&mut self, flags: u64) -> Result<()> {
        let mut others = Vec::new();
        let mut user = None;
        for (kind, path, field) in std::mem::take(&mut self.namespaces.joined) {
            let place = self.plan.input(Input::Namespace {
                kind,
                path: path.clone(),
                field: field.clone(),
            });
            match kind {
                namespaces::USER => user = Some((place, field.clone())),
                _ => others.push((place, kind.flag)),
            }
            self.namespaces.joined.push((kind, path, field));
        }
        let new_user = self.namespaces.is_new(namespaces::USER);
        let steps = &mut self.plan.joiner;
        let mut push = |op, field: &str| steps.push(Step { op, field: field.to_owned() });
        let in_user = user.is_some() || new_user;
        if in_user && !others.is_empty() {
            push(Op::JoinEarly(others.clone()), "linux.namespaces");
        }
        // Whoever owns a user namespace may look into what enters it, unless it is closed before;
        // where nobody sees this process, it needs its own files in procfs.
        let seen = flags & namespaces::PID.flag == 0;
        if let Some((place, field)) = user {
            push(Op::Dumpable(false), "");
            push(Op::JoinUser(place), &field);
            if !seen {
                push(Op::Dumpable(true), "");
            }
        } else if new_user {
            push(Op::NewUser, "linux.namespaces");
        }
        let (uid, gid) = self.setup_ids();
        let mut push =
            |op, field: &str| self.plan.joiner.push(Step { op, field: field.to_owned() });
        if !others.is_empty() {
            push(Op::JoinRest(others), "linux.namespaces");
        }
        if self.namespaces.new & namespaces::TIME.flag != 0 {
            push(
                Op::NewTime(time_offsets(self.linux.time_offsets().as_ref())?),
                "linux.timeOffsets",
            );
        }
        if in_user {
            push(Op::BecomeSetupUser { uid, gid }, "linux.uidMappings");
        }
        if in_user || seen {
            push(Op::Dumpable(!seen), "");
        }
        push(Op::Fork(flags & !namespaces::USER.flag), "linux.namespaces");
        Ok(())
    }

    /// Session, keyring, cgroup namespace, network, names.
    fn identity(&mut self) -> Result<()> {
        self.push(Op::NewSession, "");
        if !self.options.no_new_keyring {
            self.plan.steps.extend(labels::of_keyring(self.process)?);
            self.push(Op::SessionKeyring(c_string(keyring_name(self.id))?), "");
        }
        if self.namespaces.is_new(namespaces::CGROUP) {
            self.push(Op::NewCgroupNamespace, "linux.namespaces");
        }
        if self.namespaces.is_new(namespaces::NETWORK) {
            self.push(Op::LoopbackUp, "linux.namespaces");
        }
        // Before the sysctls, which may be about one of them.
        self.plan.net_devices = net_devices::plan(&self.linux, self.host)?;
        if !self.plan.net_devices.is_empty() {
            self.push(Op::AwaitNetDevices, "linux.netDevices");
        }
        if let Some(name) = self.spec.hostname().as_ref().filter(|name| !name.is_empty()) {
            self.push(Op::Hostname(c_string(name)?), "hostname");
        }
        if let Some(name) = self.spec.domainname().as_ref().filter(|name| !name.is_empty()) {
            self.push(Op::Domainname(c_string(name)?), "domainname");
        }
        Ok(())
    }

    /// Everything from mount propagation to pivot_root.
    fn root_filesystem(&mut self) -> Result<()> {
        let hooks = crate::hooks::run_before_pivot(self.spec);
        let on_host = crate::config::mounts_are_the_callers(self.spec);
        if on_host {
            self.plan.warnings.push(ON_HOST.into());
        }
        let has_mounts = on_host || self.namespaces.has(namespaces::MOUNT);
        if has_mounts {
            filesystem::attach(self)?;
            self.devices()?;
            if self.process.terminal().unwrap_or(false) {
                self.terminal(true);
            }
            filesystem::restrict(self)?;
        } else {
            filesystem::use_root(self)?;
            if self.process.terminal().unwrap_or(false) {
                self.terminal(false);
            }
        }
        self.sysctls()?;
        if hooks {
            self.push(Op::Hooks, "hooks");
        }
        let cwd = self.process.cwd().to_string_lossy().into_owned();
        if cwd != "/" {
            self.push(Op::WorkingDirectory(RootPath::new(&cwd)?), "process.cwd");
        }
        filesystem::finish(self, has_mounts);
        Ok(())
    }

    fn devices(&mut self) -> Result<()> {
        let dev_is_bound = self.spec.mounts().iter().flatten().any(filesystem::binds_dev);
        if dev_is_bound {
            return Ok(());
        }
        let mknod = !self.namespaces.has(namespaces::USER)
            && !self.host.in_user_namespace
            && self.host.has(caps::Capability::CAP_MKNOD);
        let configured = self.linux.devices().clone().unwrap_or_default();
        let devices = DeviceSteps::plan(&configured, mknod, self.dev, self.plan.directories)?;
        self.plan.directories = devices.places();
        self.plan.steps.extend(devices.steps);
        Ok(())
    }

    fn terminal(&mut self, console: bool) {
        let size = console_size(self.process);
        self.push(Op::Terminal { console, size }, "process.terminal");
    }

    fn sysctls(&mut self) -> Result<()> {
        let mut sysctls: Vec<_> =
            self.linux.sysctl().clone().unwrap_or_default().into_iter().collect();
        sysctls.sort();
        for (name, value) in sysctls {
            // Validation has refused the names that lead elsewhere.
            let path = sysctl_path(&name).unwrap_or_default();
            let path = c_string(format!("sys/{path}"))?;
            self.push(
                Op::Sysctl { path, value: c_string(value)? },
                &format!("linux.sysctl[{name}]"),
            );
        }
        Ok(())
    }

    pub(super) fn is_root_readonly(&self) -> bool {
        self.spec.root().as_ref().is_some_and(|root| root.readonly().unwrap_or(false))
    }
}

fn time_offsets(offsets: Option<&HashMap<String, LinuxTimeOffset>>) -> Result<CString> {
    let mut lines: Vec<String> = offsets
        .into_iter()
        .flatten()
        .map(|(clock, offset)| {
            format!("{clock} {} {}\n", offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0))
        })
        .collect();
    lines.sort();
    c_string(lines.concat())
}

/// The step for `process.oomScoreAdj`. Lowering the score takes CAP_SYS_RESOURCE: who has it must succeed.
pub(super) fn oom_score(process: &Process, host: &Host) -> Result<Option<Step>> {
    let Some(value) = process.oom_score_adj() else { return Ok(None) };
    let strict = !host.is_rootless() && host.has(caps::Capability::CAP_SYS_RESOURCE);
    let op = Op::OomScoreAdj { value: c_string(value.to_string())?, strict };
    Ok(Some(Step { op, field: "process.oomScoreAdj".to_owned() }))
}

/// The name that runc gives: engines' tests look for it.
pub(super) fn keyring_name(id: &str) -> String {
    format!("_ses.{id}")
}

/// Rows and columns of `process.consoleSize`.
pub(super) fn console_size(process: &Process) -> Option<(u16, u16)> {
    let size = process.console_size()?;
    let clamp = |value: u64| u16::try_from(value).unwrap_or(u16::MAX);
    Some((clamp(size.height()), clamp(size.width())))
}

/// How a process comes to its container.
pub(super) struct Entry<'a> {
    pub(super) before: Before,
    pub(super) host: &'a Host,
    /// The container's own section of the configuration.
    pub(super) linux: Option<&'a Linux>,
    pub(super) preserve_fds: u32,
    pub(super) terminal: bool,
    /// The caller's supplementary groups stay.
    pub(super) keep_groups: bool,
    /// HOME is to be looked up.
    pub(super) home: bool,
    /// The working directory is the root directory already.
    pub(super) at_root: bool,
    /// Processes of the container, or of others, see this one before its filter is loaded.
    pub(super) seen: bool,
}

/// The steps that init and exec processes share, from stdio to the filter.
pub(super) fn process_steps(plan: &mut Plan, process: &Process, entry: &Entry) -> Result<Last> {
    let user = process.user();
    let mut push = |op, field: &str| plan.steps.push(Step { op, field: field.to_owned() });
    if entry.terminal {
        push(Op::Stdio, "process.terminal");
        if entry.at_root {
            push(Op::ControllingTerminal, "process.terminal");
        }
    }
    if user.uid() != entry.before.uid || entry.before.uid != 0 {
        push(Op::OwnStdio { uid: user.uid() }, "process.user.uid");
    }
    let cwd = RootPath::new(&process.cwd().to_string_lossy())?;
    let at_cwd = cwd.is_root() && entry.at_root;
    if !at_cwd {
        push(Op::ChangeDirectory { path: cwd.clone(), last_try: false }, "process.cwd");
    }
    if entry.home {
        push(Op::Home { uid: user.uid() }, "process.env");
    }
    plan.steps.extend(credentials::rlimits(process.rlimits().as_deref().unwrap_or_default()));
    // What these need, a process may have no more when it is the user that it shall be.
    let asks = entry.before.user_namespace && entry.host.has(caps::Capability::CAP_SYS_NICE);
    plan.steps.extend(attributes::of_container(entry.linux));
    plan.steps.extend(attributes::of_process(process, asks));
    let no_new_privileges = process.no_new_privileges().unwrap_or(false);
    let Credentials { steps, carries } = credentials::plan(
        user,
        process.capabilities().as_ref(),
        &entry.before,
        entry.host,
        plan.filter.is_some() && !no_new_privileges,
        entry.keep_groups,
        &mut plan.warnings,
    );
    plan.steps.extend(steps);
    let mut push = |op, field: &str| plan.steps.push(Step { op, field: field.to_owned() });
    if !at_cwd {
        push(Op::ChangeDirectory { path: cwd, last_try: true }, "process.cwd");
    }
    push(Op::Umask(user.umask().unwrap_or(DEFAULT_UMASK)), "process.user.umask");
    if no_new_privileges {
        push(Op::NoNewPrivileges, "process.noNewPrivileges");
    }
    push(Op::FindExecutable { as_root: user.uid() == 0 }, "process.args[0]");
    push(Op::ResetSignals, "");
    push(Op::CloseOnExec { first: 3 + entry.preserve_fds }, "");
    let labels = labels::of_program(process)?;
    if entry.seen && (!entry.at_root || plan.filter.is_some() || !labels.is_empty()) {
        close(plan);
    }
    Ok(Last { labels, carries })
}

/// Nobody in the container gets hold of the process before its program is executed.
pub(super) fn close(plan: &mut Plan) {
    plan.unreadable = true;
    // Who may read any file may read this one too.
    plan.steps.push(Step { op: Op::LowerEffective, field: String::new() });
}

/// The last steps of a process: those that the trampoline takes, where there is one.
#[derive(Default)]
pub(super) struct Last {
    pub(super) labels: Vec<Step>,
    pub(super) carries: Option<CarriesAdmin>,
}

impl Last {
    fn add_to(self, plan: &mut Plan) {
        plan.steps.push(Step { op: Op::Ready, field: String::new() });
        plan.steps.extend(self.labels);
        filter::add_steps(plan, self.carries);
    }
}

//! The plans of processes that enter a container: `exec`, and hooks that run inside it.

use super::attributes::Processors;
use super::create::{Entry, Last, close, console_size, keyring_name, oom_score, process_steps};
use super::credentials::{self, Before};
use super::exec_process::ProcessPlan;
use super::filter;
use super::host::Host;
use super::identity::{self, IdMaps};
use super::labels;
use super::namespaces;
use super::op::{Op, Step};
use super::paths::c_string;
use super::{Input, Plan, environment};
use crate::container::ExecOptions;
use crate::error::Result;
use oci_spec::runtime::{Hook, Process, Spec};
use std::os::fd::RawFd;

/// The container that is entered.
pub(crate) struct ExecTarget<'a> {
    pub(crate) id: &'a str,
    pub(crate) spec: &'a Spec,
    /// Its first process.
    pub(crate) pidfd: RawFd,
    /// `CLONE_NEW*` of the namespaces in which it differs from the caller.
    pub(crate) namespaces: u64,
    /// Its root directory, where it has no mount namespace of its own to find it in.
    pub(crate) root: Option<RawFd>,
    /// Whether it has a session keyring of its own.
    pub(crate) keyring: bool,
    /// Whether systemd may have to let a process into its cgroup.
    pub(crate) awaits_cgroup: bool,
}

impl ExecTarget<'_> {
    fn has_user_namespace(&self) -> bool {
        self.namespaces & namespaces::USER.flag != 0
    }

    /// The ids with which the process is set up: root of the container.
    fn setup_ids(&self, host: &Host) -> (u32, u32) {
        if !self.has_user_namespace() {
            return (host.euid, host.egid);
        }
        let linux = self.spec.linux().as_ref();
        let maps = IdMaps::new(
            linux.and_then(|linux| linux.uid_mappings().as_ref()),
            linux.and_then(|linux| linux.gid_mappings().as_ref()),
        );
        (identity::setup_id(&maps.uids), identity::setup_id(&maps.gids))
    }
}

fn step(op: Op) -> Step {
    Step { op, field: String::new() }
}

/// An empty plan for `args`.
fn begin(args: &[String], env: &[&str]) -> Result<Plan> {
    Ok(Plan::new(ProcessPlan::new(args, env)?))
}

/// The joiner's first steps: into all namespaces at once. Of the pid namespace its children will be, but
/// itself it is in none of the container's, so nobody there sees what it does next.
fn join(plan: &mut Plan, target: &ExecTarget, host: &Host, processors: Processors) {
    // Whoever is born in the cgroup is never anywhere else: to be on other processors before, one has
    // to walk in.
    let unified = processors.before.is_some();
    plan.joiner.extend(processors.before);
    if target.awaits_cgroup {
        plan.joiner.push(step(Op::AwaitCgroup));
    }
    if unified || host.cgroups.has_v1() {
        plan.joiner.push(step(Op::EnterCgroups { unified }));
    }
    plan.joiner.extend(processors.after);
    // Whoever owns the user namespace may look into what enters it, unless it is closed before.
    plan.joiner.push(step(Op::Dumpable(false)));
    let input = plan.input(Input::Given(target.pidfd));
    plan.joiner.push(step(Op::JoinProcess { input, flags: target.namespaces }));
    if let Some(root) = target.root {
        let input = plan.input(Input::Given(root));
        plan.joiner.push(step(Op::Chroot(input)));
    }
    if target.has_user_namespace() {
        let (uid, gid) = target.setup_ids(host);
        plan.joiner.push(step(Op::BecomeSetupUser { uid, gid }));
    }
}

/// Plans a further process of a running container.
pub(crate) fn for_exec(
    target: &ExecTarget,
    process: &Process,
    options: &ExecOptions,
    host: &Host,
) -> Result<Plan> {
    let env = environment::merge(process.env().iter().flatten().map(String::as_str), &options.env);
    let args = process.args().clone().unwrap_or_default();
    let mut plan = begin(&args, &env)?;
    plan.filter = filter::compile(target.spec, &mut plan.warnings)?;
    filter::check_start(plan.filter.as_ref(), false)?;
    plan.joiner.extend(oom_score(process, host)?);
    join(&mut plan, target, host, Processors::of(process));
    if target.keyring {
        plan.steps.extend(labels::of_keyring(process)?);
        plan.steps.push(step(Op::SessionKeyring(c_string(keyring_name(target.id))?)));
    }
    let terminal = process.terminal().unwrap_or(false);
    if terminal {
        let op = Op::Terminal { console: false, size: console_size(process) };
        plan.steps.push(Step { op, field: "process.terminal".into() });
    }
    let before =
        Before { uid: target.setup_ids(host).0, user_namespace: target.has_user_namespace() };
    let home = environment::value(&env, "HOME").is_none();
    let entry = Entry {
        before,
        host,
        linux: target.spec.linux().as_ref(),
        preserve_fds: options.preserve_fds,
        terminal,
        keep_groups: credentials::keeps_groups(target.spec),
        home,
        at_root: false,
        seen: true,
    };
    let last = process_steps(&mut plan, process, &entry)?;
    show(&mut plan, terminal, host, last);
    Ok(plan)
}

/// All steps so far become the joiner's: in the container's pid namespace is only what it makes, and that is
/// the trampoline already. Processes of the container that may trace any other, and see this one, then get
/// hold of nothing that they are not to have: of no rights, no descriptor, no file of ours (CVE-2016-9962,
/// CVE-2019-5736). Behind the fork comes what only the process itself can do.
fn show(plan: &mut Plan, terminal: bool, host: &Host, last: Last) {
    let stays = |step: &Step| match &step.op {
        Op::Scheduler(it) => !it.is_handed_on(),
        Op::ChangeDirectory { path, .. } => is_of_process(path.lexical().as_bytes()),
        _ => false,
    };
    let (own, mut joiners): (Vec<Step>, Vec<Step>) = plan.steps.drain(..).partition(stays);
    let parents = host.has(caps::Capability::CAP_SYS_NICE);
    let own = own.into_iter().map(|step| match step.op {
        // It has no rights any more.
        Op::Scheduler(scheduler) if parents => Step { op: Op::GivenScheduler(scheduler), ..step },
        op => Step { op, ..step },
    });
    for step in &mut joiners {
        if let (Op::FindExecutable { .. }, [path]) = (&step.op, &plan.process.candidates[..])
            && is_of_process(path.to_bytes())
        {
            step.op = Op::TakeExecutable;
        }
    }
    plan.joiner.extend(joiners);
    // Nobody in the container is to find the caller's session, with its terminal, in who has not made its own yet.
    plan.joiner.push(step(Op::NewSession));
    plan.joiner.push(step(Op::CloseOwn { first: plan.first_own_descriptor() }));
    plan.joiner.extend(last.labels);
    plan.joiner.push(step(Op::Spawn));
    plan.steps.extend([step(Op::AwaitParent), step(Op::NewSession)]);
    plan.steps.extend(own);
    if terminal {
        plan.steps.push(Step { op: Op::ControllingTerminal, field: "process.terminal".into() });
        // Now nobody can take it any more, and the parent may unlock it.
        plan.steps.push(step(Op::Ready));
    }
    filter::add_steps(plan, last.carries);
}

/// Whether a path of the container may be one that is another for each process, as `/proc/self` is and what
/// leads there. The joiner has none: it is in no pid namespace of the container's.
fn is_of_process(path: &[u8]) -> bool {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    [&b"proc/"[..], b"dev/fd", b"dev/std"].iter().any(|before| path.starts_with(before))
}

/// What a hook inside the container is given.
pub(crate) struct HookPlan<'a> {
    pub(crate) hook: &'a Hook,
    /// Standard input: the container's state.
    pub(crate) stdin: RawFd,
    /// Standard output and error.
    pub(crate) output: RawFd,
    /// createContainer hooks are the host's programs and run as root of the container;
    /// startContainer hooks are the container's and run as its process.
    pub(crate) as_process: bool,
}

/// Plans a createContainer or startContainer hook. The latter has the container process's own user
/// and capabilities: its program is the image's.
pub(crate) fn for_hook(target: &ExecTarget, wanted: &HookPlan, host: &Host) -> Result<Plan> {
    let path = wanted.hook.path().to_string_lossy().into_owned();
    let args = wanted
        .hook
        .args()
        .clone()
        .filter(|args| !args.is_empty())
        .unwrap_or_else(|| vec![path.clone()]);
    let env: Vec<&str> = wanted.hook.env().iter().flatten().map(String::as_str).collect();
    let mut plan = begin(&args, &env)?;
    plan.process.name = path.clone();
    plan.process.candidates = vec![c_string(&path)?];
    let stdin = plan.input(Input::Given(wanted.stdin));
    let output = plan.input(Input::Given(wanted.output));
    join(&mut plan, target, host, Processors::all());
    for (input, to) in [(stdin, 0), (output, 1), (output, 2)] {
        plan.steps.push(step(Op::Redirect { input, to }));
    }
    let process = target.spec.process().as_ref().filter(|_| wanted.as_process);
    let last = match process {
        Some(process) => {
            let before = Before {
                uid: target.setup_ids(host).0,
                user_namespace: target.has_user_namespace(),
            };
            let entry = Entry {
                before,
                host,
                linux: target.spec.linux().as_ref(),
                preserve_fds: 0,
                terminal: false,
                keep_groups: credentials::keeps_groups(target.spec),
                home: false,
                at_root: false,
                seen: true,
            };
            process_steps(&mut plan, process, &entry)?
        }
        None => {
            plan.steps.extend([
                step(Op::FindExecutable { as_root: true }),
                step(Op::ResetSignals),
                step(Op::CloseOnExec { first: 3 }),
            ]);
            close(&mut plan);
            Last::default()
        }
    };
    show(&mut plan, false, host, last);
    Ok(plan)
}

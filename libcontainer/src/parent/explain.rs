//! From the child's numbers to words.

use crate::child::{EXEC_STEP, Message};
use crate::error::{Error, ErrorKind, describe};
use crate::plan::{Host, Labelled, Op, Plan, Scheduler, Step};
use crate::sys::Errno;
use std::io;

/// The error of a failed step: what it was, on which object, asked for by which field.
pub(super) fn failed(plan: &Plan, message: &Message) -> Error {
    if message.step == EXEC_STEP {
        return exec_failed(&plan.process.name, plan.selinux_label().as_deref(), message.value);
    }
    let Some(step) = step(plan, message) else {
        return Error::new(ErrorKind::Setup, format!("an unknown step failed ({})", message.step));
    };
    if matches!(step.op, Op::FindExecutable { .. }) {
        return not_executable(&plan.process.name, message.value).at_step(message.step as usize);
    }
    let mut text = step.op.to_string();
    let kernel = String::from_utf8_lossy(message.text());
    if let Some(kernel) = kernel.lines().find_map(|line| line.strip_prefix("e ")) {
        text = format!("{text}: {kernel}");
    }
    let source = io::Error::from_raw_os_error(message.value);
    let error = match hint(&step.op, message.value) {
        // The hint comes after what the kernel said.
        Some(hint) => {
            Error::new(ErrorKind::Setup, format!("{text}: {}; {hint}", describe(&source)))
                .hide(source)
        }
        None => Error::new(ErrorKind::Setup, text).because(source),
    };
    error.field(step.field.clone()).at_step(message.step as usize)
}

pub(super) fn step<'a>(plan: &'a Plan, message: &Message) -> Option<&'a Step> {
    let steps = if message.in_joiner { &plan.joiner } else { &plan.steps };
    steps.get(message.step as usize)
}

/// The oldest kernel that has every call which is made without a way round it.
const OLD_KERNEL: &str = "skep needs Linux 5.14 or later";

/// What to do, where it is known. Engines look for some of these words.
fn hint(op: &Op, errno: i32) -> Option<&'static str> {
    match (op, errno) {
        (Op::MemoryPolicy(_), libc::ENOSYS) => {
            Some("the kernel is built without NUMA: leave linux.memoryPolicy out")
        }
        (Op::MemoryPolicy(_), libc::EINVAL) => Some(
            "its nodes must have memory and be allowed by linux.resources.cpu.mems; MPOL_PREFERRED_MANY needs Linux 5.15, MPOL_WEIGHTED_INTERLEAVE 6.9",
        ),
        (Op::Processors(_), libc::EINVAL) => {
            Some("none of them is there and allowed by the cpuset, linux.resources.cpu.cpus")
        }
        (Op::Scheduler(scheduler) | Op::GivenScheduler(scheduler), errno) => {
            scheduler_hint(scheduler, errno)
        }
        (Op::IoPriority(_), libc::EPERM) => {
            Some("IOPRIO_CLASS_RT takes CAP_SYS_NICE or CAP_SYS_ADMIN of the host")
        }
        (Op::IoPriority(_), libc::ENOSYS) => {
            Some("the kernel is built without disks: leave process.ioPriority out")
        }
        (_, libc::ENOSYS) => Some(OLD_KERNEL),
        (Op::Mount(_), libc::ENOTDIR) => Some(
            "the mount point or the source is not a directory: a directory goes onto a directory, a file onto a file, and procfs and sysfs onto no link",
        ),
        (Op::Mount(_) | Op::Node(_) | Op::Terminal { .. }, libc::EMEDIUMTYPE) => Some(
            "only a procfs goes onto /proc, also where a link of the image or a volume leads there: mount this somewhere else",
        ),
        (Op::Mount(_) | Op::OpenDirectory { .. } | Op::WorkingDirectory(_), libc::EROFS) => Some(
            "the mount point is missing and the root filesystem is read-only: make it in the image",
        ),
        (Op::Pivot { .. }, libc::EINVAL) => {
            Some("a root filesystem on ramfs or rootfs needs --no-pivot")
        }
        (Op::ChangeDirectory { .. }, libc::ELOOP) => {
            Some("a magic link such as /proc/self/fd/N is no directory of the container")
        }
        (Op::Spawn | Op::Fork(_), libc::EAGAIN) => Some(
            "linux.resources.pids.limit or RLIMIT_NPROC is reached: who enters takes room for two for a moment",
        ),
        (Op::SessionKeyring(_), libc::EDQUOT) => {
            Some("the user's quota of keys is used up: --no-new-keyring does without")
        }
        (Op::Terminal { .. }, libc::ENOENT) => {
            Some("a terminal needs a devpts at /dev/pts in mounts")
        }
        (Op::Terminal { .. }, libc::EBUSY) | (Op::ControllingTerminal, libc::EPERM) => Some(
            "processes of the container take each new terminal as their own before this one has it",
        ),
        (Op::Label { labelled, .. }, errno) => label_hint(*labelled, errno),
        (Op::LoadFilter { .. }, libc::EACCES) => {
            Some("loading a filter takes CAP_SYS_ADMIN or process.noNewPrivileges")
        }
        (Op::LoadFilter { .. }, libc::EBUSY) => {
            Some("a filter with a listener is in force already, and there can only be one")
        }
        (Op::LoadFilter { .. }, libc::EINVAL) => {
            Some("the kernel is built without seccomp filters, or lacks one of linux.seccomp.flags")
        }
        (Op::Groups(_), libc::EPERM) => Some(
            "groups cannot be set in a user namespace that an ordinary user made without newgidmap: leave process.user.additionalGids empty",
        ),
        _ => None,
    }
}

fn scheduler_hint(scheduler: &Scheduler, errno: i32) -> Option<&'static str> {
    match errno {
        libc::EPERM => Some(
            "it takes CAP_SYS_NICE of the host or limits that allow it (RLIMIT_NICE, RLIMIT_RTPRIO); SCHED_DEADLINE takes all CPUs too; a kernel that shares realtime out among cgroups gives none on v2, and on v1 what linux.resources.cpu.realtimeRuntime says",
        ),
        libc::EBUSY => Some(
            "the CPUs have not so much time left for SCHED_DEADLINE: see sysctl kernel.sched_rt_runtime_us",
        ),
        libc::EINVAL if scheduler.keeps_parameters() => Some(
            "SCHED_FLAG_KEEP_PARAMS keeps the caller's priority, nice value or times, which do not go with this policy: take the flag out, or give process.scheduler.priority",
        ),
        libc::EINVAL => Some(
            "a time of SCHED_DEADLINE is beyond sysctl kernel.sched_deadline_period_min_us or kernel.sched_deadline_period_max_us, or the kernel lacks a flag",
        ),
        libc::EOPNOTSUPP => {
            Some("the kernel is built without clamps of utilization: leave the flags out")
        }
        libc::ENOSYS => Some(OLD_KERNEL),
        _ => None,
    }
}

fn label_hint(labelled: Labelled, errno: i32) -> Option<&'static str> {
    match (labelled, errno) {
        (Labelled::Profile, libc::ENOENT) => Some(
            "no such profile is loaded: load it (apparmor_parser --replace FILE), or take the field out",
        ),
        (Labelled::Profile, libc::EACCES | libc::EPERM) => {
            Some("the profile that the caller is in itself does not permit the change")
        }
        (_, libc::EINVAL) => Some("the policy that is loaded has no such label"),
        (_, libc::EACCES | libc::EPERM) => Some(
            "the policy does not let the caller's domain set such labels (setexec, setkeycreate)",
        ),
        _ => None,
    }
}

/// The words that engines look for, as Go prints an errno: exit codes 126 and 127 hang on them.
fn go_text(errno: i32) -> String {
    match errno {
        libc::ENOENT => "no such file or directory".into(),
        libc::EACCES => "permission denied".into(),
        libc::EISDIR => "is a directory".into(),
        libc::ENOEXEC => "exec format error".into(),
        libc::ENOTDIR => "not a directory".into(),
        _ => describe(&io::Error::from_raw_os_error(errno)),
    }
}

/// `exec: "x": executable file not found in $PATH` and its like.
fn not_executable(name: &str, errno: i32) -> Error {
    let text = match errno {
        libc::ENOENT if !name.contains('/') => "executable file not found in $PATH".into(),
        libc::ENOENT | libc::ENOTDIR => format!("stat {name}: {}", go_text(errno)),
        _ => go_text(errno),
    };
    let source = io::Error::from_raw_os_error(errno);
    Error::new(ErrorKind::Setup, format!("exec: {name:?}: {text}"))
        .hide(source)
        .field("process.args[0]")
}

/// The program was found, and the kernel would not execute it.
fn exec_failed(name: &str, label: Option<&str>, errno: i32) -> Error {
    let source = io::Error::from_raw_os_error(errno);
    let mut text = format!("exec {name}: {}", go_text(errno));
    if let (Some(label), libc::EACCES | libc::EPERM) = (label, errno) {
        text = format!(
            "{text}; the policy may forbid to enter process.selinuxLabel {label} with this program"
        );
    }
    Error::new(ErrorKind::Setup, text).hide(source).field("process.args[0]")
}

/// A process that waited for `start` could not execute its program, or load its filter before that.
pub(crate) fn start_failed(name: &str, label: Option<&str>, step: u32, errno: i32) -> Error {
    if step == EXEC_STEP {
        return exec_failed(name, label, errno);
    }
    let source = io::Error::from_raw_os_error(errno);
    let text = "load the seccomp filter and wait for start under it";
    Error::new(ErrorKind::Setup, text).because(source).field("linux.seccomp")
}

/// What a note of the child means for whoever wrote the config.
pub(super) fn note(plan: &Plan, message: &Message) -> String {
    let why = describe(&io::Error::from_raw_os_error(message.value));
    match step(plan, message) {
        Some(step) => format!("{}: {}: {why}; {}", step.field, step.op, consequence(&step.op)),
        None => why,
    }
}

fn consequence(op: &Op) -> &'static str {
    match op {
        Op::Mount(_) => "the host's is bound there instead, read-only",
        Op::Rlimit { .. } => "the caller's own hard limit is set instead",
        Op::AllProcessors => "the caller's own CPUs stay",
        Op::OomScoreAdj { .. } => "the caller's own score stays",
        _ => "going on without",
    }
}

/// clone3(2) says little; most of what it says is about one thing.
pub(super) fn clone_failed(plan: &Plan, host: &Host, errno: Errno) -> Error {
    let text = format!("clone3 ({})", crate::plan::flag_names(plan.clone_flags));
    let user = plan.clone_flags & libc::CLONE_NEWUSER as u64 != 0;
    let error = Error::new(ErrorKind::Setup, text).field("linux.namespaces");
    let source = io::Error::from(errno);
    match errno.0 {
        libc::ENOSYS => hinted(error, source, OLD_KERNEL),
        libc::EPERM if user => hinted(
            error,
            source,
            "user namespaces are not made in a chroot, or not allowed to this user: see sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns",
        ),
        libc::EPERM if host.is_rootless() => hinted(
            error,
            source,
            "an ordinary user needs a user namespace: add {\"type\": \"user\"}",
        ),
        libc::ENOSPC => hinted(error, source, "a limit below /proc/sys/user is reached"),
        _ => error.because(source),
    }
}

fn hinted(error: Error, source: io::Error, hint: &str) -> Error {
    let text = format!("{}: {}; {hint}", error.text(), describe(&source));
    Error::new(ErrorKind::Setup, text).hide(source).field("linux.namespaces")
}

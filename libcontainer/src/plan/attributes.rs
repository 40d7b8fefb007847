//! How a process runs: on which processors, scheduled how, with which priority of input and output,
//! on which memory nodes, as which personality. Fields that say nothing make no step.

use super::op::{Op, Step};
use crate::config::{List, scheduler_flag};
use crate::sys::{self, attributes as kernel};
use oci_spec::runtime::{
    IOPriorityClass, Linux, LinuxIOPriority, LinuxMemoryPolicy, LinuxPersonalityDomain,
    LinuxSchedulerFlag, LinuxSchedulerPolicy, MemoryPolicyFlagType, MemoryPolicyModeType, Process,
};
use std::fmt;

/// `include/uapi/linux/sched.h`; SCHED_ISO is refused before.
const POLICIES: &[(LinuxSchedulerPolicy, u32)] = &[
    (LinuxSchedulerPolicy::SchedOther, 0),
    (LinuxSchedulerPolicy::SchedFifo, 1),
    (LinuxSchedulerPolicy::SchedRr, 2),
    (LinuxSchedulerPolicy::SchedBatch, 3),
    (LinuxSchedulerPolicy::SchedIdle, 5),
    (LinuxSchedulerPolicy::SchedDeadline, 6),
];

const SCHEDULER_FLAGS: &[(LinuxSchedulerFlag, u64)] = &[
    (LinuxSchedulerFlag::SchedResetOnFork, 0x01),
    (LinuxSchedulerFlag::SchedFlagReclaim, 0x02),
    (LinuxSchedulerFlag::SchedFlagDLOverrun, 0x04),
    (LinuxSchedulerFlag::SchedFlagKeepPolicy, 0x08),
    (LinuxSchedulerFlag::SchedFlagKeepParams, 0x10),
    (LinuxSchedulerFlag::SchedFlagUtilClampMin, 0x20),
    (LinuxSchedulerFlag::SchedFlagUtilClampMax, 0x40),
];

/// `include/uapi/linux/ioprio.h`
const IO_CLASSES: &[(IOPriorityClass, u32)] = &[
    (IOPriorityClass::IoprioClassRt, 1),
    (IOPriorityClass::IoprioClassBe, 2),
    (IOPriorityClass::IoprioClassIdle, 3),
];

/// `include/uapi/linux/mempolicy.h`
const MEMORY_MODES: &[(MemoryPolicyModeType, u32)] = &[
    (MemoryPolicyModeType::MpolDefault, 0),
    (MemoryPolicyModeType::MpolPreferred, 1),
    (MemoryPolicyModeType::MpolBind, 2),
    (MemoryPolicyModeType::MpolInterleave, 3),
    (MemoryPolicyModeType::MpolLocal, 4),
    (MemoryPolicyModeType::MpolPreferredMany, 5),
    (MemoryPolicyModeType::MpolWeightedInterleave, 6),
];

const MEMORY_FLAGS: &[(MemoryPolicyFlagType, u32)] = &[
    (MemoryPolicyFlagType::MpolFNumaBalancing, 1 << 13),
    (MemoryPolicyFlagType::MpolFRelativeNodes, 1 << 14),
    (MemoryPolicyFlagType::MpolFStaticNodes, 1 << 15),
];

/// `include/uapi/linux/personality.h`
const DOMAINS: &[(LinuxPersonalityDomain, u32)] =
    &[(LinuxPersonalityDomain::PerLinux, 0), (LinuxPersonalityDomain::PerLinux32, 8)];

/// The kernel's number for a word of the specification. The tables have all that validation lets pass.
fn number<W: PartialEq, N: Copy + Default>(table: &[(W, N)], word: &W) -> N {
    table.iter().find(|(known, _)| known == word).map(|(_, number)| *number).unwrap_or_default()
}

/// The bits of several flags.
fn bits<W: PartialEq, N>(table: &[(W, N)], words: Option<&Vec<W>>) -> N
where
    N: Copy + Default + std::ops::BitOr<Output = N>,
{
    let words = words.into_iter().flatten();
    words.fold(N::default(), |bits, word| bits | number(table, word))
}

/// The modes of `linux.memoryPolicy`, sorted.
pub fn memory_policy_modes() -> Vec<String> {
    sorted(MEMORY_MODES.iter().map(|(mode, _)| mode.to_string()))
}

/// The flags of `linux.memoryPolicy`, sorted.
pub fn memory_policy_flags() -> Vec<String> {
    sorted(MEMORY_FLAGS.iter().map(|(flag, _)| flag.to_string()))
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// `MPOL_BIND|MPOL_F_STATIC_NODES`
fn named(word: impl fmt::Display, flags: impl Iterator<Item: fmt::Display>) -> String {
    flags.fold(word.to_string(), |name, flag| format!("{name}|{flag}"))
}

/// Scheduling, as sched_setattr(2) takes it.
#[derive(Debug)]
pub(crate) struct Scheduler {
    attr: kernel::SchedulerAttr,
    name: String,
    /// The parent may where the child may not.
    pub(crate) may_ask: bool,
}

impl Scheduler {
    fn new(scheduler: &oci_spec::runtime::Scheduler, may_ask: bool) -> Self {
        let policy = scheduler.policy();
        let attr = kernel::SchedulerAttr {
            policy: number(POLICIES, policy),
            flags: bits(SCHEDULER_FLAGS, scheduler.flags().as_ref()),
            nice: scheduler.nice().unwrap_or(0),
            priority: scheduler.priority().and_then(|value| value.try_into().ok()).unwrap_or(0),
            runtime: scheduler.runtime().unwrap_or(0),
            deadline: scheduler.deadline().unwrap_or(0),
            period: scheduler.period().unwrap_or(0),
            ..Default::default()
        };
        let flags = scheduler.flags().iter().flatten().copied().map(scheduler_flag);
        Self { attr, name: named(policy, flags), may_ask }
    }

    /// Whether a child of the process has it, too: sched(7), "Resetting scheduling policy for child processes".
    pub(crate) fn is_handed_on(&self) -> bool {
        let deadline = number(POLICIES, &LinuxSchedulerPolicy::SchedDeadline);
        let reset = number(SCHEDULER_FLAGS, &LinuxSchedulerFlag::SchedResetOnFork);
        self.attr.policy != deadline && self.attr.flags & reset == 0
    }

    /// Whether the numbers are to be those that the process has already.
    pub(crate) fn keeps_parameters(&self) -> bool {
        let keep = number(SCHEDULER_FLAGS, &LinuxSchedulerFlag::SchedFlagKeepParams);
        self.attr.flags & keep != 0
    }

    /// Sets it for a process; 0 is the calling one.
    pub(crate) fn set(&self, pid: i32) -> sys::Result<()> {
        kernel::set_scheduler(pid, &self.attr)
    }

    pub(crate) fn attr(&self) -> &kernel::SchedulerAttr {
        &self.attr
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attr = &self.attr;
        write!(f, "set scheduling to {}", self.name)?;
        if attr.nice != 0 {
            write!(f, ", nice {}", attr.nice)?;
        }
        if attr.priority != 0 {
            write!(f, ", priority {}", attr.priority)?;
        }
        if attr.runtime != 0 {
            let (runtime, deadline, period) = (attr.runtime, attr.deadline, attr.period);
            write!(f, ", runtime {runtime}, deadline {deadline}, period {period} ns")?;
        }
        Ok(())
    }
}

/// Class and level, as ioprio_set(2) takes them.
#[derive(Debug)]
pub(crate) struct IoPriority {
    class: u32,
    level: u32,
    name: String,
    /// The parent may where the child may not.
    pub(crate) may_ask: bool,
}

impl IoPriority {
    fn new(priority: &LinuxIOPriority, may_ask: bool) -> Self {
        let class = priority.class();
        let level = u32::try_from(priority.priority()).unwrap_or(0);
        Self { class: number(IO_CLASSES, &class), level, name: class.to_string(), may_ask }
    }

    /// Sets it for a process; 0 is the calling one.
    pub(crate) fn set(&self, pid: i32) -> sys::Result<()> {
        kernel::set_io_priority(pid, self.class, self.level)
    }
}

impl fmt::Display for IoPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set I/O priority to {}, level {}", self.name, self.level)
    }
}

/// Mode and nodes, as set_mempolicy(2) takes them.
#[derive(Debug)]
pub(crate) struct MemoryPolicy {
    /// The flags are in it.
    pub(crate) mode: u32,
    pub(crate) nodes: List,
    name: String,
}

impl MemoryPolicy {
    fn new(policy: &LinuxMemoryPolicy) -> Self {
        let mode = policy.mode();
        let flags = bits(MEMORY_FLAGS, policy.flags().as_ref());
        let nodes = policy.nodes().as_deref().and_then(|nodes| List::nodes(nodes).ok());
        Self {
            mode: number(MEMORY_MODES, &mode) | flags,
            nodes: nodes.unwrap_or_default(),
            name: named(mode, policy.flags().iter().flatten()),
        }
    }
}

impl fmt::Display for MemoryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set memory policy to {}", self.name)?;
        if !self.nodes.mask().is_empty() {
            write!(f, " of nodes {}", self.nodes)?;
        }
        Ok(())
    }
}

/// What the container's configuration asks for all its processes.
pub(super) fn of_container(linux: Option<&Linux>) -> impl Iterator<Item = Step> {
    let personality = linux.and_then(|linux| linux.personality().as_ref()).map(|personality| {
        step(Op::Personality(number(DOMAINS, &personality.domain())), "linux.personality")
    });
    let policy = linux
        .and_then(|linux| linux.memory_policy().as_ref())
        .map(|policy| step(Op::MemoryPolicy(MemoryPolicy::new(policy)), "linux.memoryPolicy"));
    personality.into_iter().chain(policy)
}

/// What a process asks for itself.
pub(super) fn of_process(process: &Process, may_ask: bool) -> impl Iterator<Item = Step> {
    let scheduler = process.scheduler().as_ref().map(|scheduler| {
        step(Op::Scheduler(Scheduler::new(scheduler, may_ask)), "process.scheduler")
    });
    let priority = process.io_priority().as_ref().map(|priority| {
        step(Op::IoPriority(IoPriority::new(priority, may_ask)), "process.ioPriority")
    });
    scheduler.into_iter().chain(priority)
}

/// Where a process that enters a container runs, before it is in the cgroup and from then on.
pub(super) struct Processors {
    pub(super) before: Option<Step>,
    pub(super) after: Option<Step>,
}

impl Processors {
    /// All that the container may use, wherever the caller runs.
    pub(super) fn all() -> Self {
        Self { before: None, after: Some(step(Op::AllProcessors, "")) }
    }

    /// Those of `process.execCPUAffinity`. With an initial affinity and no final one, what the kernel
    /// makes of the former in the cgroup stays.
    pub(super) fn of(process: &Process) -> Self {
        let affinity = process.exec_cpu_affinity().as_ref();
        let wanted = |list: Option<&String>, field| {
            let list = List::processors(list?).ok()?;
            Some(step(Op::Processors(list), field))
        };
        let before = affinity.and_then(|affinity| affinity.initial().as_ref());
        let after = affinity.and_then(|affinity| affinity.cpu_affinity_final().as_ref());
        let before = wanted(before, "process.execCPUAffinity.initial");
        match (before, wanted(after, "process.execCPUAffinity.final")) {
            (None, None) => Self::all(),
            (before, after) => Self { before, after },
        }
    }
}

fn step(op: Op, field: &str) -> Step {
    Step { op, field: field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_the_kernel_s_numbers() {
        let scheduler: oci_spec::runtime::Scheduler = serde_json::from_str(
            r#"{"policy":"SCHED_DEADLINE","flags":["SCHED_FLAG_RECLAIM","SCHED_FLAG_UTIL_CLAMP_MAX"],"runtime":2000,"deadline":3000}"#,
        )
        .unwrap();
        let scheduler = Scheduler::new(&scheduler, false);
        assert_eq!((scheduler.attr.policy, scheduler.attr.flags), (6, 0x42));
        assert_eq!(
            scheduler_flag(LinuxSchedulerFlag::SchedResetOnFork),
            "SCHED_FLAG_RESET_ON_FORK"
        );
        let policy: LinuxMemoryPolicy = serde_json::from_str(
            r#"{"mode":"MPOL_BIND","nodes":"0,2","flags":["MPOL_F_STATIC_NODES"]}"#,
        )
        .unwrap();
        let policy = MemoryPolicy::new(&policy);
        assert_eq!((policy.mode, policy.nodes.mask()), (0x8002, &[5][..]));
        assert_eq!((memory_policy_modes().len(), memory_policy_flags().len()), (7, 3));
    }
}

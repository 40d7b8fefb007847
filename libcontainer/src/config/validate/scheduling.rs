//! How a process is scheduled: `scheduler`, `ioPriority` and `execCPUAffinity` of a
//! [process](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#linux-process).

use oci_spec::runtime::{LinuxSchedulerFlag, LinuxSchedulerPolicy, Process, Scheduler};

use super::Findings;
use crate::config::List;

/// What the kernel takes for a realtime policy (sched(7)).
const REALTIME_PRIORITIES: std::ops::RangeInclusive<i32> = 1..=99;

/// What it takes for the others.
const NICE: std::ops::RangeInclusive<i32> = -20..=19;

/// What it counts deadlines in, so that nothing below is of use (`DL_SCALE` of kernel/sched/sched.h).
const SHORTEST_RUNTIME: u64 = 1024;

pub(super) fn check(process: &Process, findings: &mut Findings) {
    if let Some(scheduler) = process.scheduler() {
        policy(scheduler, findings);
    }
    if let Some(priority) = process.io_priority() {
        let level = priority.priority();
        let text = format!("{level} is out of range; 0 (highest) to 7 (lowest) is right");
        findings.expect((0..=7).contains(&level), "process.ioPriority.priority", text);
    }
    let affinity = process.exec_cpu_affinity().as_ref();
    let initial = affinity.and_then(|affinity| affinity.initial().as_deref());
    let last = affinity.and_then(|affinity| affinity.cpu_affinity_final().as_deref());
    for (name, list) in [("initial", initial), ("final", last)] {
        if let Some(Err(text)) = list.map(List::processors) {
            findings.add(format!("process.execCPUAffinity.{name}"), text);
        }
    }
}

fn policy(scheduler: &Scheduler, findings: &mut Findings) {
    let policy = *scheduler.policy();
    let text = "SCHED_ISO is a number that Linux keeps free, no policy that it has; choose another";
    findings.expect(policy != LinuxSchedulerPolicy::SchedIso, "process.scheduler.policy", text);
    let nice = scheduler.nice().unwrap_or(0);
    let text = format!("{nice} is out of range; -20 to 19 is right");
    findings.expect(NICE.contains(&nice), "process.scheduler.nice", text);
    let flags = scheduler.flags().as_deref().unwrap_or_default();
    // Whatever they are now, they stay.
    if !flags.contains(&LinuxSchedulerFlag::SchedFlagKeepParams) {
        priority(scheduler, findings);
        times(scheduler, findings);
    }
}

fn priority(scheduler: &Scheduler, findings: &mut Findings) {
    const FIELD: &str = "process.scheduler.priority";
    let (policy, priority) = (scheduler.policy(), scheduler.priority());
    let given = priority.unwrap_or(0);
    match policy {
        LinuxSchedulerPolicy::SchedFifo | LinuxSchedulerPolicy::SchedRr => {
            let text = match priority {
                None => format!("is missing; {policy} takes 1 to 99"),
                Some(given) => format!("{given} is out of range; {policy} takes 1 to 99"),
            };
            findings.expect(REALTIME_PRIORITIES.contains(&given), FIELD, text);
        }
        _ => {
            let text = format!("{given} goes with SCHED_FIFO and SCHED_RR, {policy} has none");
            findings.expect(given == 0, FIELD, text);
        }
    }
}

/// As `__checkparam_dl` of kernel/sched/deadline.c has them, but for the limits that sysctls set.
fn times(scheduler: &Scheduler, findings: &mut Findings) {
    let policy = scheduler.policy();
    let [runtime, deadline, period] =
        [scheduler.runtime(), scheduler.deadline(), scheduler.period()]
            .map(|time| time.unwrap_or(0));
    let mut expect = |holds, name, text: String| {
        findings.expect(holds, format!("process.scheduler.{name}"), text)
    };
    if *policy != LinuxSchedulerPolicy::SchedDeadline {
        for (name, time) in [("runtime", runtime), ("deadline", deadline), ("period", period)] {
            expect(time == 0, name, format!("{time} goes with SCHED_DEADLINE, {policy} has none"));
        }
        return;
    }
    let text = match runtime {
        0 => format!("is missing; SCHED_DEADLINE takes {SHORTEST_RUNTIME} nanoseconds or more"),
        _ => format!(
            "{runtime} is too short; SCHED_DEADLINE takes {SHORTEST_RUNTIME} nanoseconds or more"
        ),
    };
    expect(runtime >= SHORTEST_RUNTIME, "runtime", text);
    let text = match deadline {
        0 => "is missing; SCHED_DEADLINE takes runtime or more".to_owned(),
        _ => format!("{deadline} is shorter than process.scheduler.runtime, {runtime}"),
    };
    expect(deadline != 0 && deadline >= runtime, "deadline", text);
    let text = format!("{period} is shorter than process.scheduler.deadline, {deadline}");
    expect(period == 0 || period >= deadline, "period", text);
    for (name, time) in [("deadline", deadline), ("period", period)] {
        let text = format!("{time} is out of range; the kernel takes up to {}", i64::MAX);
        expect(i64::try_from(time).is_ok(), name, text);
    }
}

//! `linux.resources.cpu`.
//!
//! The order matters to the kernel, which refuses a weight for an idle cgroup, a burst above the
//! quota, and a quota below the burst. This one is right for a new cgroup, which is not idle and has
//! no burst, and for all updates but one: a quota that goes below the burst that was.

use super::super::super::write::Limits;
use super::super::convert;
use oci_spec::runtime::LinuxCpu;

pub(super) fn add(cpu: &LinuxCpu, limits: &mut Limits) {
    weight(cpu, limits);
    bandwidth(cpu, limits);
    let sets = [
        ("linux.resources.cpu.cpus", "cpuset.cpus", cpu.cpus()),
        ("linux.resources.cpu.mems", "cpuset.mems", cpu.mems()),
    ];
    for (field, file, list) in sets {
        if let Some(list) = list.as_deref().filter(|list| !list.is_empty()) {
            limits.write(field, file, list);
        }
    }
    realtime(cpu, limits);
}

/// An idle cgroup has the kernel's least weight, whatever the shares say: `idle` is defined so.
fn weight(cpu: &LinuxCpu, limits: &mut Limits) {
    if let Some(idle) = cpu.idle() {
        limits.write("linux.resources.cpu.idle", "cpu.idle", idle.to_string());
    }
    let shares = cpu.shares().filter(|shares| *shares != 0 && cpu.idle() != Some(1));
    if let Some(shares) = shares {
        let weight = convert::cpu_weight(shares).to_string();
        limits.write("linux.resources.cpu.shares", "cpu.weight", weight);
    }
}

fn bandwidth(cpu: &LinuxCpu, limits: &mut Limits) {
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    let field = match (quota, period) {
        (None, None) => None,
        (Some(_), _) => Some("linux.resources.cpu.quota"),
        (None, Some(_)) => Some("linux.resources.cpu.period"),
    };
    if let Some(field) = field {
        limits.write(field, "cpu.max", convert::cpu_max(quota, period));
    }
    if let Some(burst) = cpu.burst() {
        limits.write("linux.resources.cpu.burst", "cpu.max.burst", burst.to_string());
    }
}

/// A process that needs its share of realtime and silently gets none fails at its task, so this is
/// no value to go without. crun refuses it, too; runc passes over it.
fn realtime(cpu: &LinuxCpu, limits: &mut Limits) {
    let rows = [
        (
            "realtimeRuntime",
            cpu.realtime_runtime().is_some_and(|runtime| !matches!(runtime, -1 | 0)),
        ),
        ("realtimePeriod", cpu.realtime_period().is_some_and(|period| period != 0)),
    ];
    for (name, _) in rows.into_iter().filter(|(_, asked)| *asked) {
        let field = format!("linux.resources.cpu.{name}");
        limits.problem(&field, "cgroup v2 shares out no realtime scheduling; leave it out");
    }
}

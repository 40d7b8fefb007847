//! [CPU](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#cpu)

use oci_spec::runtime::LinuxCpu;

use super::{Findings, limit};

/// The shortest quota and period of the kernel (`min_cfs_quota_period` in kernel/sched/core.c), in
/// microseconds.
const SHORTEST: u64 = 1_000;

/// The longest period (`max_cfs_quota_period`), in microseconds.
const LONGEST: u64 = 1_000_000;

pub(super) fn check(cpu: &LinuxCpu, findings: &mut Findings) {
    limit("linux.resources.cpu.quota", cpu.quota(), findings);
    limit("linux.resources.cpu.realtimeRuntime", cpu.realtime_runtime(), findings);
    bandwidth(cpu, findings);
    let idle = cpu.idle().unwrap_or(0);
    let text = format!("{idle} is neither 0 nor 1");
    findings.expect(matches!(idle, 0 | 1), "linux.resources.cpu.idle", text);
    for (name, list) in [("cpus", cpu.cpus()), ("mems", cpu.mems())] {
        let list = list.as_deref().unwrap_or_default();
        let text = format!("{list:?} is no list such as 0-3,7");
        findings.expect(may_be_list(list), format!("linux.resources.cpu.{name}"), text);
    }
}

fn bandwidth(cpu: &LinuxCpu, findings: &mut Findings) {
    let quota = cpu.quota().and_then(|quota| u64::try_from(quota).ok()).unwrap_or(0);
    let text = format!("{quota} is too little; the kernel takes {SHORTEST} microseconds or more");
    findings.expect(quota == 0 || quota >= SHORTEST, "linux.resources.cpu.quota", text);
    let period = cpu.period().unwrap_or(0);
    let text = format!("{period} is out of range; {SHORTEST} to {LONGEST} microseconds is right");
    let right = period == 0 || (SHORTEST..=LONGEST).contains(&period);
    findings.expect(right, "linux.resources.cpu.period", text);
    let burst = cpu.burst().unwrap_or(0);
    let text = format!("{burst} is above linux.resources.cpu.quota, {quota}");
    findings.expect(quota == 0 || burst <= quota, "linux.resources.cpu.burst", text);
}

/// The kernel's lists have strides and words as well, and it is the one to judge them.
fn may_be_list(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_digit() || b",-:/ ".contains(&byte);
    matches!(text, "all" | "N") || text.trim_end().bytes().all(known)
}

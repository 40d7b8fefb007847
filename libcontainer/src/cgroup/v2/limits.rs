//! `linux.resources` as writes into the files of a cgroup v2 directory.
//!
//! As with runc and crun, a 0 in a field of memory or cpu means "unset", and `unified` is written
//! last, so that it wins.

use super::super::write::{Limits, Write};
use super::{convert, unified};
use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources};

/// The writes that `resources` comes to, in order, and what is wrong with it.
pub(in super::super) fn of(resources: &LinuxResources) -> Limits {
    let mut limits = Limits::default();
    if let Some(wanted) = resources.memory() {
        memory_limits(&mut limits, wanted);
    }
    if let Some(wanted) = resources.cpu() {
        cpu_limits(&mut limits, wanted);
    }
    if let Some(pids) = resources.pids() {
        let value = convert::pids_max(pids.limit());
        limits.limit("linux.resources.pids.limit", "pids.max", value);
    }
    if let Some(map) = resources.unified() {
        unified::add(map, &mut limits);
    }
    limits
}

fn memory_limits(limits: &mut Limits, memory: &LinuxMemory) {
    swap(limits, memory);
    let rows = [
        ("linux.resources.memory.limit", "memory.max", memory.limit()),
        ("linux.resources.memory.reservation", "memory.low", memory.reservation()),
    ];
    for (field, file, value) in rows {
        if let Some(value) = value.filter(|value| *value != 0) {
            limits.limit(field, file, convert::limit(value));
        }
    }
}

/// A kernel without swap accounting limits no swap, and where nothing is to be limited, or there
/// is no swap to use, that is no loss.
fn swap(limits: &mut Limits, memory: &LinuxMemory) {
    let field = "linux.resources.memory.swap";
    let swap = memory.swap().unwrap_or(0);
    match convert::swap_max(swap, memory.limit().unwrap_or(0)) {
        Ok(Some(value)) => {
            let missing_is_fine = matches!(value.as_str(), "max" | "0");
            let write = Write::new(field, "memory.swap.max", value);
            limits.writes.push(Write { missing_is_fine, ..write });
        }
        Ok(None) => {}
        Err(text) => limits.problem(field, text),
    }
}

/// The order matters to the kernel: a burst above the quota and a weight for an idle cgroup are
/// both refused.
fn cpu_limits(limits: &mut Limits, cpu: &LinuxCpu) {
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        let weight = convert::cpu_weight(shares).to_string();
        limits.write("linux.resources.cpu.shares", "cpu.weight", weight);
    }
    cpu_max(limits, cpu);
    match cpu.idle() {
        None => {}
        Some(idle @ (0 | 1)) => {
            limits.write("linux.resources.cpu.idle", "cpu.idle", idle.to_string());
        }
        Some(_) => limits.problem("linux.resources.cpu.idle", "must be 0 or 1"),
    }
    let sets = [
        ("linux.resources.cpu.cpus", "cpuset.cpus", cpu.cpus()),
        ("linux.resources.cpu.mems", "cpuset.mems", cpu.mems()),
    ];
    for (field, file, list) in sets {
        if let Some(list) = list.as_deref().filter(|list| !list.is_empty()) {
            limits.write(field, file, list);
        }
    }
}

fn cpu_max(limits: &mut Limits, cpu: &LinuxCpu) {
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

/// Whether a field of `linux.resources` asks for something.
type Asks = fn(&LinuxResources) -> bool;

/// What cgroup v2 has no file for.
pub(in super::super) const NOT_IN_V2: &[(&str, Asks)] = &[
    ("linux.resources.memory.kernel", |r| memory(r).is_some_and(|m| limits(kernel(m)))),
    ("linux.resources.memory.kernelTCP", |r| memory(r).is_some_and(|m| limits(m.kernel_tcp()))),
    ("linux.resources.memory.swappiness", |r| memory(r).is_some_and(|m| m.swappiness().is_some())),
    ("linux.resources.memory.disableOOMKiller", |r| {
        memory(r).is_some_and(|m| m.disable_oom_killer() == Some(true))
    }),
    ("linux.resources.cpu.realtimeRuntime", |r| {
        cpu(r).is_some_and(|c| limits(c.realtime_runtime()))
    }),
    ("linux.resources.cpu.realtimePeriod", |r| {
        cpu(r).is_some_and(|c| c.realtime_period().is_some_and(|period| period != 0))
    }),
    ("linux.resources.network", |r| {
        r.network().as_ref().is_some_and(|network| {
            network.class_id().is_some_and(|class| class != 0)
                || network.priorities().as_ref().is_some_and(|list| !list.is_empty())
        })
    }),
];

/// What cgroup v2 could enforce and this version does not write.
pub(in super::super) const NOT_YET: &[(&str, Asks)] = &[
    ("linux.resources.blockIO", |r| r.block_io().as_ref().is_some_and(throttles)),
    ("linux.resources.hugepageLimits", |r| {
        r.hugepage_limits().as_ref().is_some_and(|list| !list.is_empty())
    }),
    ("linux.resources.rdma", |r| r.rdma().as_ref().is_some_and(|map| !map.is_empty())),
];

/// The names of those fields of `table` that ask for something.
pub(in super::super) fn asked<'a>(
    table: &'a [(&'static str, Asks)],
    resources: &'a LinuxResources,
) -> impl Iterator<Item = &'static str> + 'a {
    let asking = table.iter().filter(|(_, asks)| asks(resources));
    asking.map(|(field, _)| *field)
}

fn memory(resources: &LinuxResources) -> Option<&LinuxMemory> {
    resources.memory().as_ref()
}

fn cpu(resources: &LinuxResources) -> Option<&LinuxCpu> {
    resources.cpu().as_ref()
}

/// The type calls it obsolete; configs hold it all the same.
#[allow(deprecated)]
fn kernel(memory: &LinuxMemory) -> Option<i64> {
    memory.kernel()
}

/// Whether a value of cgroup v1 limits anything: -1 does not, and 0 is unset.
fn limits(value: Option<i64>) -> bool {
    value.is_some_and(|value| !matches!(value, -1 | 0))
}

fn throttles(io: &LinuxBlockIo) -> bool {
    let weights = [io.weight(), io.leaf_weight()];
    let devices = [
        io.throttle_read_bps_device(),
        io.throttle_write_bps_device(),
        io.throttle_read_iops_device(),
        io.throttle_write_iops_device(),
    ];
    weights.into_iter().flatten().any(|weight| weight != 0)
        || io.weight_device().as_ref().is_some_and(|list| !list.is_empty())
        || devices.iter().any(|list| list.as_ref().is_some_and(|list| !list.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(json: &str) -> LinuxResources {
        serde_json::from_str(json).expect("resources")
    }

    fn writes(json: &str) -> Vec<(String, String)> {
        let limits = of(&resources(json));
        assert_eq!(limits.problems, [], "{json}");
        let pair = |write: Write| (write.file, write.value);
        limits.writes.into_iter().map(pair).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(file, value): &(&str, &str)| (file.to_string(), value.to_string());
        expected.iter().map(owned).collect()
    }

    #[test]
    fn what_engines_send() {
        let update = r#"{"devices":[{"allow":false,"access":"rwm"}],
            "memory":{"limit":100663296,"swap":209715200},
            "cpu":{"quota":30000,"period":100000},"pids":{"limit":55}}"#;
        let expected = [
            ("memory.swap.max", "109051904"),
            ("memory.max", "100663296"),
            ("cpu.max", "30000 100000"),
            ("pids.max", "55"),
        ];
        assert_eq!(writes(update), pairs(&expected));
        assert_eq!(writes(r#"{"cpu":{"shares":2}}"#), pairs(&[("cpu.weight", "1")]));
        assert_eq!(writes(r#"{"blockIO":{},"memory":{},"cpu":{}}"#), []);
    }

    #[test]
    fn zero_is_unset_and_minus_one_is_max() {
        let zero = r#"{"memory":{"limit":0,"reservation":0,"swap":0},
            "cpu":{"shares":0,"quota":0,"period":0,"cpus":""}}"#;
        assert_eq!(writes(zero), []);
        let unlimited =
            r#"{"memory":{"limit":-1,"reservation":-1},"cpu":{"quota":-1},"pids":{"limit":-1}}"#;
        let expected = [
            ("memory.swap.max", "max"),
            ("memory.max", "max"),
            ("memory.low", "max"),
            ("cpu.max", "max 100000"),
            ("pids.max", "max"),
        ];
        assert_eq!(writes(unlimited), pairs(&expected));
    }

    #[test]
    fn every_field_of_cpu() {
        let all = r#"{"cpu":{"shares":1024,"quota":50000,"period":100000,"burst":1000,"idle":0,
            "cpus":"0-1","mems":"0"}}"#;
        let expected = [
            ("cpu.weight", "100"),
            ("cpu.max", "50000 100000"),
            ("cpu.max.burst", "1000"),
            ("cpu.idle", "0"),
            ("cpuset.cpus", "0-1"),
            ("cpuset.mems", "0"),
        ];
        assert_eq!(writes(all), pairs(&expected));
    }

    #[test]
    fn every_write_belongs_to_a_field_and_a_controller() {
        let limits = of(&resources(
            r#"{"memory":{"limit":5,"swap":9},"cpu":{"period":7},"pids":{"limit":0}}"#,
        ));
        let rows: Vec<_> =
            limits.writes.iter().map(|write| (write.field.as_str(), write.controller())).collect();
        let expected = [
            ("linux.resources.memory.swap", "memory"),
            ("linux.resources.memory.limit", "memory"),
            ("linux.resources.cpu.period", "cpu"),
            ("linux.resources.pids.limit", "pids"),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn wrong_values_are_named_all_at_once() {
        let wrong = r#"{"memory":{"limit":-5,"reservation":-2,"swap":4},"cpu":{"idle":2},
            "pids":{"limit":-3},"unified":{"a/b":"1"}}"#;
        let problems = of(&resources(wrong)).problems;
        let fields: Vec<&str> = problems.iter().map(|one| one.field.as_str()).collect();
        let expected = [
            "linux.resources.memory.swap",
            "linux.resources.memory.limit",
            "linux.resources.memory.reservation",
            "linux.resources.cpu.idle",
            "linux.resources.pids.limit",
            "linux.resources.unified[a/b]",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn swap_is_needed_only_where_it_limits() {
        let fine = |json| of(&resources(json)).writes[0].missing_is_fine;
        assert!(fine(r#"{"memory":{"limit":5,"swap":5}}"#));
        assert!(fine(r#"{"memory":{"limit":5,"swap":-1}}"#));
        assert!(!fine(r#"{"memory":{"limit":5,"swap":6}}"#));
    }

    #[test]
    fn what_is_not_enforced_is_named_only_when_asked_for() {
        let quiet = resources(
            r#"{"memory":{"disableOOMKiller":false,"kernel":0,"kernelTCP":-1,"useHierarchy":true},
            "blockIO":{},"hugepageLimits":[],"network":{"priorities":[]},"rdma":{}}"#,
        );
        assert_eq!(asked(NOT_IN_V2, &quiet).count(), 0);
        assert_eq!(asked(NOT_YET, &quiet).count(), 0);
        let loud = resources(
            r#"{"memory":{"disableOOMKiller":true,"kernel":1,"kernelTCP":1,"swappiness":0},
            "cpu":{"realtimeRuntime":1,"realtimePeriod":1},"network":{"classID":1},
            "blockIO":{"weight":100},"hugepageLimits":[{"pageSize":"2MB","limit":1}],
            "rdma":{"mlx5":{"hcaHandles":1}}}"#,
        );
        assert_eq!(asked(NOT_IN_V2, &loud).count(), NOT_IN_V2.len());
        assert_eq!(asked(NOT_YET, &loud).count(), NOT_YET.len());
    }
}

//! `linux.resources` as writes into the files of cgroup v1, for which it was made: nearly every value
//! goes as it is.
//!
//! As with v2, a 0 in a field of memory, cpu or blockIO means "unset". The order is the one that a new
//! cgroup takes; one that has limits already may need another, which [`apply`](super::apply) finds.

use super::super::unenforced::Reason;
use super::super::v2::convert;
use super::super::write::{IfMissing, Limits, Write};
use super::block_io;
use oci_spec::runtime::{
    LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxNetwork, LinuxRdma, LinuxResources,
};
use std::collections::HashMap;

/// The writes that `resources` comes to, in order, and what is wrong with it.
pub(in super::super) fn of(resources: &LinuxResources) -> Limits {
    let mut limits = Limits::default();
    if let Some(memory) = resources.memory() {
        memory_limits(&mut limits, memory);
        if kernel(memory).is_some_and(|limit| !matches!(limit, -1 | 0)) {
            limits.unenforced("linux.resources.memory.kernel", Reason::GivenUp);
        }
        if memory.use_hierarchy() == Some(false) {
            limits.unenforced("linux.resources.memory.useHierarchy", Reason::AlwaysBelow);
        }
    }
    if let Some(cpu) = resources.cpu() {
        cpu_limits(&mut limits, cpu);
    }
    if let Some(pids) = resources.pids() {
        let value = convert::pids_max(pids.limit());
        limits.limit("linux.resources.pids.limit", "pids.max", value);
    }
    if let Some(io) = resources.block_io() {
        block_io::add(&mut limits, io);
    }
    hugetlb(&mut limits, resources.hugepage_limits().as_deref().unwrap_or_default());
    if let Some(network) = resources.network() {
        network_classes(&mut limits, network);
    }
    if let Some(devices) = resources.rdma() {
        rdma(&mut limits, devices);
    }
    if resources.unified().as_ref().is_some_and(|map| !map.is_empty()) {
        let text = "names files of cgroup v2, and this host has its controllers on cgroup v1";
        limits.problem("linux.resources.unified", text);
    }
    limits
}

/// The type calls it obsolete; configs hold it all the same.
#[allow(deprecated)]
fn kernel(memory: &LinuxMemory) -> Option<i64> {
    memory.kernel()
}

/// -1 is no limit here, where v2 says `max`.
fn bytes(value: i64) -> Option<String> {
    (value >= -1).then(|| value.to_string())
}

/// `memory.limit` must be there before `memory.memsw.limit`, which may not be below it.
fn memory_limits(limits: &mut Limits, memory: &LinuxMemory) {
    let rows = [
        ("linux.resources.memory.limit", "memory.limit_in_bytes", memory.limit()),
        ("linux.resources.memory.swap", "memory.memsw.limit_in_bytes", swap(limits, memory)),
        ("linux.resources.memory.reservation", "memory.soft_limit_in_bytes", memory.reservation()),
        ("linux.resources.memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp()),
    ];
    for (field, file, value) in rows {
        if let Some(value) = value.filter(|value| *value != 0) {
            limits.limit(field, file, bytes(value));
        }
    }
    swap_may_be_missing(limits, memory);
    match memory.swappiness() {
        None => {}
        Some(value @ 0..=100) => {
            let field = "linux.resources.memory.swappiness";
            limits.write(field, "memory.swappiness", value.to_string());
        }
        Some(_) => limits.problem("linux.resources.memory.swappiness", "must be 0 to 100"),
    }
    if memory.disable_oom_killer() == Some(true) {
        limits.write("linux.resources.memory.disableOOMKiller", "memory.oom_control", "1");
    }
}

/// Memory and swap together, which is what v1 counts. Without a limit of memory there is none of both
/// (as with runc, also where an update takes away the one and does not speak of the other).
fn swap(limits: &mut Limits, memory: &LinuxMemory) -> Option<i64> {
    let (swap, limit) = (memory.swap().unwrap_or(0), memory.limit().unwrap_or(0));
    let wrong = match convert::swap_max(swap, limit) {
        Err(text) => Some(text),
        Ok(_) if swap > 0 && limit == -1 => {
            Some("is memory and swap together and so cannot be below linux.resources.memory.limit")
        }
        Ok(_) => None,
    };
    match wrong {
        Some(text) => {
            limits.problem("linux.resources.memory.swap", text);
            None
        }
        None if swap == 0 && limit == -1 => Some(-1),
        None => Some(swap),
    }
}

/// A kernel without swap accounting limits no swap, and where nothing is to be limited, or there is
/// no swap to use, that is no loss.
fn swap_may_be_missing(limits: &mut Limits, memory: &LinuxMemory) {
    let swap = memory.swap().unwrap_or(0);
    let harmless = matches!(swap, -1 | 0) || memory.limit() == Some(swap);
    let writes = limits.writes.iter_mut();
    for write in writes.filter(|write| write.file == "memory.memsw.limit_in_bytes") {
        write.if_missing = if harmless { IfMissing::Fine } else { IfMissing::Error };
    }
}

/// The order matters to the kernel: a quota is checked against the period, a burst against the quota,
/// realtime's runtime against its period, and an idle cgroup takes no shares.
fn cpu_limits(limits: &mut Limits, cpu: &LinuxCpu) {
    let number = |value: Option<u64>| value.filter(|value| *value != 0).map(|v| v.to_string());
    let signed = |value: Option<i64>| value.filter(|value| *value != 0).map(|v| v.to_string());
    // Every negative quota means none, as the kernel has it; -1 is how it is said.
    let quota = cpu.quota().map(|quota| quota.max(-1));
    let text = |list: &Option<String>| list.clone().filter(|list| !list.is_empty());
    let rows = [
        ("linux.resources.cpu.shares", "cpu.shares", number(cpu.shares())),
        ("linux.resources.cpu.period", "cpu.cfs_period_us", number(cpu.period())),
        ("linux.resources.cpu.quota", "cpu.cfs_quota_us", signed(quota)),
        ("linux.resources.cpu.burst", "cpu.cfs_burst_us", cpu.burst().map(|v| v.to_string())),
        ("linux.resources.cpu.realtimePeriod", "cpu.rt_period_us", number(cpu.realtime_period())),
        (
            "linux.resources.cpu.realtimeRuntime",
            "cpu.rt_runtime_us",
            signed(cpu.realtime_runtime()),
        ),
        ("linux.resources.cpu.cpus", "cpuset.cpus", text(cpu.cpus())),
        ("linux.resources.cpu.mems", "cpuset.mems", text(cpu.mems())),
    ];
    for (field, file, value) in rows {
        if let Some(value) = value {
            limits.write(field, file, value);
        }
    }
    match cpu.idle() {
        None => {}
        Some(idle @ (0 | 1)) => {
            limits.write("linux.resources.cpu.idle", "cpu.idle", idle.to_string());
        }
        Some(_) => limits.problem("linux.resources.cpu.idle", "must be 0 or 1"),
    }
}

/// Pages in use, and pages reserved by mmap(2): a process that may map a page but not use it dies of
/// SIGBUS, so both have the limit. Linux has the second since 5.7.
fn hugetlb(limits: &mut Limits, list: &[LinuxHugepageLimit]) {
    for (index, limit) in list.iter().enumerate() {
        let field = format!("linux.resources.hugepageLimits[{index}]");
        let size = limit.page_size();
        if !is_page_size(size) {
            limits.problem(&format!("{field}.pageSize"), "must be a size like 64KB, 2MB or 1GB");
            continue;
        }
        let field = format!("{field}.limit");
        limits.limit(&field, &format!("hugetlb.{size}.limit_in_bytes"), bytes(limit.limit()));
        if let Some(value) = bytes(limit.limit()) {
            let write = Write::new(&field, &format!("hugetlb.{size}.rsvd.limit_in_bytes"), value);
            limits.writes.push(write.if_missing(IfMissing::Fine));
        }
    }
}

/// As the kernel spells sizes in the names of its files.
fn is_page_size(text: &str) -> bool {
    let number = ["KB", "MB", "GB"].iter().find_map(|unit| text.strip_suffix(unit));
    number.is_some_and(|number| {
        number.bytes().all(|byte| byte.is_ascii_digit())
            && number.bytes().next().is_some_and(|first| first != b'0')
    })
}

fn network_classes(limits: &mut Limits, network: &LinuxNetwork) {
    if let Some(class) = network.class_id().filter(|class| *class != 0) {
        limits.write("linux.resources.network.classID", "net_cls.classid", class.to_string());
    }
    for (index, one) in network.priorities().iter().flatten().enumerate() {
        let field = format!("linux.resources.network.priorities[{index}]");
        match is_word(one.name()) {
            true => {
                let value = format!("{} {}", one.name(), one.priority());
                limits.write(&field, "net_prio.ifpriomap", value);
            }
            false => limits.problem(&format!("{field}.name"), "must be the name of an interface"),
        }
    }
}

/// By device, so that the order is always the same.
fn rdma(limits: &mut Limits, devices: &HashMap<String, LinuxRdma>) {
    let mut names: Vec<&String> = devices.keys().collect();
    names.sort();
    for name in names {
        let field = format!("linux.resources.rdma[{name}]");
        let limit = &devices[name];
        let counts = [("hca_handle", limit.hca_handles()), ("hca_object", limit.hca_objects())];
        let counts = counts.iter().filter_map(|(key, value)| Some((key, (*value)?)));
        let value: String = counts.map(|(key, value)| format!(" {key}={value}")).collect();
        match is_word(name) {
            true if value.is_empty() => {}
            true => limits.write(&field, "rdma.max", format!("{name}{value}")),
            false => limits.problem(&field, "must be the name of a device"),
        }
    }
}

/// Whether the kernel would read it as one word of a line.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(json: &str) -> Limits {
        of(&serde_json::from_str(json).expect("resources"))
    }

    fn writes(json: &str) -> Vec<String> {
        let limits = limits(json);
        assert_eq!(limits.problems, [], "{json}");
        limits.writes.iter().map(|write| format!("{}={}", write.file, write.value)).collect()
    }

    #[test]
    fn every_field_of_memory() {
        let all = r#"{"memory":{"limit":100,"reservation":50,"swap":200,"kernel":7,"kernelTCP":9,
            "swappiness":0,"disableOOMKiller":true,"useHierarchy":true}}"#;
        let expected = [
            "memory.limit_in_bytes=100",
            "memory.memsw.limit_in_bytes=200",
            "memory.soft_limit_in_bytes=50",
            "memory.kmem.tcp.limit_in_bytes=9",
            "memory.swappiness=0",
            "memory.oom_control=1",
        ];
        assert_eq!(writes(all), expected);
    }

    #[test]
    fn every_field_of_cpu() {
        let all = r#"{"cpu":{"shares":2,"quota":50000,"period":100000,"burst":0,"idle":1,
            "realtimeRuntime":10,"realtimePeriod":20,"cpus":"0-1","mems":"0"}}"#;
        let expected = [
            "cpu.shares=2",
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=50000",
            "cpu.cfs_burst_us=0",
            "cpu.rt_period_us=20",
            "cpu.rt_runtime_us=10",
            "cpuset.cpus=0-1",
            "cpuset.mems=0",
            "cpu.idle=1",
        ];
        assert_eq!(writes(all), expected);
    }

    #[test]
    fn zero_is_unset_and_minus_one_is_no_limit() {
        let zero = r#"{"memory":{"limit":0,"reservation":0,"swap":0,"disableOOMKiller":false},
            "cpu":{"shares":0,"quota":0,"period":0,"realtimeRuntime":0,"cpus":""},"blockIO":{},
            "network":{"classID":0,"priorities":[]},"rdma":{},"unified":{},"hugepageLimits":[]}"#;
        assert_eq!(writes(zero), [""; 0]);
        let none = r#"{"memory":{"limit":-1,"reservation":-1},"cpu":{"quota":-7},
            "pids":{"limit":-1},"hugepageLimits":[{"pageSize":"2MB","limit":-1}]}"#;
        let expected = [
            "memory.limit_in_bytes=-1",
            "memory.memsw.limit_in_bytes=-1",
            "memory.soft_limit_in_bytes=-1",
            "cpu.cfs_quota_us=-1",
            "pids.max=max",
            "hugetlb.2MB.limit_in_bytes=-1",
            "hugetlb.2MB.rsvd.limit_in_bytes=-1",
        ];
        assert_eq!(writes(none), expected);
        assert_eq!(writes(r#"{"pids":{"limit":0}}"#), ["pids.max=1"]);
    }

    #[test]
    fn networks_and_rdma() {
        let json = r#"{"network":{"classID":1048577,
                "priorities":[{"name":"lo","priority":5},{"name":"eth0","priority":0}]},
            "rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":100},"mlx4_0":{"hcaObjects":0},"x":{}}}"#;
        let expected = [
            "net_cls.classid=1048577",
            "net_prio.ifpriomap=lo 5",
            "net_prio.ifpriomap=eth0 0",
            "rdma.max=mlx4_0 hca_object=0",
            "rdma.max=mlx5_1 hca_handle=3 hca_object=100",
        ];
        assert_eq!(writes(json), expected);
    }

    #[test]
    fn wrong_values_are_named_all_at_once() {
        let wrong = r#"{"memory":{"limit":-5,"reservation":-2,"swap":4,"kernelTCP":-3,"swappiness":101},
            "cpu":{"idle":2},"pids":{"limit":-3},
            "hugepageLimits":[{"pageSize":"2MB","limit":-2},{"pageSize":"../2MB","limit":1}],
            "network":{"priorities":[{"name":"a b","priority":1}]},"rdma":{"":{"hcaHandles":1}},
            "unified":{"memory.high":"1"}}"#;
        let problems = limits(wrong).problems;
        let field = |field: &str| field.trim_start_matches("linux.resources.").to_owned();
        let fields: Vec<String> = problems.iter().map(|one| field(&one.field)).collect();
        let expected = [
            "memory.swap",
            "memory.limit",
            "memory.reservation",
            "memory.kernelTCP",
            "memory.swappiness",
            "cpu.idle",
            "pids.limit",
            "hugepageLimits[0].limit",
            "hugepageLimits[1].pageSize",
            "network.priorities[0].name",
            "rdma[]",
            "unified",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn swap_goes_with_memory() {
        let problem = |json| limits(json).problems.pop().map(|one| one.text).unwrap_or_default();
        assert!(problem(r#"{"memory":{"limit":5,"swap":4}}"#).contains("below"));
        assert!(problem(r#"{"memory":{"limit":-1,"swap":4}}"#).contains("below"));
        assert!(problem(r#"{"memory":{"swap":4}}"#).contains("needs"));
        let fine = |json: &str| limits(json).writes[1].if_missing == IfMissing::Fine;
        assert!(fine(r#"{"memory":{"limit":5,"swap":5}}"#));
        assert!(fine(r#"{"memory":{"limit":5,"swap":-1}}"#));
        assert!(fine(r#"{"memory":{"limit":-1}}"#));
        assert!(!fine(r#"{"memory":{"limit":5,"swap":6}}"#));
    }

    #[test]
    fn what_there_is_no_more_is_named_only_when_asked_for() {
        let named = |json: &str| limits(json).unenforced.len();
        assert_eq!(named(r#"{"memory":{"kernel":5}}"#), 1);
        assert_eq!(named(r#"{"memory":{"kernel":-1}}"#) + named(r#"{"memory":{}}"#), 0);
        assert_eq!(named(r#"{"memory":{"useHierarchy":false}}"#), 1);
        assert_eq!(named(r#"{"memory":{"useHierarchy":true}}"#), 0);
    }

    #[test]
    fn page_sizes_are_names_of_the_kernel() {
        assert!(["2MB", "64KB", "16GB"].into_iter().all(is_page_size));
        assert!(
            !["", "MB", "0MB", "2M", "2mb", "-2MB", "2MB/..", "2 MB"].into_iter().any(is_page_size)
        );
    }
}

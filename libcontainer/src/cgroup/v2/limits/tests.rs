//! What config.json says, and what is written for it.

use super::*;
use crate::config::validate_resources;

fn resources(json: &str) -> LinuxResources {
    serde_json::from_str(json).expect("resources")
}

/// `file=value` of each write.
fn writes(json: &str) -> Vec<String> {
    let resources = resources(json);
    assert_eq!(validate_resources(&resources), [], "{json}");
    let limits = of(&resources);
    assert_eq!(limits.problems, [], "{json}");
    let pair = |write: Write| format!("{}={}", write.file, write.value);
    limits.writes.into_iter().map(pair).collect()
}

fn unenforced(json: &str) -> Vec<String> {
    let named = of(&resources(json)).unenforced.into_iter();
    named.map(|one| one.field.replace("linux.resources.", "")).collect()
}

#[test]
fn what_engines_send() {
    let update = r#"{"devices":[{"allow":false,"access":"rwm"}],
        "memory":{"limit":100663296,"swap":209715200},
        "cpu":{"quota":30000,"period":100000},"pids":{"limit":55}}"#;
    let expected = [
        "memory.swap.max=109051904",
        "memory.max=100663296",
        "cpu.max=30000 100000",
        "pids.max=55",
    ];
    assert_eq!(writes(update), expected);
    assert_eq!(writes(r#"{"cpu":{"shares":2}}"#), ["cpu.weight=1"]);
    assert!(writes(r#"{"blockIO":{},"memory":{},"cpu":{},"network":{},"rdma":{}}"#).is_empty());
}

#[test]
fn zero_is_unset_and_minus_one_is_max() {
    let zero = r#"{"memory":{"limit":0,"reservation":0,"swap":0},
        "cpu":{"shares":0,"quota":0,"period":0,"cpus":""},
        "blockIO":{"weight":0,"leafWeight":0,"weightDevice":[{"major":8,"minor":0,"weight":0}]}}"#;
    assert!(writes(zero).is_empty());
    assert!(unenforced(zero).is_empty());
    let unlimited =
        r#"{"memory":{"limit":-1,"reservation":-1},"cpu":{"quota":-1},"pids":{"limit":-1}}"#;
    let expected = [
        "memory.swap.max=max",
        "memory.max=max",
        "memory.low=max",
        "cpu.max=max 100000",
        "pids.max=max",
    ];
    assert_eq!(writes(unlimited), expected);
}

#[test]
fn every_field_of_cpu() {
    let all = r#"{"cpu":{"shares":1024,"quota":50000,"period":100000,"burst":1000,"idle":0,
        "cpus":"0-1","mems":"0","realtimeRuntime":0,"realtimePeriod":0}}"#;
    let expected = [
        "cpu.idle=0",
        "cpu.weight=100",
        "cpu.max=50000 100000",
        "cpu.max.burst=1000",
        "cpuset.cpus=0-1",
        "cpuset.mems=0",
    ];
    assert_eq!(writes(all), expected);
    assert_eq!(writes(r#"{"cpu":{"idle":1,"shares":512}}"#), ["cpu.idle=1"], "as light as can be");
    assert_eq!(writes(r#"{"cpu":{"burst":0}}"#), ["cpu.max.burst=0"]);
}

#[test]
fn realtime_is_refused() {
    let json = r#"{"cpu":{"realtimeRuntime":950000,"realtimePeriod":1000000}}"#;
    let resources = resources(json);
    assert_eq!(validate_resources(&resources), [], "cgroup v1 has it");
    let problems = of(&resources).problems;
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let why = "cgroup v2 shares out no realtime scheduling; leave it out";
    let expected = ["realtimeRuntime", "realtimePeriod"]
        .map(|name| format!("linux.resources.cpu.{name}: {why}"));
    assert_eq!(lines, expected);
    assert_eq!(of(&self::resources(r#"{"cpu":{"realtimeRuntime":-1}}"#)).problems, []);
}

#[test]
fn rates_of_disks() {
    let json = r#"{"blockIO":{
        "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600},{"major":8,"minor":16,"rate":0}],
        "throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":18446744073709551615}],
        "throttleReadIOPSDevice":[{"major":259,"minor":1048575,"rate":1}],
        "throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":300}]}}"#;
    let expected = [
        "io.max=8:0 rbps=600",
        "io.max=8:16 rbps=max",
        "io.max=8:0 wbps=18446744073709551615",
        "io.max=259:1048575 riops=1",
        "io.max=8:0 wiops=300",
    ];
    assert_eq!(writes(json), expected);
    let fields: Vec<String> =
        of(&resources(json)).writes.into_iter().map(|one| one.field).collect();
    assert_eq!(fields[1], "linux.resources.blockIO.throttleReadBpsDevice[1]");
    assert_eq!(fields[4], "linux.resources.blockIO.throttleWriteIOPSDevice[0]");
}

#[test]
fn weights_of_disks_go_to_the_scheduler_that_is_there() {
    let json = r#"{"blockIO":{"weight":500,"leafWeight":300,"weightDevice":[
        {"major":8,"minor":0,"weight":10,"leafWeight":20},{"major":8,"minor":16,"leafWeight":20}]}}"#;
    let expected = ["io.bfq.weight=500", "io.bfq.weight=8:0 10"];
    assert_eq!(writes(json), expected);
    let others: Vec<Write> = of(&resources(json))
        .writes
        .into_iter()
        .map(|write| write.if_missing)
        .map(|missing| match missing {
            IfMissing::Instead(other) => *other,
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        Write::new("linux.resources.blockIO.weight", "io.weight", "4950"),
        Write::new("linux.resources.blockIO.weightDevice[0].weight", "io.weight", "8:0 1"),
    ]
    .map(|write| write.if_missing(IfMissing::Unenforced));
    assert_eq!(others, expected);
    let expected = [
        "blockIO.leafWeight",
        "blockIO.weightDevice[0].leafWeight",
        "blockIO.weightDevice[1].leafWeight",
    ];
    assert_eq!(unenforced(json), expected);
}

#[test]
fn huge_pages_are_limited_when_used_and_when_reserved() {
    let json =
        r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304},{"pageSize":"1GB","limit":0}]}"#;
    let expected = [
        "hugetlb.2MB.max=4194304",
        "hugetlb.2MB.rsvd.max=4194304",
        "hugetlb.1GB.max=0",
        "hugetlb.1GB.rsvd.max=0",
    ];
    assert_eq!(writes(json), expected);
    let missing = of(&resources(json)).writes.into_iter().map(|write| write.if_missing);
    let expected = [IfMissing::Error, IfMissing::Fine, IfMissing::Error, IfMissing::Fine];
    assert_eq!(missing.collect::<Vec<_>>(), expected, "a kernel before 5.7 has no reservations");
}

#[test]
fn rdma_devices_by_name() {
    let json = r#"{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000},"ibp3s0":{"hcaObjects":4294967295}}}"#;
    let expected =
        ["rdma.max=ibp3s0 hca_object=max", "rdma.max=mlx5_1 hca_handle=3 hca_object=10000"];
    assert_eq!(writes(json), expected);
}

#[test]
fn unified_comes_last_and_wins() {
    let json = r#"{"memory":{"limit":5000,"reservation":7},"pids":{"limit":9},
        "blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}]},
        "unified":{"pids.max":"11","memory.max":"6000","io.max":"8:16 rbps=1\n8:32 rbps=2",
            "misc.max":"res_a 3"}}"#;
    let expected = [
        "memory.low=7",
        "io.max=8:0 rbps=600",
        "io.max=8:16 rbps=1\n8:32 rbps=2",
        "memory.max=6000",
        "misc.max=res_a 3",
        "pids.max=11",
    ];
    assert_eq!(writes(json), expected, "each value once, lines of devices together");
}

#[test]
fn every_write_belongs_to_a_field_and_a_controller() {
    let limits = of(&resources(
        r#"{"memory":{"limit":5,"swap":9},"cpu":{"period":7000},"pids":{"limit":0},
        "hugepageLimits":[{"pageSize":"2MB","limit":1}]}"#,
    ));
    let rows: Vec<_> =
        limits.writes.iter().map(|write| (write.field.as_str(), write.controller())).collect();
    let expected = [
        ("linux.resources.memory.swap", "memory"),
        ("linux.resources.memory.limit", "memory"),
        ("linux.resources.cpu.period", "cpu"),
        ("linux.resources.pids.limit", "pids"),
        ("linux.resources.hugepageLimits[0]", "hugetlb"),
        ("linux.resources.hugepageLimits[0]", "hugetlb"),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn swap_is_needed_only_where_it_limits() {
    let missing = |json| of(&resources(json)).writes.remove(0).if_missing;
    assert_eq!(missing(r#"{"memory":{"limit":5,"swap":5}}"#), IfMissing::Fine);
    assert_eq!(missing(r#"{"memory":{"limit":5,"swap":-1}}"#), IfMissing::Fine);
    assert_eq!(missing(r#"{"memory":{"limit":5,"swap":6}}"#), IfMissing::Error);
}

#[test]
fn what_is_not_enforced_is_named_only_when_asked_for() {
    let quiet = r#"{"memory":{"disableOOMKiller":false,"kernel":0,"kernelTCP":-1,"useHierarchy":true},
        "blockIO":{},"hugepageLimits":[],"network":{"priorities":[],"classID":0},"rdma":{}}"#;
    assert!(unenforced(quiet).is_empty());
    let loud = r#"{"memory":{"disableOOMKiller":true,"kernel":1,"kernelTCP":1,"swappiness":0,
        "useHierarchy":false},"network":{"classID":1,"priorities":[{"name":"eth0","priority":1}]}}"#;
    let expected = [
        "memory.kernel",
        "memory.kernelTCP",
        "memory.swappiness",
        "memory.disableOOMKiller",
        "memory.useHierarchy",
        "network.classID",
        "network.priorities",
    ];
    assert_eq!(unenforced(loud), expected);
}

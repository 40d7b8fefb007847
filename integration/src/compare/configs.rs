//! The limits that are compared: `linux.resources`, but for the devices, which are the same in each.

/// What comes of a config, so that none agrees because nothing happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// Some settings are not as a cgroup without limits has them.
    Changes,
    /// All of them are.
    Nothing,
    /// There is no container.
    Refused,
}
use Outcome::{Changes, Nothing, Refused};

pub(super) struct Config {
    pub(super) name: &'static str,
    /// Controllers, or files that only some kernels have.
    pub(super) needs: &'static [&'static str],
    pub(super) outcome: Outcome,
    /// JSON, in which `@disk` stands for the numbers of a block device.
    pub(super) resources: &'static str,
}

const fn config(
    name: &'static str,
    needs: &'static [&'static str],
    outcome: Outcome,
    resources: &'static str,
) -> Config {
    Config { name, needs, outcome, resources }
}

const CPU: &[&str] = &["cpu"];
const CPUSET: &[&str] = &["cpuset"];
const HUGETLB: &[&str] = &["hugetlb"];
const IO: &[&str] = &["io"];
const MEMORY: &[&str] = &["memory"];
const PIDS: &[&str] = &["pids"];
const RDMA: &[&str] = &["rdma"];
const WEIGHT: &[&str] = &["io.weight"];
const SEVERAL: &[&str] = &["cpu", "memory", "pids"];

#[rustfmt::skip]
pub(super) const CONFIGS: &[Config] = &[
    config("empty", &[], Nothing, r#"{}"#),
    config("empty-sections", &[], Nothing, r#"{"memory":{},"cpu":{},"blockIO":{},"hugepageLimits":[],"rdma":{},"unified":{}}"#),
    config("zeros", SEVERAL, Nothing, r#"{"memory":{"limit":0,"reservation":0,"swap":0},"cpu":{"shares":0,"quota":0,"period":0},"blockIO":{"weight":0}}"#),

    config("memory-limit", MEMORY, Changes, r#"{"memory":{"limit":67108864}}"#),
    config("memory-limit-not-in-pages", MEMORY, Changes, r#"{"memory":{"limit":67108865}}"#),
    config("memory-limit-none", MEMORY, Nothing, r#"{"memory":{"limit":-1}}"#),
    config("memory-limit-below-minus-one", MEMORY, Refused, r#"{"memory":{"limit":-5}}"#),
    config("memory-limit-and-swap-zero", MEMORY, Changes, r#"{"memory":{"limit":67108864,"swap":0}}"#),
    config("memory-reservation", MEMORY, Changes, r#"{"memory":{"reservation":33554432}}"#),
    config("memory-reservation-none", MEMORY, Changes, r#"{"memory":{"reservation":-1}}"#),
    config("memory-limit-and-reservation", MEMORY, Changes, r#"{"memory":{"limit":67108864,"reservation":33554432}}"#),
    config("memory-swap-twice-the-limit", MEMORY, Changes, r#"{"memory":{"limit":67108864,"swap":134217728}}"#),
    config("memory-swap-as-the-limit", MEMORY, Changes, r#"{"memory":{"limit":67108864,"swap":67108864}}"#),
    config("memory-swap-below-the-limit", MEMORY, Refused, r#"{"memory":{"limit":67108864,"swap":33554432}}"#),
    config("memory-swap-none-with-a-limit", MEMORY, Changes, r#"{"memory":{"limit":67108864,"swap":-1}}"#),
    config("memory-swap-without-a-limit", MEMORY, Refused, r#"{"memory":{"swap":67108864}}"#),
    config("memory-swap-none-without-a-limit", MEMORY, Nothing, r#"{"memory":{"swap":-1}}"#),
    config("memory-both-none", MEMORY, Nothing, r#"{"memory":{"limit":-1,"swap":-1}}"#),
    config("memory-only-swap-limited", MEMORY, Changes, r#"{"memory":{"limit":-1,"swap":134217728}}"#),
    config("memory-checked-before-update", MEMORY, Changes, r#"{"memory":{"limit":67108864,"checkBeforeUpdate":true}}"#),
    config("memory-of-v1-as-it-is", MEMORY, Changes, r#"{"memory":{"limit":67108864,"useHierarchy":true,"disableOOMKiller":false}}"#),

    config("cpu-shares-1", CPU, Changes, r#"{"cpu":{"shares":1}}"#),
    config("cpu-shares-2", CPU, Changes, r#"{"cpu":{"shares":2}}"#),
    config("cpu-shares-10", CPU, Changes, r#"{"cpu":{"shares":10}}"#),
    config("cpu-shares-102", CPU, Changes, r#"{"cpu":{"shares":102}}"#),
    config("cpu-shares-512", CPU, Changes, r#"{"cpu":{"shares":512}}"#),
    config("cpu-shares-1023", CPU, Nothing, r#"{"cpu":{"shares":1023}}"#),
    config("cpu-shares-1024", CPU, Nothing, r#"{"cpu":{"shares":1024}}"#),
    config("cpu-shares-1025", CPU, Changes, r#"{"cpu":{"shares":1025}}"#),
    config("cpu-shares-4096", CPU, Changes, r#"{"cpu":{"shares":4096}}"#),
    config("cpu-shares-262143", CPU, Changes, r#"{"cpu":{"shares":262143}}"#),
    config("cpu-shares-262144", CPU, Changes, r#"{"cpu":{"shares":262144}}"#),
    config("cpu-shares-beyond", CPU, Changes, r#"{"cpu":{"shares":1000000}}"#),
    config("cpu-quota", CPU, Changes, r#"{"cpu":{"quota":50000}}"#),
    config("cpu-quota-none", CPU, Nothing, r#"{"cpu":{"quota":-1}}"#),
    config("cpu-quota-too-small", CPU, Refused, r#"{"cpu":{"quota":500}}"#),
    config("cpu-period", CPU, Changes, r#"{"cpu":{"period":50000}}"#),
    config("cpu-period-too-long", CPU, Refused, r#"{"cpu":{"period":2000000}}"#),
    config("cpu-quota-and-period", CPU, Changes, r#"{"cpu":{"quota":30000,"period":60000}}"#),
    config("cpu-quota-none-and-period", CPU, Changes, r#"{"cpu":{"quota":-1,"period":60000}}"#),
    config("cpu-burst", CPU, Changes, r#"{"cpu":{"quota":30000,"period":60000,"burst":20000}}"#),
    config("cpu-burst-above-quota", CPU, Refused, r#"{"cpu":{"quota":30000,"period":60000,"burst":40000}}"#),
    config("cpu-burst-zero", CPU, Changes, r#"{"cpu":{"quota":30000,"burst":0}}"#),
    config("cpu-idle", CPU, Changes, r#"{"cpu":{"idle":1}}"#),
    config("cpu-not-idle", CPU, Nothing, r#"{"cpu":{"idle":0}}"#),
    config("cpu-idle-and-quota", CPU, Changes, r#"{"cpu":{"idle":1,"quota":30000,"period":60000}}"#),
    config("cpu-set", CPUSET, Changes, r#"{"cpu":{"cpus":"0","mems":"0"}}"#),
    config("cpu-set-empty", CPUSET, Nothing, r#"{"cpu":{"cpus":"","mems":""}}"#),
    config("cpu-set-of-absent-cpus", CPUSET, Refused, r#"{"cpu":{"cpus":"4000"}}"#),

    config("pids-zero", PIDS, Nothing, r#"{"pids":{"limit":0}}"#),
    config("pids-one", PIDS, Changes, r#"{"pids":{"limit":1}}"#),
    config("pids", PIDS, Changes, r#"{"pids":{"limit":77}}"#),
    config("pids-none", PIDS, Nothing, r#"{"pids":{"limit":-1}}"#),

    config("io-read-bytes", IO, Changes, r#"{"blockIO":{"throttleReadBpsDevice":[{@disk,"rate":1048576}]}}"#),
    config("io-write-bytes", IO, Changes, r#"{"blockIO":{"throttleWriteBpsDevice":[{@disk,"rate":2097152}]}}"#),
    config("io-read-operations", IO, Changes, r#"{"blockIO":{"throttleReadIOPSDevice":[{@disk,"rate":120}]}}"#),
    config("io-write-operations", IO, Changes, r#"{"blockIO":{"throttleWriteIOPSDevice":[{@disk,"rate":70}]}}"#),
    config("io-all-four", IO, Changes, r#"{"blockIO":{"throttleReadBpsDevice":[{@disk,"rate":1048576}],"throttleWriteBpsDevice":[{@disk,"rate":2097152}],"throttleReadIOPSDevice":[{@disk,"rate":120}],"throttleWriteIOPSDevice":[{@disk,"rate":70}]}}"#),
    config("io-rate-zero", IO, Nothing, r#"{"blockIO":{"throttleReadBpsDevice":[{@disk,"rate":0}]}}"#),
    config("io-no-such-device", IO, Refused, r#"{"blockIO":{"throttleReadBpsDevice":[{"major":99,"minor":99,"rate":1048576}]}}"#),
    config("io-weight", WEIGHT, Changes, r#"{"blockIO":{"weight":500}}"#),
    config("io-weight-lowest", WEIGHT, Changes, r#"{"blockIO":{"weight":10}}"#),
    config("io-weight-highest", WEIGHT, Changes, r#"{"blockIO":{"weight":1000}}"#),
    config("io-weight-of-a-device", WEIGHT, Changes, r#"{"blockIO":{"weight":500,"weightDevice":[{@disk,"weight":300}]}}"#),

    config("hugepages", HUGETLB, Changes, r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#),
    config("hugepages-zero", HUGETLB, Changes, r#"{"hugepageLimits":[{"pageSize":"2MB","limit":0}]}"#),
    config("hugepages-of-no-such-size", HUGETLB, Refused, r#"{"hugepageLimits":[{"pageSize":"3MB","limit":4194304}]}"#),
    config("rdma", RDMA, Changes, r#"{"rdma":{"mlx5_0":{"hcaHandles":3,"hcaObjects":1000}}}"#),

    config("unified-memory", MEMORY, Changes, r#"{"unified":{"memory.high":"50331648","memory.oom.group":"1"}}"#),
    config("unified-wins", SEVERAL, Changes, r#"{"cpu":{"shares":512},"pids":{"limit":50},"unified":{"cpu.weight":"777","pids.max":"60"}}"#),
    config("unified-of-every-cgroup", &[], Changes, r#"{"unified":{"cgroup.max.depth":"5","cgroup.max.descendants":"50"}}"#),
    config("unified-io", IO, Changes, r#"{"unified":{"io.max":"@device rbps=1048576 wiops=100"}}"#),
    config("unified-hugepages", HUGETLB, Changes, r#"{"unified":{"hugetlb.2MB.max":"8388608","hugetlb.2MB.rsvd.max":"8388608"}}"#),
    config("unified-of-no-such-controller", &[], Refused, r#"{"unified":{"nosuch.max":"5"}}"#),
    config("unified-of-no-such-file", MEMORY, Refused, r#"{"unified":{"memory.nosuch":"5"}}"#),
    config("unified-path", MEMORY, Refused, r#"{"unified":{"../memory.high":"5"}}"#),
    config("unified-value-refused", MEMORY, Refused, r#"{"unified":{"memory.high":"much"}}"#),

    config("docker-run-with-limits", SEVERAL, Changes, r#"{"memory":{"limit":67108864,"swap":134217728},"cpu":{"shares":512,"quota":150000,"period":100000},"pids":{"limit":100},"blockIO":{}}"#),
    config("podman-update", SEVERAL, Changes, r#"{"memory":{"limit":100663296,"swap":209715200},"cpu":{"quota":30000,"period":100000},"pids":{"limit":55}}"#),
    config("kubernetes-burstable", SEVERAL, Changes, r#"{"memory":{"limit":134217728},"cpu":{"shares":102,"quota":20000,"period":100000},"unified":{"memory.oom.group":"1","memory.min":"16777216"}}"#),
    config("kubernetes-sandbox", CPU, Changes, r#"{"cpu":{"shares":2}}"#),
];

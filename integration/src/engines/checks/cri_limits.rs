//! Resources of a pod's containers: enforced, changed while they run, and measured.

use serde_json::{Value, json};

use crate::ctx::Ctx;
use crate::engines::cri::{Container, Cri, Pod};
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "cri_limits",
    cases: &[
        root!(written_to_the_cgroup).needs(&[Need::Controller("memory"), Need::Controller("cpu")]),
        root!(memory_is_enforced).needs(&[Need::Controller("memory")]),
        root!(out_of_memory_is_the_reason).needs(&[Need::Controller("memory")]),
        root!(cpuset).needs(&[Need::Controller("cpuset")]),
        root!(update).needs(&[Need::Controller("memory"), Need::Controller("cpu")]),
        root!(update_refused_says_why).needs(&[Need::Controller("memory")]),
        root!(stats).needs(&[Need::Controller("memory")]),
    ],
};

const MIB: u64 = 1 << 20;

/// With the network of the node, since a kernel that limits may have no bridge (user-mode-linux).
fn on_the_node(ctx: &Ctx) -> Res<Pod<'_>> {
    Cri::of(ctx).pod(&json!({"hostname": "", "linux": {"security_context": security()}}))
}

fn security() -> Value {
    json!({"namespace_options": {"network": "NODE"}})
}

fn resources(limits: Value) -> Value {
    json!({"linux": {"resources": limits, "security_context": security()}})
}

/// A file of the container's cgroup, by its name in v1 or in v2.
fn cgroup_file(container: &Container<'_>, controller: &str, v1: &str, v2: &str) -> Res<String> {
    super::cgroup_file(container.pid()?, controller, v1, v2)
}

/// Memory, and the processor's quota and shares.
fn limits_of(container: &Container<'_>) -> Res<(String, String, String)> {
    let memory = cgroup_file(container, "memory", "memory.limit_in_bytes", "memory.max")?;
    let quota = cgroup_file(container, "cpu", "cpu.cfs_quota_us", "cpu.max")?;
    let quota = quota.split(' ').next().unwrap_or_default().to_string();
    Ok((memory, quota, cgroup_file(container, "cpu", "cpu.shares", "cpu.weight")?))
}

fn written_to_the_cgroup(ctx: &Ctx) -> Res {
    let pod = on_the_node(ctx)?;
    let container = pod.sleeper(&resources(json!({
        "memory_limit_in_bytes": 64 * MIB, "cpu_quota": 20_000, "cpu_period": 100_000, "cpu_shares": 512,
    })))?;
    let (memory, quota, shares) = limits_of(&container)?;
    same!((memory, quota.as_str()), ((64 * MIB).to_string(), "20000"));
    // What 512 is as a weight depends on the age of the runtime's formula.
    holds!(["512", "20", "59"].contains(&shares.as_str()), "the shares are {shares}");
    Ok(())
}

/// Of memory and of swap.
fn memory_of(bytes: u64) -> Value {
    resources(json!({"memory_limit_in_bytes": bytes, "memory_swap_limit_in_bytes": bytes}))
}

fn memory_is_enforced(ctx: &Ctx) -> Res {
    let pod = on_the_node(ctx)?;
    let small = pod.started(&["/bin/probe", "eat", "16"], &memory_of(32 * MIB))?;
    same!(small.wait()?, 0);
    let large = pod.started(&["/bin/probe", "eat", "64"], &memory_of(32 * MIB))?;
    same!(large.wait()?, 137);
    Ok(())
}

/// By a container that lives on: the cgroup of one that has ended may be gone before anybody looks, and
/// systemd is quick to remove it.
fn out_of_memory_is_the_reason(ctx: &Ctx) -> Res {
    let container = on_the_node(ctx)?.sleeper(&memory_of(32 * MIB))?;
    same!(container.exec(&["/bin/probe", "eat", "64"])?.code, 137);
    let told = || (container.status().ok()?["reason"] == "OOMKilled").then_some(());
    ctx.eventually("the reason is OOMKilled", told)
}

fn cpuset(ctx: &Ctx) -> Res {
    let pod = on_the_node(ctx)?;
    same!(pod.report(&resources(json!({"cpuset_cpus": "0"})))?["processors"], "0");
    Ok(())
}

/// A pod that is resized in place.
fn update(ctx: &Ctx) -> Res {
    let pod = on_the_node(ctx)?;
    let container = pod.sleeper(&resources(json!({"memory_limit_in_bytes": 64 * MIB})))?;
    let limits = json!({
        "memory_limit_in_bytes": 96 * MIB, "memory_swap_limit_in_bytes": 96 * MIB,
        "cpu_quota": 30_000, "cpu_period": 100_000, "cpu_shares": 2048,
    });
    container.call_with("UpdateContainerResources", &json!({"linux": limits}))?;
    let (memory, quota, shares) = limits_of(&container)?;
    same!((memory, quota.as_str()), ((96 * MIB).to_string(), "30000"));
    holds!(["2048", "79", "174"].contains(&shares.as_str()), "the shares are {shares}");
    same!(container.status()?["resources"]["linux"]["memory_limit_in_bytes"], 96 * MIB);
    // Of one that does not run yet, too.
    let created = pod.created(&["/bin/probe", "until-term"], &resources(json!({})))?;
    created.call_with("UpdateContainerResources", &json!({"linux": limits}))?;
    created.call("StartContainer")?;
    same!(limits_of(&created)?.0, (96 * MIB).to_string());
    Ok(())
}

fn update_refused_says_why(ctx: &Ctx) -> Res {
    let pod = on_the_node(ctx)?;
    let container = pod.sleeper(&resources(json!({})))?;
    let limits = json!({"cpu_period": 1});
    let Err(said) = container.call_with("UpdateContainerResources", &json!({"linux": limits}))
    else {
        return Err("a period of a microsecond is accepted".into());
    };
    let words = ["nvalid argument", "out of range"];
    holds!(words.iter().any(|words| said.contains(words)), "it says: {said}");
    Ok(())
}

fn stats(ctx: &Ctx) -> Res {
    let pod = on_the_node(ctx)?;
    let container = pod.started(&["/bin/probe", "spin"], &resources(json!({})))?;
    container.until_log("ready")?;
    let right = || {
        let stats = container.call("ContainerStats").ok()?["stats"].clone();
        let used = stats["memory"]["working_set_bytes"].as_u64()?;
        let time = stats["cpu"]["usage_core_nano_seconds"].as_u64()?;
        (used > 0 && time > 10_000_000).then_some(())
    };
    ctx.eventually("processor and memory", right)
}

//! Limits of `ctr run`, and what `ctr task metrics` makes of the container's cgroup.

use std::fs;

use serde_json::Value;

use crate::ctx::Ctx;
use crate::engines::ctr::{Ctr, Task};
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "ctr_limits",
    cases: &[
        root!(memory).needs(&[Need::Controller("memory")]),
        root!(cpus).needs(&[Need::Controller("cpu")]),
        root!(cpu_shares).needs(&[Need::Controller("cpu")]),
        root!(cgroup_by_its_path).needs(&[Need::Controller("memory")]),
        root!(metrics).needs(&[Need::Controller("memory"), Need::Controller("pids")]),
    ],
};

const MIB: u64 = 1 << 20;

/// A file of the task's cgroup, by its name in v1 or in v2.
fn cgroup_file(task: &Task<'_>, controller: &str, v1: &str, v2: &str) -> Res<String> {
    super::cgroup_file(task.pid()?, controller, v1, v2)
}

fn memory(ctx: &Ctx) -> Res {
    let limit = (32 * MIB).to_string();
    let task = Ctr::of(ctx).sleeper(&["--memory-limit", &limit])?;
    same!(cgroup_file(&task, "memory", "memory.limit_in_bytes", "memory.max")?, limit);
    super::forbid_swap(task.pid()?)?;
    task.exec(&[], &["/bin/probe", "eat", "16"])?.is(0)?.prints("ate")?;
    task.exec(&[], &["/bin/probe", "eat", "64"])?.is(137).map(drop)
}

fn cpus(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&["--cpus", "0.5"])?;
    let max = cgroup_file(&task, "cpu", "cpu.cfs_quota_us", "cpu.max")?;
    same!(max.split(' ').next(), Some("50000"));
    Ok(())
}

fn cpu_shares(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&["--cpu-shares", "2048"])?;
    let shares = cgroup_file(&task, "cpu", "cpu.shares", "cpu.weight")?;
    // What 2048 is as a weight depends on the age of the runtime's formula.
    holds!(["2048", "79", "174"].contains(&shares.as_str()), "the shares are {shares}");
    Ok(())
}

fn cgroup_by_its_path(ctx: &Ctx) -> Res {
    let name = format!("/{}group", ctx.id_prefix());
    let task = Ctr::of(ctx).sleeper(&["--cgroup", &name])?;
    let place = crate::cgroups::place_of(task.pid()?, "memory")?;
    holds!(place.dir.ends_with(&name[1..]), "it is in {}", place.dir.display());
    task.call(&["delete", "--force"]).ok()?;
    let gone = || (!fs::exists(&place.dir).unwrap_or(true)).then_some(());
    ctx.eventually("the cgroup is gone", gone)
}

/// Numbers of either version of cgroups.
fn number(metrics: &Value, paths: &[&str]) -> Res<u64> {
    let found = paths.iter().find_map(|path| metrics.pointer(path));
    let found = found.doing(paths[0])?;
    found.as_u64().or_else(|| found.as_str()?.parse().ok()).doing(paths[0])
}

fn metrics(ctx: &Ctx) -> Res {
    let limit = (64 * MIB).to_string();
    let line = "/bin/probe eat 1; setsid sleep 1000 & exec /bin/probe until-term";
    let task = Ctr::of(ctx).detached(&["--memory-limit", &limit], &["sh", "-c", line])?;
    task.until_log("ready")?;
    let metrics = task.call(&["metrics", "--format", "json"]).ok()?.json()?;
    let data = metrics.get("data").unwrap_or(&metrics);
    same!(number(data, &["/pids/current"])?, 2);
    same!(number(data, &["/memory/usage/limit", "/memory/usage_limit"])?, 64 * MIB);
    let used = number(data, &["/memory/usage/usage", "/memory/usage"])?;
    holds!(used > 0 && used < 64 * MIB, "it uses {used}");
    let time = number(data, &["/cpu/usage/total", "/cpu/usage_usec"])?;
    holds!(time > 0, "it has used no processor");
    Ok(())
}

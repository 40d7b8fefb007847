//! Limits and processes of a container's cgroup, on pure cgroup v2.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::of_two;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::harness::{leaks, procs};
use crate::result::{Doing, Res, holds, same};

const CGROUP2: &[Need] = &[Need::Cgroup2];

pub(crate) const FEATURE: Feature = Feature {
    name: "cgroup",
    cases: &[
        root!(made_and_removed).needs(CGROUP2),
        root!(path_is_honoured).needs(CGROUP2),
        root!(path_upwards_stays_below).needs(CGROUP2),
        root!(memory_max).needs(CGROUP2),
        root!(memory_max_kills).needs(CGROUP2),
        root!(cpu_max).needs(CGROUP2),
        root!(cpu_shares_become_weight).needs(CGROUP2),
        root!(pids_max).needs(CGROUP2),
        root!(pids_max_refuses_forks).needs(CGROUP2),
        root!(limits_hold_before_the_process_runs).needs(CGROUP2),
        root!(exec_is_in_it).needs(CGROUP2),
        root!(exec_in_sub_cgroup).needs(CGROUP2),
        root!(exec_in_cgroup_above_refused).needs(CGROUP2).ours("the peers go there"),
        root!(devices_are_denied_by_default).needs(CGROUP2).only_runc("crun 1.8 then allows all"),
        root!(devices_allowed_by_a_rule).needs(CGROUP2),
        root!(kill_all_reaches_everyone).needs(CGROUP2),
        root!(kill_all_in_shared_pid_namespace).needs(CGROUP2),
        root!(delete_of_shared_pid_namespace_leaves_nobody)
            .needs(CGROUP2)
            .only_crun("runc 1.1 may leave the cgroup"),
        root!(delete_of_stopped_leaves_anothers_processes)
            .needs(CGROUP2)
            .takes(60)
            .ours("runc 1.1 and crun refuse the second container or kill it"),
        root!(read_only_it_is_done_without_and_told)
            .needs(CGROUP2)
            .ours("runc fails, and so does crun with limits"),
        root!(none_at_all_is_done_without_and_told).needs(CGROUP2).ours("as above"),
        root!(failed_create_leaves_no_cgroup).needs(CGROUP2),
        root!(ps_lists_it).needs(CGROUP2),
    ],
};

/// The container's directory in the hierarchy.
pub(super) fn dir(container: &Container<'_>) -> Res<PathBuf> {
    let text =
        fs::read_to_string(format!("/proc/{}/cgroup", container.pid()?)).doing("its cgroup")?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/")).doing("a cgroup v2 line")?;
    Ok(PathBuf::from("/sys/fs/cgroup").join(path))
}

pub(super) fn value(container: &Container<'_>, file: &str) -> Res<String> {
    let text = fs::read_to_string(dir(container)?.join(file)).doing(file)?;
    Ok(text.trim_end().to_string())
}

pub(super) fn running(ctx: &Ctx, resources: serde_json::Value) -> Res<Container<'_>> {
    let mut container = ctx.sleeper()?;
    container.set("/linux/resources", resources);
    container.run_until("ready")?;
    Ok(container)
}

fn made_and_removed(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    let dir = dir(&container)?;
    holds!(dir.to_string_lossy().contains(&container.id), "its cgroup is {}", dir.display());
    container.kill("KILL")?;
    container.until("stopped")?;
    container.delete()?;
    holds!(!dir.exists(), "{} is left", dir.display());
    container.gone()
}

fn path_is_honoured(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    let path = format!("/straw-{0}/{0}", container.id);
    container.set("/linux/cgroupsPath", path.as_str());
    container.run_until("ready")?;
    same!(dir(&container)?, PathBuf::from(format!("/sys/fs/cgroup{path}")));
    container.force_delete()?;
    // Parents of the path are the caller's.
    for parent in leaks::cgroups(&container.id) {
        fs::remove_dir(parent).doing("remove a parent")?;
    }
    Ok(())
}

fn path_upwards_stays_below(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/linux/cgroupsPath", format!("../../{}", container.id));
    let out = container.run_call(&["-d"])?.done()?;
    if out.code == 0 {
        holds!(
            dir(&container)?.starts_with("/sys/fs/cgroup"),
            "its cgroup is {:?}",
            dir(&container)
        );
        holds!(
            !dir(&container)?.to_string_lossy().contains(".."),
            "its cgroup is {:?}",
            dir(&container)
        );
    }
    container.force_delete()?;
    container.gone()
}

fn memory_max(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"memory": {"limit": 64 << 20}}))?;
    same!(value(&container, "memory.max")?, (64 << 20).to_string());
    Ok(())
}

fn memory_max_kills(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "eat", "200"])?;
    container.set("/linux/resources", json!({"memory": {"limit": 32 << 20, "swap": 32 << 20}}));
    container.run()?.is(128 + 9)?.prints("")?;
    container.gone()
}

fn cpu_max(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"cpu": {"quota": 30_000, "period": 60_000}}))?;
    same!(value(&container, "cpu.max")?, "30000 60000");
    Ok(())
}

fn cpu_shares_become_weight(ctx: &Ctx) -> Res {
    let weight = |shares: u64| -> Res<u64> {
        value(&running(ctx, json!({"cpu": {"shares": shares}}))?, "cpu.weight")?
            .parse()
            .doing("cpu.weight")
    };
    // Both known conversions agree on the ends; between them they differ, and must only grow.
    same!(weight(2)?, 1);
    let (lower, higher) = (weight(512)?, weight(2048)?);
    holds!(1 < lower && lower < higher, "512 shares give {lower}, 2048 give {higher}");
    same!(weight(262_144)?, 10_000);
    Ok(())
}

fn pids_max(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"pids": {"limit": 77}}))?;
    same!(value(&container, "pids.max")?, "77");
    Ok(())
}

fn pids_max_refuses_forks(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "fork", "20"])?;
    container.set("/linux/resources", json!({"pids": {"limit": 8}}));
    let out = container.run()?.is(0)?;
    let started: i32 = out.text().parse().doing("number of children")?;
    holds!((3..8).contains(&started), "{started} children started");
    Ok(())
}

fn limits_hold_before_the_process_runs(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/linux/resources", json!({"pids": {"limit": 33}}));
    container.create()?;
    same!(value(&container, "pids.max")?, "33");
    Ok(())
}

fn exec_is_in_it(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    let init =
        fs::read_to_string(format!("/proc/{}/cgroup", container.pid()?)).doing("its cgroup")?;
    let file = ctx.dir.join("pid");
    container
        .exec(&["-d", "--pid-file", &file.to_string_lossy()], &["/bin/sleep", "100"])?
        .is(0)?;
    let pid = fs::read_to_string(file).doing("pid file")?;
    same!(fs::read_to_string(format!("/proc/{pid}/cgroup")).doing("its cgroup")?, init);
    Ok(())
}

fn exec_in_sub_cgroup(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    fs::create_dir(dir(&container)?.join("sub")).doing("make a cgroup below")?;
    let out = container.exec(&["--cgroup", "sub"], &["/bin/cat", "/proc/self/cgroup"])?.is(0)?;
    holds!(out.text().ends_with("/sub"), "it is in {}", out.text());
    Ok(())
}

fn exec_in_cgroup_above_refused(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    fs::create_dir(format!("/sys/fs/cgroup/{}-other", container.id))
        .doing("make a cgroup beside")?;
    let path = format!("../{}-other", container.id);
    let out = container.exec(&["--cgroup", &path], &["/bin/echo", "ran"])?;
    fs::remove_dir(format!("/sys/fs/cgroup/{}-other", container.id)).doing("remove it")?;
    out.failed()?.prints("")?;
    Ok(())
}

/// Makes a node of the kernel's log (1:11) and reads it.
const READ_KMSG: &str = "mknod /tmp/kmsg c 1 11 && dd if=/tmp/kmsg of=/dev/null bs=8k count=1 2>&1";

/// GHSA-g54h-m393-cpwq: no rules at all is no device but the default ones.
fn devices_are_denied_by_default(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.all_capabilities().remove("/linux/resources").sh(READ_KMSG);
    container.run()?.failed()?.has("not permitted")?;
    Ok(())
}

fn devices_allowed_by_a_rule(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let rules = json!([{"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rm"}]);
    container.all_capabilities().set("/linux/resources/devices", rules);
    container.sh(&format!("{READ_KMSG}; echo x 2>/dev/null >/tmp/kmsg || echo not written"));
    container.run()?.is(0)?.has("0+1 records in")?.has("not written")?;
    Ok(())
}

fn kill_all_reaches_everyone(ctx: &Ctx) -> Res {
    let container = of_two(ctx)?;
    container.run_until("ready")?;
    let pid = container.pid()?;
    container.command("kill", &["--all"]).arg("KILL").ok()?;
    container.until("stopped")?;
    ctx.eventually("all end", || procs::below(pid).is_empty().then_some(()))
}

/// What a shim does for pods: the init is dead, others in its cgroup live on.
fn kill_all_in_shared_pid_namespace(ctx: &Ctx) -> Res {
    let mut container =
        ctx.container_of(&["/bin/sh", "-c", "setsid /bin/probe ignore-term & sleep 0.3"])?;
    container.drop_namespace("pid");
    container.create()?;
    let dir = dir(&container)?;
    container.start()?;
    container.until_output("ready")?;
    container.until("stopped")?;
    holds!(
        !fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default().is_empty(),
        "nobody is left"
    );
    container.command("kill", &["--all"]).arg("KILL").ok()?;
    ctx.eventually("all end", || {
        fs::read_to_string(dir.join("cgroup.procs")).is_ok_and(|pids| pids.is_empty()).then_some(())
    })?;
    container.delete()?;
    container.gone()
}

fn delete_of_shared_pid_namespace_leaves_nobody(ctx: &Ctx) -> Res {
    let mut container = of_two(ctx)?;
    container.drop_namespace("pid");
    container.run_until("ready")?;
    container.force_delete()?;
    container.gone()
}

/// Its cgroup is another's by now, which took it over when it was empty.
fn delete_of_stopped_leaves_anothers_processes(ctx: &Ctx) -> Res {
    let mut first = ctx.container_of(&["/bin/true"])?;
    let path = format!("/{}", first.id);
    first.set("/linux/cgroupsPath", path.as_str());
    first.run_detached()?;
    first.until("stopped")?;
    let mut second = ctx.sleeper()?;
    second.set("/linux/cgroupsPath", path.as_str());
    second.run_until("ready")?;
    first.command("delete", &[]).done()?.failed()?.says_one_of(&["still in use"])?;
    same!(second.status()?, "running");
    second.force_delete()?;
    first.delete()?;
    first.gone()
}

fn read_only_it_is_done_without_and_told(ctx: &Ctx) -> Res {
    let read_only = "mount --bind /sys/fs/cgroup /sys/fs/cgroup && \
        mount -o remount,bind,ro /sys/fs/cgroup";
    without_limits(ctx, read_only, "no right to a cgroup")
}

fn none_at_all_is_done_without_and_told(ctx: &Ctx) -> Res {
    without_limits(ctx, "umount -l /sys/fs/cgroup", "this host has no cgroups")
}

/// What a host does to its cgroups by `prepare`, in a mount namespace of its own.
fn without_limits(ctx: &Ctx, prepare: &str, why: &str) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "ran"])?;
    container.set("/linux/resources", json!({"pids": {"limit": 20}}));
    let line = format!("{prepare} && exec \"$0\" \"$@\"");
    let call = container.run_call(&[])?.through(&["unshare", "-m", "sh", "-c", &line]);
    let out = call.done()?.is(0)?.prints("ran")?;
    let lines: Vec<&str> = out.err.lines().filter(|line| line.contains("not enforced")).collect();
    let told = |text| lines.first().is_some_and(|line| line.contains(text));
    let all = ["linux.resources.pids.limit", "linux.resources.devices", why];
    holds!(lines.len() == 1 && all.into_iter().all(told), "it says {:?}", out.err);
    container.gone()
}

fn failed_create_leaves_no_cgroup(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/no/such/command"])?;
    container.set("/linux/resources", json!({"pids": {"limit": 20}}));
    container.run()?.failed()?;
    container.gone()
}

fn ps_lists_it(ctx: &Ctx) -> Res {
    let container =
        ctx.container_of(&["/bin/sh", "-c", "sleep 100 & exec /bin/probe until-term"])?;
    container.run_until("ready")?;
    let list = container.command("ps", &["-f", "json"]).ok()?.json()?;
    same!(list.as_array().map(Vec::len), Some(2));
    Ok(())
}

//! Processes, freezing, statistics and the end of a container on cgroup v1.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::{CGROUP_V1, container_of, dir, hierarchies, placed, running, sleeper};
use crate::cases::{burn, of_two};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::{leaks, procs};
use crate::result::{Doing, Res, holds, same};

const NOT_CRUN: &str = "crun has no events";

pub(crate) const FEATURE: Feature = Feature {
    name: "cgroup_v1.life",
    cases: &[
        root!(in_every_hierarchy).needs(CGROUP_V1),
        root!(exec_is_in_all_of_them).needs(CGROUP_V1),
        root!(exec_in_joined_namespaces_is_in_them).needs(CGROUP_V1),
        root!(paused_makes_no_progress).needs(CGROUP_V1),
        root!(killed_while_paused).needs(CGROUP_V1).only_runc("crun leaves it frozen"),
        root!(deleted_while_paused).needs(CGROUP_V1),
        root!(kill_all_reaches_everyone).needs(CGROUP_V1),
        root!(stats_have_the_limits).needs(CGROUP_V1).only_runc(NOT_CRUN),
        root!(oom_is_told).needs(CGROUP_V1).only_runc(NOT_CRUN),
        root!(ps_lists_it).needs(CGROUP_V1),
        root!(delete_leaves_nothing).needs(CGROUP_V1),
        root!(delete_removes_what_it_made).needs(CGROUP_V1),
        root!(delete_of_shared_pid_namespace_leaves_nobody)
            .needs(CGROUP_V1)
            .ours("runc 1.1 may leave the cgroup"),
        root!(failed_create_leaves_nothing).needs(CGROUP_V1),
        root!(refused_limit_leaves_nothing)
            .needs(CGROUP_V1)
            .only_runc("crun 1.8 leaves the cgroups"),
    ],
};

fn in_every_hierarchy(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    let all = hierarchies(container.pid()?)?;
    holds!(all.len() > 3, "only in {all:?}");
    for (name, path) in all {
        let last = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        holds!(last == format!("skep-it-{}", container.id), "{name}: in {}", path.display());
        let procs = fs::read_to_string(path.join("cgroup.procs")).doing(&name)?;
        same!(procs.trim_end(), container.pid()?.to_string());
    }
    Ok(())
}

fn cgroups_of_exec(ctx: &Ctx, container: &Container<'_>) -> Res<String> {
    let file = ctx.dir.join("pid");
    let flags = ["-d", "--pid-file", &file.to_string_lossy()];
    container.exec(&flags, &["/bin/sleep", "100"])?.is(0)?;
    let pid = fs::read_to_string(file).doing("pid file")?;
    fs::read_to_string(format!("/proc/{pid}/cgroup")).doing("its cgroups")
}

fn cgroups_of_init(container: &Container<'_>) -> Res<String> {
    fs::read_to_string(format!("/proc/{}/cgroup", container.pid()?)).doing("its cgroups")
}

fn exec_is_in_all_of_them(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    same!(cgroups_of_exec(ctx, &container)?, cgroups_of_init(&container)?);
    Ok(())
}

fn exec_in_joined_namespaces_is_in_them(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    container.map_ids(100_000, 65_536).namespace("cgroup", None);
    container.run_until("ready")?;
    same!(cgroups_of_exec(ctx, &container)?, cgroups_of_init(&container)?);
    Ok(())
}

fn ticker(ctx: &Ctx) -> Res<Container<'_>> {
    let line = "echo ready; while :; do /bin/echo tick; sleep 0.01; done";
    let container = container_of(ctx, &["/bin/sh", "-c", line])?;
    container.run_until("tick")?;
    Ok(container)
}

fn paused_makes_no_progress(ctx: &Ctx) -> Res {
    let container = ticker(ctx)?;
    container.command("pause", &[]).ok()?;
    same!(container.status()?, "paused");
    let printed = container.output().len();
    sleep(Duration::from_millis(200));
    same!(container.output().len(), printed);
    container.command("resume", &[]).ok()?;
    same!(container.status()?, "running");
    ctx.eventually("it prints again", || (container.output().len() > printed).then_some(()))
}

fn killed_while_paused(ctx: &Ctx) -> Res {
    let container = ticker(ctx)?;
    container.command("pause", &[]).ok()?;
    container.kill("KILL")?;
    container.until("stopped")?;
    container.delete()?;
    container.gone()
}

fn deleted_while_paused(ctx: &Ctx) -> Res {
    let container = ticker(ctx)?;
    container.command("pause", &[]).ok()?;
    container.force_delete()?;
    container.gone()
}

fn kill_all_reaches_everyone(ctx: &Ctx) -> Res {
    let container = placed(of_two(ctx)?);
    container.run_until("ready")?;
    let pid = container.pid()?;
    container.command("kill", &["--all"]).arg("KILL").ok()?;
    container.until("stopped")?;
    ctx.eventually("all end", || procs::below(pid).is_empty().then_some(()))
}

fn stats_have_the_limits(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 44}}))?;
    burn(&container)?;
    let line = container.command("events", &["--stats"]).ok()?.json()?;
    let data = &line["data"];
    same!(data["memory"]["usage"]["limit"], 64 << 20);
    same!(data["pids"]["limit"], 44);
    same!(data["pids"]["current"], 1);
    holds!(data["memory"]["usage"]["usage"].as_u64() > Some(0), "memory is {}", data["memory"]);
    holds!(data["cpu"]["usage"]["total"].as_u64() > Some(0), "cpu is {}", data["cpu"]);
    Ok(())
}

fn oom_is_told(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"memory": {"limit": 32 << 20}}))?;
    let events = container.command("events", &["--interval", "100ms"]).spawn()?;
    ctx.eventually("statistics", || events.out_now().contains("\"stats\"").then_some(()))?;
    container.exec(&[], &["/bin/probe", "eat", "100"])?.is(128 + 9)?;
    ctx.eventually("the OOM killer is told of", || {
        events.out_now().contains("\"oom\"").then_some(())
    })?;
    container.force_delete()?;
    events.wait()?.is(0).map(drop)
}

fn ps_lists_it(ctx: &Ctx) -> Res {
    let line = "sleep 100 & exec /bin/probe until-term";
    let container = container_of(ctx, &["/bin/sh", "-c", line])?;
    container.run_until("ready")?;
    let list = container.command("ps", &["-f", "json"]).ok()?.json()?;
    same!(list.as_array().map(Vec::len), Some(2));
    Ok(())
}

fn delete_leaves_nothing(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"pids": {"limit": 20}}))?;
    let all = hierarchies(container.pid()?)?;
    holds!(leaks::cgroups(&container.id).len() >= all.len(), "not in all of {all:?}");
    container.kill("KILL")?;
    container.until("stopped")?;
    container.delete()?;
    same!(leaks::cgroups(&container.id).len(), 0);
    container.gone()
}

fn delete_removes_what_it_made(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    for controller in ["memory", "pids"] {
        fs::create_dir_all(dir(&container, controller)?.join("a/b")).doing("make cgroups below")?;
    }
    container.force_delete()?;
    container.gone()
}

fn delete_of_shared_pid_namespace_leaves_nobody(ctx: &Ctx) -> Res {
    let mut container = placed(of_two(ctx)?);
    container.drop_namespace("pid");
    container.run_until("ready")?;
    container.force_delete()?;
    container.gone()
}

fn failed_create_leaves_nothing(ctx: &Ctx) -> Res {
    let mut container = container_of(ctx, &["/no/such/command"])?;
    container.set("/linux/resources", json!({"pids": {"limit": 20}}));
    container.run()?.failed()?;
    container.gone()
}

fn refused_limit_leaves_nothing(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    container.set("/linux/resources", json!({"cpu": {"quota": 30_000, "period": 7}}));
    container.run()?.failed()?;
    container.gone()
}

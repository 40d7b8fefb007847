//! What happens at the same time, and what is left when the runtime is killed.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::call::Running;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::harness::{leaks, procs};
use crate::result::{Doing, Res, holds, same};
use crate::text::lines;

pub(crate) const FEATURE: Feature = Feature {
    name: "races",
    cases: &[
        either!(two_starts).ours("runc's loser may hang, with crun both win"),
        either!(two_creates_of_one_id),
        either!(two_deletes),
        either!(many_containers),
        either!(killed_create).ours("the peers cannot delete a half made container"),
        either!(killed_run).ours("the peers cannot delete a half made container"),
        either!(killed_start).ours("the peers may lose the start"),
        either!(killed_delete).ours("the peers may leave half of it"),
        either!(broken_state_is_listed_and_deleted).ours("each runtime has its own state file"),
    ],
};

fn both(first: crate::call::Call, second: crate::call::Call) -> Res<[crate::call::Out; 2]> {
    let (first, second) = (first.spawn()?, second.spawn()?);
    Ok([first.wait()?, second.wait()?])
}

/// A hook makes the time long in which both may find the container created.
fn two_starts(ctx: &Ctx) -> Res {
    for round in 0..5 {
        let mut container = ctx.sleeper()?;
        if round % 2 == 0 {
            let args = ["sh", "-c", "echo >>/started; sleep 0.2; cat >/dev/null"];
            container.push("/hooks/startContainer", json!({"path": "/bin/sh", "args": args}));
        }
        container.create()?;
        let outs = both(container.command("start", &[]), container.command("start", &[]))?;
        same!(outs.iter().filter(|out| out.code == 0).count(), 1);
        container.until_output("ready")?;
        same!(container.status()?, "running");
        if round % 2 == 0 {
            let started = std::fs::read(container.inside("started")).doing("read")?;
            same!(started, b"\n");
        }
        container.force_delete()?;
        container.gone()?;
    }
    Ok(())
}

fn two_creates_of_one_id(ctx: &Ctx) -> Res {
    for _ in 0..5 {
        let container = ctx.sleeper()?;
        let outs = both(container.create_call(&[])?, container.create_call(&[])?)?;
        same!(outs.iter().filter(|out| out.code == 0).count(), 1);
        same!(container.status()?, "created");
        container.force_delete()?;
        container.gone()?;
    }
    Ok(())
}

fn two_deletes(ctx: &Ctx) -> Res {
    for _ in 0..5 {
        let container = ctx.sleeper()?;
        container.create()?;
        same!(container.status()?, "created");
        let delete = || container.command("delete", &["--force"]);
        let outs = both(delete(), delete())?;
        holds!(outs.iter().any(|out| out.code == 0), "none of two deletes worked");
        container.gone()?;
    }
    Ok(())
}

fn many_containers(ctx: &Ctx) -> Res {
    let containers: Vec<Container<'_>> = (0..8).map(|_| ctx.sleeper()).collect::<Res<_>>()?;
    let calls: Vec<Running> =
        containers.iter().map(|each| each.run_call(&["-d"])?.spawn()).collect::<Res<_>>()?;
    for call in calls {
        call.wait()?.is(0)?;
    }
    same!(lines(&ctx.runtime().args(["list", "-q"]).ok()?.out).len(), containers.len());
    let calls: Vec<Running> = containers
        .iter()
        .map(|each| each.command("delete", &["-f"]).spawn())
        .collect::<Res<_>>()?;
    for call in calls {
        call.wait()?.is(0)?;
    }
    containers.iter().try_for_each(Container::gone)
}

/// Kills the runtime after growing delays, from before it has begun to after it has ended, and each time
/// wants a truthful list and a clean `delete --force`.
fn killed(
    ctx: &Ctx,
    prepare: fn(&Container<'_>) -> Res,
    call: fn(&Container<'_>) -> Res<crate::call::Call>,
) -> Res {
    const ROUNDS: u32 = 24;
    let took = duration(ctx, prepare, call)?;
    for round in 0..ROUNDS {
        let container = ctx.sleeper()?;
        prepare(&container)?;
        let running = call(&container)?.spawn()?;
        std::thread::sleep(took * round / (ROUNDS - 4));
        let _ended_before = kill(Pid::from_raw(running.pid()), Signal::SIGKILL);
        running.wait()?;
        let after = |error| format!("killed after {round}/{}: {error}", ROUNDS - 4);
        recover(ctx, &container).map_err(after)?;
    }
    Ok(())
}

fn duration(
    ctx: &Ctx,
    prepare: fn(&Container<'_>) -> Res,
    call: fn(&Container<'_>) -> Res<crate::call::Call>,
) -> Res<Duration> {
    let container = ctx.container()?;
    prepare(&container)?;
    let begin = std::time::Instant::now();
    call(&container)?.ok()?;
    let took = begin.elapsed();
    container.force_delete()?;
    Ok(took)
}

/// Whatever there is of a container, `list` and `state` agree on it, and `delete --force` removes it.
pub(super) fn recover(ctx: &Ctx, container: &Container<'_>) -> Res {
    ctx.runtime().arg("list").ok()?;
    let listed = ctx.runtime().args(["list", "-q"]).ok()?;
    let there = lines(&listed.out).contains(&container.id.as_str());
    let state = container.command("state", &[]).done()?;
    holds!(
        there == (state.code == 0),
        "list shows it: {there}, state gives {} and says `{}`",
        state.code,
        state.err.trim_end()
    );
    container.force_delete()?;
    container.gone()?;
    let own = std::process::id() as i32;
    ctx.eventually("its processes end", || procs::below(own).is_empty().then_some(()))
}

fn nothing(_: &Container<'_>) -> Res {
    Ok(())
}

fn killed_create(ctx: &Ctx) -> Res {
    killed(ctx, nothing, |container| container.create_call(&[]))
}

fn killed_run(ctx: &Ctx) -> Res {
    killed(ctx, nothing, |container| container.run_call(&["-d"]))
}

fn killed_start(ctx: &Ctx) -> Res {
    killed(
        ctx,
        |container| container.create().map(drop),
        |container| Ok(container.command("start", &[])),
    )
}

fn killed_delete(ctx: &Ctx) -> Res {
    killed(
        ctx,
        |container| container.create().map(drop),
        |container| Ok(container.command("delete", &["--force"])),
    )
}

/// A state cut off by whatever happened to the disk. Where its cgroup was is then forgotten.
fn broken_state_is_listed_and_deleted(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    let pid = container.pid()?;
    let dir = ctx.state_root().join(&container.id);
    let files = std::fs::read_dir(&dir).doing("state directory")?.flatten();
    for entry in files.filter(|each| each.path().extension().is_some_and(|name| name == "json")) {
        std::fs::write(entry.path(), "{\"cut").doing("write")?;
    }
    ctx.runtime().arg("list").ok()?;
    kill(Pid::from_raw(pid), Signal::SIGKILL).doing("kill init")?;
    container.force_delete()?;
    holds!(!dir.exists(), "{} is left", dir.display());
    for path in leaks::cgroups(&container.id) {
        ctx.eventually("its cgroup is empty", || std::fs::remove_dir(&path).ok())?;
    }
    Ok(())
}

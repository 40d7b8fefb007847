//! `pause` and `resume`, on whatever has a freezer of cgroup v2.

use std::thread::sleep;
use std::time::Duration;

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root, user};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

const FREEZER: &[Need] = &[Need::Freezer];

pub(crate) const FEATURE: Feature = Feature {
    name: "pause",
    cases: &[
        root!(paused_makes_no_progress).needs(FREEZER),
        root!(before_start)
            .needs(FREEZER)
            .only_runc("crun calls it created, and its start then waits"),
        root!(paused_is_listed).needs(FREEZER),
        root!(of_paused_refused).needs(FREEZER).only_runc("crun does it again"),
        root!(of_stopped_refused).needs(FREEZER).only_runc("crun 1.8 pauses it"),
        root!(resume_of_running_refused).needs(FREEZER).only_runc("crun lets it go on"),
        root!(resume_of_stopped_refused).needs(FREEZER).only_runc("crun 1.8 resumes it"),
        root!(of_unknown_refused).needs(FREEZER),
        root!(killed_while_paused).needs(FREEZER),
        root!(signals_wait_for_resume).needs(FREEZER),
        root!(delete_of_paused_wants_force).needs(FREEZER),
        root!(exec_waits_if_it_may).needs(FREEZER).only_runc("crun has no --ignore-paused"),
        root!(without_a_cgroup_by_wish_refused).ours("crun says less, runc has no such wish"),
        user!(without_a_cgroup_refused).ours("the peers leave the reason to the kernel"),
    ],
};

/// Prints a line again and again, from a process that is new every time.
fn ticker(ctx: &Ctx) -> Res<Container<'_>> {
    let line = "echo ready; while :; do /bin/echo tick; sleep 0.01; done";
    let container = ctx.container_of(&["/bin/sh", "-c", line])?;
    container.run_until("tick")?;
    Ok(container)
}

fn sleeper(ctx: &Ctx) -> Res<Container<'_>> {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    Ok(container)
}

fn pause(container: &Container<'_>) -> Res {
    container.command("pause", &[]).ok()?;
    same!(container.status()?, "paused");
    Ok(())
}

fn resume(container: &Container<'_>) -> Res {
    container.command("resume", &[]).ok().map(drop)
}

fn paused_makes_no_progress(ctx: &Ctx) -> Res {
    let container = ticker(ctx)?;
    for _round in 0..3 {
        pause(&container)?;
        let printed = container.output().len();
        sleep(Duration::from_millis(200));
        same!(container.output().len(), printed);
        resume(&container)?;
        same!(container.status()?, "running");
        let goes_on = || (container.output().len() > printed).then_some(());
        ctx.eventually("it prints again", goes_on)?;
    }
    Ok(())
}

fn before_start(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    pause(&container)?;
    container.command("start", &[]).done()?.refused(&["paused"])?;
    resume(&container)?;
    same!(container.status()?, "created");
    container.start()?;
    container.until_output("ready")
}

fn paused_is_listed(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    pause(&container)?;
    let list = ctx.runtime().args(["list", "--format", "json"]).ok()?.json()?;
    same!(list[0]["status"], "paused");
    Ok(())
}

fn of_paused_refused(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    pause(&container)?;
    container.command("pause", &[]).done()?.refused(&["container not running"])?;
    same!(container.status()?, "paused");
    Ok(())
}

fn of_stopped_refused(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    container.kill("KILL")?;
    container.until("stopped")?;
    container.command("pause", &[]).done()?.refused(&["container not running"])?;
    container.delete()?;
    container.gone()
}

fn resume_of_running_refused(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    container.command("resume", &[]).done()?.refused(&["container not paused"])?;
    same!(container.status()?, "running");
    Ok(())
}

fn resume_of_stopped_refused(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    container.kill("KILL")?;
    container.until("stopped")?;
    container.command("resume", &[]).done()?.refused(&["container not paused"])?;
    Ok(())
}

fn of_unknown_refused(ctx: &Ctx) -> Res {
    let id = ctx.id();
    for command in ["pause", "resume"] {
        ctx.runtime().args([command, &id]).done()?.refused(&["does not exist", "no such file"])?;
    }
    Ok(())
}

fn killed_while_paused(ctx: &Ctx) -> Res {
    for flags in [&[][..], &["--all"]] {
        let container = ticker(ctx)?;
        pause(&container)?;
        container.command("kill", flags).arg("KILL").ok()?;
        container.until("stopped")?;
        container.delete()?;
        container.gone()?;
    }
    Ok(())
}

fn signals_wait_for_resume(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    pause(&container)?;
    container.kill("TERM")?;
    sleep(Duration::from_millis(100));
    same!(container.status()?, "paused");
    resume(&container)?;
    container.until("stopped")
}

fn delete_of_paused_wants_force(ctx: &Ctx) -> Res {
    let container = ticker(ctx)?;
    pause(&container)?;
    container.command("delete", &[]).done()?.failed()?;
    same!(container.status()?, "paused");
    container.force_delete()?;
    container.gone()
}

fn exec_waits_if_it_may(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    pause(&container)?;
    container.exec(&[], &["/bin/echo", "ran"])?.refused(&["paused"])?.prints("")?;
    let mut waiting = container.exec_call(&["--ignore-paused"], &["/bin/echo", "ran"]).spawn()?;
    sleep(Duration::from_millis(300));
    holds!(!waiting.ended(), "it ran in a paused container: {}", waiting.out_now());
    resume(&container)?;
    waiting.wait()?.is(0)?.prints("ran")?;
    Ok(())
}

fn without_a_cgroup_by_wish_refused(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.save()?;
    let call = ctx.runtime().args(["--cgroup-manager", "disabled", "run", "--detach", "--bundle"]);
    call.arg(&container.bundle).arg(&container.id).ok()?;
    needs_a_cgroup(&container)
}

/// An ordinary user who was given no cgroup cannot freeze anything; with one they can.
fn without_a_cgroup_refused(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    let own = std::fs::read_to_string("/proc/self/cgroup").doing("own cgroup")?;
    let its = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid()?));
    if own != its.doing("its cgroup")? {
        pause(&container)?;
        return resume(&container);
    }
    needs_a_cgroup(&container)
}

fn needs_a_cgroup(container: &Container<'_>) -> Res {
    for (command, flags) in [("pause", &[][..]), ("update", &["--pids-limit=5"])] {
        container.command(command, flags).done()?.refused(&["it has no cgroup of its own"])?;
    }
    container.command("resume", &[]).done()?.refused(&["container not paused"])?;
    same!(container.status()?, "running");
    Ok(())
}

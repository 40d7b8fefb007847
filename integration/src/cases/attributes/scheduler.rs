//! `process.scheduler`: every policy, with its numbers and flags.

use serde_json::{Value, json};

use super::{NO_FIELD, RACY, exec_report, running};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::result::{Res, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "attributes.scheduler",
    cases: &[
        either!(nice),
        either!(batch),
        either!(idle),
        either!(is_there_at_start),
        root!(fifo).needs(&[Need::Realtime]),
        root!(round_robin).needs(&[Need::Realtime]),
        root!(kept_priority).needs(&[Need::Realtime]),
        root!(nothing_to_keep_is_named).ours(NO_FIELD),
        root!(deadline),
        root!(in_a_user_namespace).only_crun("runc sets it with too few rights"),
        either!(of_exec).only_runc(RACY),
        root!(of_exec_in_a_user_namespace)
            .ours("runc sets it with too few rights, crun when the program may run already"),
        either!(of_the_container_for_exec).only_runc("crun gives it to the first process alone"),
        either!(that_the_kernel_refuses_is_named).ours(NO_FIELD),
        either!(bad_refused).ours(NO_FIELD),
    ],
};

/// Of sched(7), as sched_getattr(2) gives them.
const OTHER: i64 = 0;
const FIFO: i64 = 1;
const ROUND_ROBIN: i64 = 2;
const BATCH: i64 = 3;
const IDLE: i64 = 5;
const DEADLINE: i64 = 6;

/// What the process of a container finds that has this scheduler: policy, flags, nice value, priority,
/// runtime, deadline, period.
fn scheduled(ctx: &Ctx, scheduler: Value) -> Res<Value> {
    let mut container = ctx.container()?;
    allow_realtime(&mut container);
    container.set("/process/scheduler", scheduler);
    Ok(container.report()?["scheduler"].clone())
}

/// What all policies have: Linux 6.12 and later give a time slice for a runtime, too.
fn head(scheduled: &Value) -> Vec<i64> {
    scheduled.as_array().into_iter().flatten().take(4).filter_map(Value::as_i64).collect()
}

/// cgroup v1 shares out realtime, and gives none to who asks for none.
fn allow_realtime(container: &mut Container<'_>) {
    if container.ctx.is_root()
        && std::path::Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists()
    {
        container
            .set("/linux/resources/cpu/realtimeRuntime", 1000)
            .set("/linux/resources/cpu/realtimePeriod", 1_000_000);
    }
}

fn nice(ctx: &Ctx) -> Res {
    let got = scheduled(ctx, json!({"policy": "SCHED_OTHER", "nice": 7}))?;
    same!(head(&got), [OTHER, 0, 7, 0]);
    Ok(())
}

fn batch(ctx: &Ctx) -> Res {
    let got = scheduled(ctx, json!({"policy": "SCHED_BATCH", "nice": 3}))?;
    same!(head(&got), [BATCH, 0, 3, 0]);
    Ok(())
}

fn idle(ctx: &Ctx) -> Res {
    same!(scheduled(ctx, json!({"policy": "SCHED_IDLE"}))?[0], IDLE);
    Ok(())
}

fn is_there_at_start(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "report"])?;
    container.set("/process/scheduler", json!({"policy": "SCHED_BATCH", "nice": 4}));
    container.create()?;
    container.start()?;
    container.until("stopped")?;
    let report: Value =
        serde_json::from_str(&container.output()).map_err(|error| error.to_string())?;
    same!(report["scheduler"][0], BATCH);
    same!(report["scheduler"][2], 4);
    Ok(())
}

fn fifo(ctx: &Ctx) -> Res {
    let got = scheduled(
        ctx,
        json!({"policy": "SCHED_FIFO", "priority": 10, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}),
    )?;
    same!(got, json!([FIFO, 1, 0, 10, 0, 0, 0]));
    Ok(())
}

fn round_robin(ctx: &Ctx) -> Res {
    let got = scheduled(ctx, json!({"policy": "SCHED_RR", "priority": 5}))?;
    same!(head(&got), [ROUND_ROBIN, 0, 0, 5]);
    Ok(())
}

/// No priority need be given to keep that of the caller.
fn kept_priority(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "report"])?;
    allow_realtime(&mut container);
    let flags = json!(["SCHED_FLAG_KEEP_PARAMS"]);
    container.set("/process/scheduler", json!({"policy": "SCHED_FIFO", "flags": flags}));
    let run = container.run_call(&[])?.through(&["/usr/bin/chrt", "--fifo", "7"]);
    same!(head(&run.ok()?.json()?["scheduler"]), [FIFO, 0, 0, 7]);
    Ok(())
}

fn nothing_to_keep_is_named(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    allow_realtime(&mut container);
    let flags = json!(["SCHED_FLAG_KEEP_PARAMS"]);
    container.set("/process/scheduler", json!({"policy": "SCHED_FIFO", "flags": flags}));
    container
        .run()?
        .refused(&["process.scheduler", "SCHED_FLAG_KEEP_PARAMS keeps the caller's"])?;
    container.gone()
}

fn deadline(ctx: &Ctx) -> Res {
    let got = scheduled(
        ctx,
        json!({"policy": "SCHED_DEADLINE", "runtime": 10_000_000, "deadline": 20_000_000, "period": 40_000_000,
            "flags": ["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"]}),
    )?;
    same!(got, json!([DEADLINE, 6, 0, 0, 10_000_000, 20_000_000, 40_000_000]));
    Ok(())
}

/// Only capabilities of the first user namespace count, and the container's process has none of those.
fn in_a_user_namespace(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.map_ids(100_000, 65536);
    container.set("/process/scheduler", json!({"policy": "SCHED_OTHER", "nice": -5}));
    same!(container.report()?["scheduler"][2], -5);
    Ok(())
}

fn of_exec_in_a_user_namespace(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.map_ids(100_000, 65536);
    container.run_until("ready")?;
    let report =
        exec_report(&container, json!({"scheduler": {"policy": "SCHED_OTHER", "nice": -7}}))?;
    same!(report["scheduler"][2], -7);
    Ok(())
}

fn of_exec(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let report =
        exec_report(&container, json!({"scheduler": {"policy": "SCHED_BATCH", "nice": 2}}))?;
    same!(report["scheduler"][0], BATCH);
    same!(report["scheduler"][2], 2);
    same!(exec_report(&container, json!({}))?["scheduler"][0], OTHER);
    Ok(())
}

/// A command alone is run as the container's own process is.
fn of_the_container_for_exec(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/process/scheduler", json!({"policy": "SCHED_BATCH", "nice": 6}));
    container.run_until("ready")?;
    let report: Value = container.exec(&[], &["/bin/probe", "report"])?.is(0)?.json()?;
    same!(report["scheduler"][0], BATCH);
    same!(report["scheduler"][2], 6);
    Ok(())
}

/// Times shorter than any sysctl allows; an ordinary user is refused the policy as such.
fn that_the_kernel_refuses_is_named(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set(
        "/process/scheduler",
        json!({"policy": "SCHED_DEADLINE",
        "runtime": 1024, "deadline": 1024, "period": 1024}),
    );
    container.run()?.refused(&["process.scheduler"])?;
    container.gone()
}

fn bad_refused(ctx: &Ctx) -> Res {
    for (scheduler, field) in [
        (json!({"policy": "SCHED_FAIR"}), "process.scheduler.policy"),
        (json!({"policy": "SCHED_ISO"}), "process.scheduler.policy"),
        (json!({"policy": "SCHED_OTHER", "priority": 5}), "process.scheduler.priority"),
        (json!({"policy": "SCHED_FIFO"}), "process.scheduler.priority"),
        (json!({"policy": "SCHED_DEADLINE", "deadline": 5}), "process.scheduler.runtime"),
        (json!({"policy": "SCHED_BATCH", "runtime": 5000}), "process.scheduler.runtime"),
        (json!({"policy": "SCHED_OTHER", "nice": 20}), "process.scheduler.nice"),
        (json!({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_X"]}), "process.scheduler.flags[0]"),
    ] {
        let mut container = ctx.container()?;
        container.set("/process/scheduler", scheduler);
        container.run()?.refused(&[field])?;
        container.gone()?;
    }
    Ok(())
}

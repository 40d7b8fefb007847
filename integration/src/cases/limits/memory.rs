//! Memory and swap.

use serde_json::{Value, json};

use super::{Files, THEN_WAIT, count, limit, running};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Res, same};

const MEMORY: &[Need] = &[Need::Controller("memory")];
const SWAP: &[Need] = &[Need::Controller("memory"), Need::Swap];

pub(crate) const FEATURE: Feature = Feature {
    name: "limits.memory",
    cases: &[
        root!(oom_kill_is_counted).needs(MEMORY),
        root!(oom_group_kills_all).needs(&[Need::Cgroup2]),
        root!(less_than_the_limit_is_left_alone).needs(MEMORY),
        root!(swap_beyond_its_limit_kills).needs(SWAP),
        root!(swap_within_its_limit_is_had).needs(SWAP),
    ],
};

/// What the kernel says of out of memory.
const EVENTS: Files = Files { v2: "memory.events", v1: "memory.oom_control" };

/// Limits in MiB, of which `both` is of memory and swap together.
fn memory(limit: u64, both: u64) -> Value {
    json!({"memory": {"limit": limit << 20, "swap": both << 20}})
}

/// The killed one is not the first process: the container lives on, and its count can be read.
fn oom_kill_is_counted(ctx: &Ctx) -> Res {
    let line = format!("/bin/probe eat 200; echo status $?{THEN_WAIT}");
    let container = running(ctx, memory(32, 32), &["/bin/sh", "-c", &line])?;
    same!(container.output(), "status 137\nready\n");
    same!(count(&container, "memory", EVENTS, "oom_kill")?, 1);
    Ok(())
}

fn oom_group_kills_all(ctx: &Ctx) -> Res {
    let mut container =
        ctx.container_of(&["/bin/sh", "-c", "/bin/probe eat 200; echo lives on"])?;
    limit(&mut container, memory(32, 32));
    limit(&mut container, json!({"unified": {"memory.oom.group": "1"}}));
    container.run()?.is(137)?.prints("")?;
    Ok(())
}

fn less_than_the_limit_is_left_alone(ctx: &Ctx) -> Res {
    let line = format!("/bin/probe eat 16{THEN_WAIT}");
    let container = running(ctx, memory(32, 32), &["/bin/sh", "-c", &line])?;
    same!(container.output(), "ate\nready\n");
    same!(count(&container, "memory", EVENTS, "oom_kill")?, 0);
    Ok(())
}

fn swap_beyond_its_limit_kills(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "eat", "64"])?;
    limit(&mut container, memory(32, 48));
    container.run()?.is(137)?.prints("")?;
    Ok(())
}

fn swap_within_its_limit_is_had(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "eat", "64"])?;
    limit(&mut container, memory(32, 96));
    container.run()?.is(0)?.prints("ate")?;
    Ok(())
}

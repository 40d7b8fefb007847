//! The number of processes.

use serde_json::json;

use super::{Files, THEN_WAIT, count, running};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::lines;

const PIDS: &[Need] = &[Need::Controller("pids")];

pub(crate) const FEATURE: Feature = Feature {
    name: "limits.pids",
    cases: &[
        root!(fork_beyond_is_refused_and_counted).needs(PIDS),
        root!(forks_up_to_it_are_had).needs(PIDS),
        root!(exec_counts_too).needs(PIDS),
    ],
};

const EVENTS: Files = Files { v2: "pids.events", v1: "pids.events" };

fn fork_beyond_is_refused_and_counted(ctx: &Ctx) -> Res {
    let line = format!("/bin/probe fork 20{THEN_WAIT}");
    let limits = json!({"pids": {"limit": 8}});
    let container = running(ctx, limits, &["/bin/sh", "-c", &line])?;
    let output = container.output();
    let started: u64 = lines(&output).first().doing("a number")?.parse().doing(&output)?;
    // The shell, the probe and the thread that the runtime may still have there.
    holds!((5..8).contains(&started), "{started} children started");
    holds!(count(&container, "pids", EVENTS, "max")? > 0, "no refusal is counted");
    Ok(())
}

fn forks_up_to_it_are_had(ctx: &Ctx) -> Res {
    let line = format!("/bin/probe fork 20{THEN_WAIT}");
    let limits = json!({"pids": {"limit": 30}});
    let container = running(ctx, limits, &["/bin/sh", "-c", &line])?;
    same!(container.output(), "20\nready\n");
    same!(count(&container, "pids", EVENTS, "max")?, 0);
    Ok(())
}

fn exec_counts_too(ctx: &Ctx) -> Res {
    let limits = json!({"pids": {"limit": 30}});
    let container = running(ctx, limits, &["/bin/probe", "until-term"])?;
    let out = container.exec(&[], &["/bin/probe", "fork", "60"])?.is(0)?;
    let started: u64 = out.text().parse().doing("number of children")?;
    holds!((20..30).contains(&started), "{started} children started");
    Ok(())
}

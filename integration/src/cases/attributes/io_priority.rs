//! `process.ioPriority`.

use serde_json::json;

use super::{NO_FIELD, RACY, exec_report, running};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::result::{Res, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "attributes.io_priority",
    cases: &[
        either!(best_effort),
        either!(idle),
        root!(realtime),
        root!(realtime_in_a_user_namespace).only_crun("runc sets it with too few rights"),
        either!(of_exec).only_runc(RACY),
        either!(bad_refused).ours(NO_FIELD),
    ],
};

fn best_effort(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 6}));
    same!(container.report()?["io_priority"], json!([2, 6]));
    Ok(())
}

/// The specification's own example has a priority in it.
fn idle(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_IDLE", "priority": 4}));
    same!(container.report()?["io_priority"][0], 3);
    Ok(())
}

/// Class and level, as ioprio_get(2) gives them.
const REALTIME_3: [i64; 2] = [1, 3];

fn realtime(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_RT", "priority": 3}));
    same!(container.report()?["io_priority"], json!(REALTIME_3));
    Ok(())
}

fn realtime_in_a_user_namespace(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.map_ids(100_000, 65536);
    container.set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_RT", "priority": 3}));
    same!(container.report()?["io_priority"], json!(REALTIME_3));
    Ok(())
}

fn of_exec(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let fields = json!({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 7}});
    same!(exec_report(&container, fields)?["io_priority"], json!([2, 7]));
    Ok(())
}

fn bad_refused(ctx: &Ctx) -> Res {
    for (priority, field) in [
        (json!({"class": "IOPRIO_CLASS_BE", "priority": 8}), "process.ioPriority.priority"),
        (json!({"class": "IOPRIO_CLASS_BE", "priority": -1}), "process.ioPriority.priority"),
        (json!({"class": "IOPRIO_CLASS_X", "priority": 1}), "process.ioPriority.class"),
    ] {
        let mut container = ctx.container()?;
        container.set("/process/ioPriority", priority);
        container.run()?.refused(&[field])?;
        container.gone()?;
    }
    Ok(())
}

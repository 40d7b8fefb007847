//! What happens to a container in a scope.

use std::fs;

use serde_json::json;

use super::{
    SYSTEMD, cgroup_of, property, running, scope_is_gone, sleeper, systemctl, unit, value,
};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "systemd.life",
    cases: &[
        either!(exec_is_in_the_scope).needs(SYSTEMD),
        either!(exec_with_an_affinity_is_in_the_scope).needs(SYSTEMD),
        either!(pause_freezes_the_scope).needs(SYSTEMD),
        either!(stop_of_the_scope_ends_the_container).needs(SYSTEMD),
    ],
};

/// Also from a login, where a process may not go into the scope on its own: that is the harness's place
/// then. The peers cannot: runc's process stays in the session, crun refuses.
fn exec_is_in_the_scope(ctx: &Ctx) -> Res {
    is_in_the_scope(ctx, &running(ctx)?)
}

/// It is not born there, but walks or is let in.
fn exec_with_an_affinity_is_in_the_scope(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    container.set("/process/execCPUAffinity", json!({"initial": "0"}));
    container.run_until("ready")?;
    is_in_the_scope(ctx, &container)
}

fn is_in_the_scope(ctx: &Ctx, container: &Container<'_>) -> Res {
    let file = ctx.dir.join("pid");
    let flags = ["--detach", "--pid-file", &file.to_string_lossy()];
    container.exec(&flags, &["/bin/sleep", "100"])?.is(0)?;
    let pid = fs::read_to_string(file).doing("pid file")?.parse().doing("pid file")?;
    let group = property(ctx, &unit(container), "ControlGroup")?;
    let own = cgroup_of(pid)?;
    holds!(own.starts_with(&group), "the process is in {own}, the scope is {group}");
    Ok(())
}

fn pause_freezes_the_scope(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container.command("pause", &[]).ok()?;
    same!(container.status()?, "paused");
    same!(value(&container, "cgroup.freeze")?, "1");
    container.command("resume", &[]).ok()?;
    same!(container.status()?, "running");
    Ok(())
}

fn stop_of_the_scope_ends_the_container(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    systemctl(ctx, "stop").arg(unit(&container)).ok()?;
    container.until("stopped")?;
    container.delete()?;
    scope_is_gone(&container)
}

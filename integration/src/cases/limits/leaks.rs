//! No cgroup is left, in whatever state its container was.

use std::fs;

use crate::cgroups;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::{needs, procs};
use crate::result::{Doing, Res, holds};

const ROUNDS: u32 = 1000;

pub(crate) const FEATURE: Feature = Feature {
    name: "limits.leaks",
    cases: &[
        root!(a_thousand_rounds_leave_nothing).takes(600).ours("it takes them minutes"),
        root!(stopped_in_shared_pid_namespace),
        root!(running_in_shared_pid_namespace)
            .only_crun("runc 1.1 mostly gives up the cgroup before the processes are gone"),
        root!(cgroups_below_it),
    ],
};

fn a_thousand_rounds_leave_nothing(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.save()?;
    for round in 0..if needs::is_slow() { ROUNDS / 5 } else { ROUNDS } {
        container.create().map_err(|reason| format!("round {round}: {reason}"))?;
        container.force_delete().map_err(|reason| format!("round {round}: {reason}"))?;
    }
    container.gone()
}

/// Of processes that nothing but their cgroup holds together.
fn sharing<'a>(ctx: &'a Ctx, line: &str) -> Res<Container<'a>> {
    let mut container = ctx.container_of(&["/bin/sh", "-c", line])?;
    container.drop_namespace("pid");
    container.run_until("ready")?;
    Ok(container)
}

fn deleted(container: &Container<'_>) -> Res {
    container.force_delete()?;
    container.gone()?;
    let left = procs::below(std::process::id() as i32);
    holds!(left.is_empty(), "{} processes are left", left.len());
    Ok(())
}

fn stopped_in_shared_pid_namespace(ctx: &Ctx) -> Res {
    let container = sharing(ctx, "setsid /bin/probe ignore-term & sleep 0.3")?;
    container.until("stopped")?;
    deleted(&container)
}

fn running_in_shared_pid_namespace(ctx: &Ctx) -> Res {
    let line =
        "for each in 1 2 3; do setsid /bin/probe ignore-term & done; exec /bin/probe ignore-term";
    deleted(&sharing(ctx, line)?)
}

/// As a container makes them that has its own cgroup to write to.
fn cgroups_below_it(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    for place in cgroups::places(container.pid()?)? {
        if place.dir.to_string_lossy().contains(&container.id) {
            fs::create_dir_all(place.dir.join("below/deeper")).doing("make cgroups below")?;
        }
    }
    deleted(&container)
}

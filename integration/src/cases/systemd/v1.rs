//! Scopes on a host whose controllers are on cgroup v1, hybrid or not: systemd has some of its
//! hierarchies, and the container has a directory of the same name in all of them.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{property, scope_is_gone, sleeper, systemctl, unit};
use crate::cgroups;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

const SYSTEMD_V1: &[Need] = &[Need::SystemdV1];

pub(crate) const FEATURE: Feature = Feature {
    name: "systemd.v1",
    cases: &[
        root!(limits_are_in_every_hierarchy)
            .needs(SYSTEMD_V1)
            .ours("crun refuses v1; runc 1.1 has no freezer there"),
        root!(update_outlives_a_reload).needs(SYSTEMD_V1).ours("as above"),
        root!(paused_and_deleted).needs(SYSTEMD_V1).ours("as above"),
    ],
};

fn limited(ctx: &Ctx) -> Res<Container<'_>> {
    let mut container = sleeper(ctx)?;
    let limits = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 20}});
    container.set("/linux/resources", limits);
    container.run_until("ready")?;
    Ok(container)
}

fn value(container: &Container<'_>, controller: &str, file: &str) -> Res<String> {
    let path = cgroups::place_of(container.pid()?, controller)?.dir.join(file);
    Ok(fs::read_to_string(&path).doing(&path.to_string_lossy())?.trim_end().to_string())
}

fn limits_are_in_every_hierarchy(ctx: &Ctx) -> Res {
    let container = limited(ctx)?;
    let scope = format!("system.slice/{}", unit(&container));
    for place in cgroups::places(container.pid()?)? {
        holds!(place.dir.ends_with(&scope), "it is in {}", place.dir.display());
    }
    same!(value(&container, "memory", "memory.limit_in_bytes")?, (64 << 20).to_string());
    same!(value(&container, "pids", "pids.max")?, "20");
    same!(property(ctx, &unit(&container), "TasksMax")?, "20");
    Ok(())
}

fn update_outlives_a_reload(ctx: &Ctx) -> Res {
    let container = limited(ctx)?;
    container.command("update", &["--memory", "80m", "--pids-limit", "30"]).ok()?;
    systemctl(ctx, "daemon-reload").ok()?;
    systemctl(ctx, "set-property")
        .args(["--runtime", &unit(&container), "CPUAccounting=yes"])
        .ok()?;
    same!(value(&container, "memory", "memory.limit_in_bytes")?, (80 << 20).to_string());
    same!(value(&container, "pids", "pids.max")?, "30");
    Ok(())
}

fn paused_and_deleted(ctx: &Ctx) -> Res {
    let container = limited(ctx)?;
    let places = cgroups::places(container.pid()?)?;
    container.command("pause", &[]).ok()?;
    same!(container.status()?, "paused");
    container.force_delete()?;
    for place in places {
        let left = Path::new(&place.dir).exists();
        holds!(!left, "{} is left", place.dir.display());
    }
    scope_is_gone(&container)
}

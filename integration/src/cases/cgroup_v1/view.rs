//! What a container sees at `/sys/fs/cgroup`: its own cgroup in every hierarchy, and nothing else.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{CGROUP_V1, container_of, dir, hierarchies, running, sleeper};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::result::{Doing, Res, holds, same};
use crate::text::lines;

pub(crate) const FEATURE: Feature = Feature {
    name: "cgroup_v1.view",
    cases: &[
        root!(own_limits_as_a_namespace).needs(CGROUP_V1),
        root!(own_limits_without_a_namespace).needs(CGROUP_V1),
        root!(own_limits_in_a_user_namespace).needs(CGROUP_V1),
        root!(every_hierarchy_by_each_name).needs(CGROUP_V1),
        root!(v2_beside_them).needs(CGROUP_V1).ours("runc shows v1 alone"),
        root!(others_are_not_there).needs(CGROUP_V1),
        root!(read_only_if_asked).needs(CGROUP_V1),
        root!(nothing_is_made_beside_them).needs(CGROUP_V1).ours("runc leaves the tmpfs writable"),
        root!(writable_if_asked).needs(CGROUP_V1),
        root!(a_joined_namespace_shows_no_others)
            .needs(CGROUP_V1)
            .ours("runc mounts what the namespace has as its root, here the host's"),
        root!(nothing_reaches_the_host).needs(CGROUP_V1),
    ],
};

const LIMIT: u64 = 64 << 20;
const READ_ONLY: &[&str] = &["nosuid", "noexec", "nodev", "relatime", "ro"];
const WRITABLE: &[&str] = &["nosuid", "noexec", "nodev", "relatime"];

/// With a cgroup namespace of its own, or in the host's; `/sys/fs/cgroup` with these options.
fn viewer<'a>(ctx: &'a Ctx, line: &str, own: bool, options: &[&str]) -> Res<Container<'a>> {
    let mut container = container_of(ctx, &["/bin/sh", "-c", line])?;
    container.mount("/sys/fs/cgroup", "cgroup", "cgroup", options);
    container.set("/linux/resources", json!({"memory": {"limit": LIMIT}})).all_capabilities();
    if own {
        container.namespace("cgroup", None);
    }
    Ok(container)
}

fn printed(ctx: &Ctx, line: &str, own: bool, options: &[&str]) -> Res<String> {
    Ok(viewer(ctx, line, own, options)?.run()?.is(0)?.text().to_string())
}

const OWN_LIMIT: &str = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes";

fn own_limits_as_a_namespace(ctx: &Ctx) -> Res {
    same!(printed(ctx, OWN_LIMIT, true, READ_ONLY)?, LIMIT.to_string());
    let table = printed(ctx, "cat /proc/self/cgroup", true, READ_ONLY)?;
    holds!(lines(&table).iter().all(|line| line.ends_with(":/")), "its cgroups are {table}");
    Ok(())
}

fn own_limits_without_a_namespace(ctx: &Ctx) -> Res {
    same!(printed(ctx, OWN_LIMIT, false, READ_ONLY)?, LIMIT.to_string());
    let table = printed(ctx, "cat /proc/self/cgroup", false, READ_ONLY)?;
    holds!(table.contains(":memory:/skep-it-"), "its cgroups are {table}");
    Ok(())
}

fn own_limits_in_a_user_namespace(ctx: &Ctx) -> Res {
    for own in [true, false] {
        let mut container = viewer(ctx, OWN_LIMIT, own, READ_ONLY)?;
        container.map_ids(100_000, 65_536);
        container.run()?.is(0)?.prints(&LIMIT.to_string())?;
    }
    Ok(())
}

/// `cpu` and `cpuacct` are there even where they share a hierarchy.
fn every_hierarchy_by_each_name(ctx: &Ctx) -> Res {
    let all = hierarchies(std::process::id() as i32)?;
    holds!(!all.is_empty(), "no hierarchy here");
    let names: Vec<&str> = all.iter().flat_map(|(name, _)| name.split(',')).collect();
    for own in [true, false] {
        for name in &names {
            let name = name.strip_prefix("name=").unwrap_or(name);
            let line = format!("wc -l < /sys/fs/cgroup/{name}/cgroup.procs");
            holds!(printed(ctx, &line, own, READ_ONLY)? != "0", "nobody is in {name}");
        }
    }
    Ok(())
}

fn v2_beside_them(ctx: &Ctx) -> Res {
    let here = Path::new("/sys/fs/cgroup/unified/cgroup.procs").exists();
    for own in [true, false] {
        // The root of the hierarchy has no such file.
        let line = "head -n 1 /sys/fs/cgroup/unified/cgroup.events 2>/dev/null; true";
        same!(printed(ctx, line, own, READ_ONLY)?, if here { "populated 1" } else { "" });
    }
    Ok(())
}

fn others_are_not_there(ctx: &Ctx) -> Res {
    let _other = running(ctx, json!({}))?;
    for own in [true, false] {
        let line = "find /sys/fs/cgroup -name 'skep*'; echo looked";
        same!(printed(ctx, line, own, READ_ONLY)?, "looked");
    }
    Ok(())
}

/// CVE-2023-25809.
fn read_only_if_asked(ctx: &Ctx) -> Res {
    let line = "cd /sys/fs/cgroup; for dir in *; do mkdir $dir/made && echo $dir; done; \
        echo 0 > memory/cgroup.procs && echo moved; echo tried";
    for own in [true, false] {
        let out = viewer(ctx, line, own, READ_ONLY)?.run()?.is(0)?;
        same!(out.text(), "tried");
        let refused = out.err.matches("Read-only file system").count();
        holds!(refused > 5, "only {refused} refused: {}", out.err);
    }
    Ok(())
}

fn nothing_is_made_beside_them(ctx: &Ctx) -> Res {
    for own in [true, false] {
        let line = "mkdir /sys/fs/cgroup/made 2>&1 || echo refused";
        holds!(printed(ctx, line, own, READ_ONLY)?.contains("Read-only"), "made");
    }
    Ok(())
}

fn writable_if_asked(ctx: &Ctx) -> Res {
    let line = "mkdir /sys/fs/cgroup/memory/sub && echo made; exec probe until-term";
    for own in [true, false] {
        let container = viewer(ctx, line, own, WRITABLE)?;
        container.run_until("ready")?;
        holds!(container.output().contains("made"), "printed {}", container.output());
        let dir = dir(&container, "memory")?;
        holds!(dir.join("sub/cgroup.procs").exists(), "no sub in {}", dir.display());
        container.force_delete()?;
        holds!(!dir.exists(), "{} is left", dir.display());
    }
    Ok(())
}

/// Here the host's own.
fn a_joined_namespace_shows_no_others(ctx: &Ctx) -> Res {
    let _other = running(ctx, json!({}))?;
    let line = format!("find /sys/fs/cgroup -name 'skep*'; {OWN_LIMIT}");
    let mut container = viewer(ctx, &line, false, READ_ONLY)?;
    container.namespace("cgroup", Some("/proc/self/ns/cgroup"));
    container.run()?.is(0)?.prints(&LIMIT.to_string())?;
    Ok(())
}

fn nothing_reaches_the_host(ctx: &Ctx) -> Res {
    let mounts = || fs::read_to_string("/proc/self/mountinfo").doing("the mounts");
    for own in [true, false] {
        let before = mounts()?;
        let mut container = sleeper(ctx)?;
        container.mount("/sys/fs/cgroup", "cgroup", "cgroup", READ_ONLY);
        if own {
            container.namespace("cgroup", None);
        }
        container.run_until("ready")?;
        same!(mounts()?, before);
    }
    Ok(())
}

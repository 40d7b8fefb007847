//! Containers that make cgroups of their own: what they own, and entering them afterwards.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::{cgroup::dir, of_two};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

const CGROUP2: &[Need] = &[Need::Cgroup2];

pub(crate) const FEATURE: Feature = Feature {
    name: "delegation",
    cases: &[
        root!(given_to_who_may_write).needs(CGROUP2).only_crun("runc does so with systemd alone"),
        root!(not_given_read_only).needs(CGROUP2).only_runc("crun gives it always"),
        root!(not_given_without_a_namespace).needs(CGROUP2).only_runc("as above"),
        root!(a_container_makes_cgroups_of_its_own)
            .needs(CGROUP2)
            .only_crun("runc does so with systemd alone"),
        root!(exec_follows_into_its_own_cgroup).needs(CGROUP2),
        root!(exec_with_an_affinity_follows_too).needs(CGROUP2),
        root!(exec_above_its_own_cgroups_is_explained).needs(CGROUP2).ours("the words are ours"),
        root!(kill_ends_all_in_a_shared_pid_namespace)
            .needs(CGROUP2)
            .ours("Debian's runc and crun are older"),
    ],
};

/// The first id of the host that is mapped.
const FIRST: u32 = 700_000;

fn with_cgroups<'a>(ctx: &'a Ctx, option: &str) -> Res<Container<'a>> {
    let mut container = ctx.sleeper()?;
    container.map_ids(FIRST, 1000).namespace("cgroup", None);
    container.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", option]);
    Ok(container)
}

fn owner(container: &Container<'_>, file: &str) -> Res<u32> {
    Ok(fs::metadata(dir(container)?.join(file)).doing(file)?.uid())
}

fn given_to_who_may_write(ctx: &Ctx) -> Res {
    let container = with_cgroups(ctx, "rw")?;
    container.run_until("ready")?;
    for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        holds!(owner(&container, file)? == FIRST, "{file} is not given");
    }
    for file in ["memory.max", "pids.max", "cgroup.freeze"] {
        holds!(owner(&container, file)? == 0, "{file} is given");
    }
    Ok(())
}

fn not_given_read_only(ctx: &Ctx) -> Res {
    let container = with_cgroups(ctx, "ro")?;
    container.run_until("ready")?;
    same!(owner(&container, "")?, 0);
    Ok(())
}

fn not_given_without_a_namespace(ctx: &Ctx) -> Res {
    let mut container = with_cgroups(ctx, "rw")?;
    container.drop_namespace("cgroup");
    container.run_until("ready")?;
    same!(owner(&container, "")?, 0);
    Ok(())
}

/// Moves out of the way and passes a controller on, as a system's first process does.
const BECOME_SYSTEM: &str = "cd /sys/fs/cgroup && mkdir inner && echo 0 >inner/cgroup.procs && \
    echo +pids >cgroup.subtree_control && mkdir other && cat other/cgroup.controllers && ";

fn a_container_makes_cgroups_of_its_own(ctx: &Ctx) -> Res {
    let mut container = with_cgroups(ctx, "rw")?;
    container.sh(&format!("{BECOME_SYSTEM} echo 5 >other/pids.max && cat other/pids.max"));
    container.run()?.is(0)?.prints("pids\n5")?;
    container.gone()
}

/// A container that has moved into a cgroup of its own: the one that it was given cannot hold
/// processes any more.
fn become_system(ctx: &Ctx) -> Res<Container<'_>> {
    let mut container = ctx.sleeper()?;
    container.namespace("cgroup", None);
    container.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "rw"]);
    container.sh(&format!("{BECOME_SYSTEM} exec /bin/probe until-term"));
    Ok(container)
}

fn follows(container: &Container<'_>) -> Res {
    container.run_until("ready")?;
    let out = container.exec(&[], &["/bin/cat", "/proc/self/cgroup"])?.is(0)?;
    holds!(out.text().ends_with("::/inner"), "it is in {}", out.text());
    container.force_delete()?;
    container.gone()
}

fn exec_follows_into_its_own_cgroup(ctx: &Ctx) -> Res {
    follows(&become_system(ctx)?)
}

/// It walks in rather than being born there.
fn exec_with_an_affinity_follows_too(ctx: &Ctx) -> Res {
    let mut container = become_system(ctx)?;
    container.set("/process/execCPUAffinity", json!({"initial": "0"}));
    follows(&container)
}

fn exec_above_its_own_cgroups_is_explained(ctx: &Ctx) -> Res {
    let container = become_system(ctx)?;
    container.run_until("ready")?;
    let out = container.exec(&["--cgroup", "/"], &["/bin/true"])?.failed()?;
    out.says_one_of(&["cgroup /: it gives controllers to cgroups below it"])?;
    Ok(())
}

fn kill_ends_all_in_a_shared_pid_namespace(ctx: &Ctx) -> Res {
    let mut container = of_two(ctx)?;
    container.drop_namespace("pid");
    container.run_until("ready")?;
    let dir = dir(&container)?;
    container.kill("KILL")?.is(0)?;
    container.until("stopped")?;
    ctx.eventually("all end", || {
        fs::read_to_string(dir.join("cgroup.procs")).is_ok_and(|pids| pids.is_empty()).then_some(())
    })
}

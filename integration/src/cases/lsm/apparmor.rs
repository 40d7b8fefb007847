//! Profiles of AppArmor. Those that the guest has are in guest/lsm/apparmor.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{fake_procfs, label_of, label_of_running, labelled_or_refused};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "lsm.apparmor",
    cases: &[
        either!(profile).needs(HERE),
        either!(holds_from_create_to_end).needs(HERE),
        either!(holds_with_more_privileges_to_come).needs(HERE),
        either!(with_a_filter).needs(HERE),
        root!(in_a_user_namespace).needs(HERE),
        either!(nothing_needs_to_be_executable).needs(HERE),
        either!(unconfined).needs(HERE),
        either!(missing_is_refused).needs(HERE),
        either!(missing_is_refused_by_create).needs(HERE),
        either!(exec_is_in_the_containers).needs(HERE),
        either!(exec_in_another).needs(HERE),
        either!(exec_of_a_process_file).needs(HERE),
        either!(exec_in_missing_is_refused).needs(HERE),
        either!(exec_is_not_traced_before_its_profile).needs(&[Need::AppArmor, Need::Ptrace]),
        either!(procfs_is_a_volume).needs(HERE),
        either!(attributes_lead_elsewhere).needs(HERE),
    ],
};

const HERE: &[Need] = &[Need::AppArmor];
const STRAW: &str = "straw (enforce)";

fn confined<'a>(ctx: &'a Ctx, profile: &str) -> Res<Container<'a>> {
    let mut container = ctx.sleeper()?;
    container.set("/process/apparmorProfile", profile);
    std::fs::write(container.inside("/etc/forbidden"), "grain\n").doing("write")?;
    Ok(container)
}

/// What the container's program says of itself, and whether the profile keeps it from a file.
const TELL: &str = "cat /proc/self/attr/current; cat /etc/forbidden || echo denied";

fn tells(container: &mut Container, label: &str, rest: &str) -> Res {
    container.sh(TELL).run()?.is(0)?.prints(&format!("{label}\n{rest}"))?;
    Ok(())
}

fn profile(ctx: &Ctx) -> Res {
    tells(&mut confined(ctx, "straw")?, STRAW, "denied")
}

fn holds_from_create_to_end(ctx: &Ctx) -> Res {
    let container = confined(ctx, "straw")?;
    container.create()?;
    let pid = container.pid()?;
    container.start()?;
    container.until_output("ready")?;
    same!(label_of(pid)?, STRAW);
    Ok(())
}

fn holds_with_more_privileges_to_come(ctx: &Ctx) -> Res {
    let mut container = confined(ctx, "straw")?;
    container.set("/process/noNewPrivileges", false);
    tells(&mut container, STRAW, "denied")
}

fn with_a_filter(ctx: &Ctx) -> Res {
    let mut container = confined(ctx, "straw")?;
    // Nothing that a label takes.
    let denied = json!({"names": ["openat2", "setuid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1});
    let filter = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [denied]});
    container.set("/linux/seccomp", filter);
    same!(label_of_running(&container)?, STRAW);
    Ok(())
}

fn in_a_user_namespace(ctx: &Ctx) -> Res {
    let mut container = confined(ctx, "straw")?;
    container.map_ids(0, 2000).user(1000, 1000);
    tells(&mut container, STRAW, "denied")
}

/// A profile says what its programs may execute, not what may come to be in it.
fn nothing_needs_to_be_executable(ctx: &Ctx) -> Res {
    let container = confined(ctx, "reed")?;
    same!(label_of_running(&container)?, "reed (enforce)");
    container.exec(&["--apparmor", "reed"], &["/bin/cat", "/proc/self/attr/current"])?.is(0)?;
    container.exec(&["--apparmor", "reed"], &["/bin/sh", "-c", "/bin/true"])?.failed()?;
    Ok(())
}

fn unconfined(ctx: &Ctx) -> Res {
    tells(&mut confined(ctx, "unconfined")?, "unconfined", "grain")
}

fn missing_is_refused(ctx: &Ctx) -> Res {
    let container = confined(ctx, "no-such")?;
    container.run()?.failed()?.says_one_of(&["apparmor", "/attr/"])?;
    container.gone()
}

/// Not only when it is started.
fn missing_is_refused_by_create(ctx: &Ctx) -> Res {
    let container = confined(ctx, "no-such")?;
    container.create_call(&[])?.done()?.failed()?.says_one_of(&["apparmor", "/attr/"])?;
    container.gone()
}

fn exec_is_in_the_containers(ctx: &Ctx) -> Res {
    let container = confined(ctx, "straw")?;
    container.run_until("ready")?;
    container.exec(&[], &["/bin/sh", "-c", TELL])?.is(0)?.prints("straw (enforce)\ndenied")?;
    Ok(())
}

fn exec_in_another(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    let read = &["/bin/cat", "/proc/self/attr/current"];
    container.exec(&[], read)?.is(0)?.prints("unconfined")?;
    container.exec(&["--apparmor", "straw"], read)?.is(0)?.prints(STRAW)?;
    Ok(())
}

fn exec_of_a_process_file(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    let mut process = container.config["process"].clone();
    process["args"] = json!(["/bin/cat", "/proc/self/attr/current"]);
    process["apparmorProfile"] = "straw".into();
    let file = ctx.make_file("process.json", &process.to_string())?;
    container.exec(&["--process", &file.to_string_lossy()], &[])?.is(0)?.prints(STRAW)?;
    Ok(())
}

fn exec_in_missing_is_refused(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    let out = container.exec(&["--apparmor", "no-such"], &["/bin/true"])?;
    out.failed()?.says_one_of(&["apparmor", "/attr/"])?;
    Ok(())
}

/// What sets the profile has the host's procfs open.
fn exec_is_not_traced_before_its_profile(ctx: &Ctx) -> Res {
    let attacker = ctx.container_of(&["/bin/probe", "seize"])?;
    attacker.run_until("ready")?;
    let end = Instant::now() + Duration::from_secs(4);
    while Instant::now() < end {
        attacker.exec(&["--apparmor", "straw"], &["/bin/sleep", "0.01"])?.is(0)?;
    }
    let output = attacker.output();
    let seized = |label: &str| output.lines().filter(|line| line.ends_with(label)).count();
    same!(seized("label unconfined"), 0);
    holds!(seized(STRAW) > 0, "it got hold of nobody");
    Ok(())
}

fn procfs_is_a_volume(ctx: &Ctx) -> Res {
    let mut container = confined(ctx, "straw")?;
    container.bind(&fake_procfs(ctx)?, "/proc", &["rbind"]);
    labelled_or_refused(&container, STRAW)
}

/// A file of procfs itself that takes whatever is written to it (CVE-2025-52881).
fn attributes_lead_elsewhere(ctx: &Ctx) -> Res {
    for attribute in ["attr/apparmor/exec", "attr/exec"] {
        let mut container = confined(ctx, "straw")?;
        let place = format!("/proc/self/{attribute}");
        container.push(
            "/mounts",
            json!({"destination": place, "type": "bind", "source": "/proc/self/sched", "options": ["bind"]}),
        );
        labelled_or_refused(&container, STRAW)?;
    }
    Ok(())
}

//! What is asked for in a config or on a command line that would lead somewhere else, and what a config that
//! asks for nothing special must not give.

use std::fs;

use serde_json::json;

use super::NAME;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root, user};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: NAME,
    cases: &[
        root!(ghsa_g54h_m393_cpwq_no_rules_deny_disks).needs(&[Need::AnyDisk]),
        either!(cve_2021_43784_source_of_70000_bytes),
        user!(cve_2023_25809_cgroups_are_not_written_to)
            .needs(&[Need::OwnCgroup])
            .ours("the peers make /sys read-only, not the cgroups below it"),
        user!(cve_2023_25809_from_a_user_namespace)
            .needs(&[Need::OwnCgroup])
            .only_crun("runc is refused the mount"),
        either!(ids_lead_nowhere).ours("the peers take -x"),
        root!(cgroup_paths_lead_nowhere).ours("crun enters `..`, runc leaves it out of a path"),
    ],
};

/// The numbers of a disk of this machine.
fn disk() -> Res<String> {
    let disks = fs::read_dir("/sys/block").doing("the disks")?.flatten();
    let mut numbers = disks.filter_map(|disk| fs::read_to_string(disk.path().join("dev")).ok());
    // One that is there: of a loop device without a file the open fails in any case.
    let opens = |number: &String| {
        let size = format!("/sys/dev/block/{}/size", number.trim());
        fs::read_to_string(size).is_ok_and(|size| size.trim() != "0")
    };
    numbers.find(opens).doing("a disk with something on it")
}

fn ghsa_g54h_m393_cpwq_no_rules_deny_disks(ctx: &Ctx) -> Res {
    let numbers = disk()?;
    let (major, minor) = numbers.trim().split_once(':').doing("its numbers")?;
    for resources in [None, Some(json!({})), Some(json!({"devices": []}))] {
        let mut container = ctx.container_of(&["/bin/probe", "device", major, minor])?;
        container.all_capabilities().remove("/linux/resources");
        if let Some(resources) = resources {
            container.set("/linux/resources", resources);
        }
        let out = container.run()?.is(0)?;
        let opened = out.text().lines().nth(1).doing("what came of the open")?;
        holds!(
            opened == "opened EPERM" || out.text() == "made EPERM\nopened ENOENT",
            "a disk: {}",
            out.text()
        );
    }
    Ok(())
}

fn cve_2021_43784_source_of_70000_bytes(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount("/mnt", "bind", &format!("/{}", "x/".repeat(35_000)), &["bind"]);
    container.run()?.failed()?;
    container.gone()
}

/// Whatever shows the host's cgroups.
fn show_cgroups(container: &mut crate::container::Container<'_>) {
    container.drop_namespace("cgroup");
    container.args(&["/bin/probe", "writable", "/sys/fs/cgroup"]);
}

/// No file of a cgroup can be opened for writing, and no cgroup be made: the caller's own could, outside.
fn cve_2023_25809_cgroups_are_not_written_to(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    show_cgroups(&mut container);
    container.run()?.is(0)?.prints("looked")?;
    for options in [&["nosuid", "ro"][..], &["nosuid", "rw"]] {
        container.mount("/sys/fs/cgroup", "cgroup", "cgroup", options);
        container.run()?.is(0)?.prints("looked")?;
    }
    container.gone()
}

/// As a rootless engine starts containers: its runtime is root of a user namespace already.
fn cve_2023_25809_from_a_user_namespace(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    show_cgroups(&mut container);
    container.drop_namespace("user").remove("/linux/uidMappings").remove("/linux/gidMappings");
    container.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "ro"]);
    let unshare = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount"];
    container.run_call(&[])?.through(&unshare).ok()?.prints("looked")?;
    Ok(())
}

fn ids_lead_nowhere(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.save()?;
    let bundle = container.bundle.to_string_lossy().into_owned();
    let long = "x".repeat(1025);
    for id in ["..", ".", "a/b", "../x", "/x", "-x", "", &long] {
        for command in ["create", "run"] {
            let call = ctx.runtime().args([command, "--bundle", &bundle, "--", id]);
            call.done()?.refused(&["id"])?;
        }
        for command in ["state", "start", "delete"] {
            ctx.runtime().args([command, "--", id]).done()?.failed()?;
        }
    }
    let states = fs::read_dir(ctx.state_root()).into_iter().flatten().flatten();
    same!(states.filter(|each| each.path().is_dir()).count(), 0);
    container.gone()
}

fn cgroup_paths_lead_nowhere(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.run_until("ready")?;
    for path in ["../../x", "..", "/..", "x/../.."] {
        let out = container.exec(&["--cgroup", path], &["/bin/echo", "ran"])?;
        out.refused(&["cgroup"])?.prints("")?;
    }
    container.force_delete()?;
    for path in ["../x", "/../x", "/a/../../x", "a/.."] {
        container.set("/linux/cgroupsPath", path);
        container.run()?.refused(&["linux.cgroupsPath"])?;
        container.gone()?;
    }
    Ok(())
}

//! Labels of SELinux. The policy is guest/lsm/selinux.cil.

use std::path::Path;

use serde_json::json;

use super::{fake_procfs, label_of, label_of_running, labelled_or_refused};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "lsm.selinux",
    cases: &[
        either!(label).needs(HERE),
        root!(keeps_from_what_the_label_may_not_read).needs(HERE),
        either!(holds_from_create_to_end).needs(HERE),
        either!(holds_with_more_privileges_to_come).needs(HERE),
        either!(none_is_the_callers).needs(HERE),
        either!(unknown_is_refused).needs(HERE),
        either!(unknown_is_refused_by_create).needs(HERE),
        either!(forbidden_is_refused).needs(HERE),
        either!(exec_is_in_the_containers).needs(HERE),
        either!(exec_with_another).needs(HERE),
        either!(keyring).needs(HERE),
        either!(mounts_have_the_mount_label).needs(HERE),
        either!(unknown_mount_label_is_refused).needs(HERE),
        either!(procfs_is_a_volume).needs(HERE),
        either!(attributes_lead_elsewhere).needs(HERE),
    ],
};

const HERE: &[Need] = &[Need::SeLinux];
/// With a comma, which mount options have between them.
const BOX: &str = "u:r:box_t:s0:c1,c2";
const READ: &[&str] = &["/bin/cat", "/proc/self/attr/current"];

fn labelled<'a>(ctx: &'a Ctx, label: &str) -> Res<Container<'a>> {
    let mut container = ctx.sleeper()?;
    container.set("/process/selinuxLabel", label);
    Ok(container)
}

fn label(ctx: &Ctx) -> Res {
    let container = labelled(ctx, BOX)?;
    same!(label_of_running(&container)?, BOX);
    Ok(())
}

fn keeps_from_what_the_label_may_not_read(ctx: &Ctx) -> Res {
    let mut container = labelled(ctx, BOX)?;
    let file = container.inside("/etc/secret");
    std::fs::write(&file, "grain\n").doing("write")?;
    set_label(&file, "u:r:secret_t:s0")?;
    container.sh("cat /etc/secret || echo denied").run()?.is(0)?.prints("denied")?;
    container.remove("/process/selinuxLabel").run()?.is(0)?.prints("grain")?;
    Ok(())
}

fn set_label(path: &Path, label: &str) -> Res {
    crate::sys::set_xattr(path, c"security.selinux", label.as_bytes()).doing("label a file")
}

fn holds_from_create_to_end(ctx: &Ctx) -> Res {
    let container = labelled(ctx, BOX)?;
    container.create()?;
    let pid = container.pid()?;
    container.start()?;
    container.until_output("ready")?;
    same!(label_of(pid)?, BOX);
    Ok(())
}

fn holds_with_more_privileges_to_come(ctx: &Ctx) -> Res {
    let mut container = labelled(ctx, BOX)?;
    container.set("/process/noNewPrivileges", false);
    same!(label_of_running(&container)?, BOX);
    Ok(())
}

fn none_is_the_callers(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    same!(label_of_running(&container)?, label_of(std::process::id() as i32)?);
    Ok(())
}

fn unknown_is_refused(ctx: &Ctx) -> Res {
    let container = labelled(ctx, "u:r:no_such_t:s0")?;
    container.run()?.failed()?.says_one_of(&["selinux", "/attr/", "no_such_t"])?;
    container.gone()
}

fn unknown_is_refused_by_create(ctx: &Ctx) -> Res {
    let container = labelled(ctx, "u:r:no_such_t:s0")?;
    container.create_call(&[])?.done()?.failed()?.says_one_of(&[
        "selinux",
        "/attr/",
        "no_such_t",
    ])?;
    container.gone()
}

/// The label is one of the policy's, and the program may not be started with it.
fn forbidden_is_refused(ctx: &Ctx) -> Res {
    let mut container = labelled(ctx, "u:r:shut_t:s0")?;
    // Otherwise the policy is asked about that first.
    container.set("/process/noNewPrivileges", false);
    container.run()?.failed()?.says_one_of(&["permission denied", "operation not permitted"])?;
    container.gone()
}

fn exec_is_in_the_containers(ctx: &Ctx) -> Res {
    let container = labelled(ctx, BOX)?;
    container.run_until("ready")?;
    let out = container.exec(&[], READ)?.is(0)?;
    same!(out.text().trim_end_matches('\0'), BOX);
    Ok(())
}

fn exec_with_another(ctx: &Ctx) -> Res {
    let container = labelled(ctx, BOX)?;
    container.run_until("ready")?;
    let other = "u:r:box_t:s0:c0";
    let out = container.exec(&["--process-label", other], READ)?.is(0)?;
    same!(out.text().trim_end_matches('\0'), other);
    let mut process = container.config["process"].clone();
    process["args"] = json!(READ);
    process["selinuxLabel"] = other.into();
    let file = ctx.make_file("process.json", &process.to_string())?;
    let out = container.exec(&["--process", &file.to_string_lossy()], &[])?.is(0)?;
    same!(out.text().trim_end_matches('\0'), other);
    container.exec(&["--process-label", "u:r:shut_t:s0"], READ)?.failed()?;
    Ok(())
}

/// A keyring with the runtime's own label is one that the container may not use.
fn keyring(ctx: &Ctx) -> Res {
    let mut container = labelled(ctx, BOX)?;
    same!(container.report()?["keyring_label"], BOX);
    Ok(())
}

fn mounts_have_the_mount_label(ctx: &Ctx) -> Res {
    const LABEL: &str = "u:r:box_file_t:s0:c1,c2";
    let mut container = labelled(ctx, BOX)?;
    let volume = ctx.make_dir("volume")?;
    let before = label_of_file(&volume)?;
    container.set("/linux/mountLabel", LABEL).bind(&volume, "/volume", &["rbind"]);
    container.sh("echo >/dev/shm/made; echo ready; exec sleep 100").run_until("ready")?;
    let root = format!("/proc/{}/root", container.pid()?);
    for place in ["/dev", "/dev/pts", "/dev/shm", "/dev/shm/made", "/dev/mqueue"] {
        let found = label_of_file(Path::new(&format!("{root}{place}")))?;
        holds!(found == LABEL, "{place} is {found}");
    }
    same!(label_of_file(Path::new(&format!("{root}/volume")))?, before);
    Ok(())
}

fn label_of_file(path: &Path) -> Res<String> {
    let label = crate::sys::xattr(path, c"security.selinux").doing(&shown(path))?;
    Ok(String::from_utf8_lossy(&label).trim_end_matches('\0').to_string())
}

fn unknown_mount_label_is_refused(ctx: &Ctx) -> Res {
    let mut container = labelled(ctx, BOX)?;
    container.set("/linux/mountLabel", "u:r:no_such_t:s0");
    container.run()?.failed()?;
    container.gone()
}

fn procfs_is_a_volume(ctx: &Ctx) -> Res {
    let mut container = labelled(ctx, BOX)?;
    container.bind(&fake_procfs(ctx)?, "/proc", &["rbind"]);
    labelled_or_refused(&container, BOX)
}

/// A file of procfs itself that takes whatever is written to it (CVE-2025-52881).
fn attributes_lead_elsewhere(ctx: &Ctx) -> Res {
    let mut container = labelled(ctx, BOX)?;
    container.push(
        "/mounts",
        json!({"destination": "/proc/self/attr/exec", "type": "bind", "source": "/proc/self/sched",
            "options": ["bind"]}),
    );
    labelled_or_refused(&container, BOX)
}

//! AppArmor and SELinux, in a guest that has them: what is asked for is read from the kernel, and is seen to
//! hold.

pub(crate) mod apparmor;
pub(crate) mod selinux;

use std::fs;

use crate::container::Container;
use crate::ctx::Ctx;
use crate::result::{Doing, Res, holds};

/// What the kernel says of a process.
fn label_of(pid: i32) -> Res<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/attr/current")).doing("read its label")?;
    Ok(text.trim_end_matches(['\n', '\0']).to_string())
}

/// What the kernel says of the process of a container that runs.
fn label_of_running(container: &Container) -> Res<String> {
    container.run_until("ready")?;
    label_of(container.pid()?)
}

/// Files where a container has its procfs, so that a label which is written to them is none
/// (CVE-2019-16884).
fn fake_procfs(ctx: &Ctx) -> Res<std::path::PathBuf> {
    let volume = ctx.make_dir("volume")?;
    for pid in ["self", "1", "thread-self"] {
        let attr = volume.join(pid).join("attr/apparmor");
        fs::create_dir_all(&attr).doing("make a procfs")?;
        for name in ["exec", "current", "../exec", "../current", "../keycreate"] {
            fs::write(attr.join(name), "").doing("make a procfs")?;
        }
    }
    Ok(volume)
}

/// Either nothing runs, or it has its label.
fn labelled_or_refused(container: &Container, label: &str) -> Res {
    if container.run_call(&["--detach"])?.done()?.code != 0 {
        return container.gone();
    }
    let found = label_of(container.pid()?)?;
    holds!(found == label, "it runs as {found:?}");
    Ok(())
}

//! state: the JSON that engines read.

use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "state",
    cases: &[
        either!(of_created),
        either!(of_running),
        either!(rootfs_is_absolute).only_runc("crun gives root.path as it is in the config"),
        either!(of_stopped).only_runc("crun leaves the dead pid in it"),
        either!(of_killed_from_outside),
        either!(of_unknown_refused),
        either!(annotations),
        either!(pid_is_the_init_process),
    ],
};

fn of_created(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    let state = container.state()?;
    same!(state["id"], container.id);
    same!(state["status"], "created");
    same!(state["bundle"], shown(&container.bundle));
    let version = state["ociVersion"].as_str().unwrap_or("");
    holds!(version.starts_with("1."), "ociVersion is {version:?}");
    let created = state["created"].as_str().unwrap_or("");
    holds!(
        created.len() >= 20 && created.as_bytes()[10] == b'T',
        "created is {created:?}, no RFC 3339 time"
    );
    holds!(state["pid"].as_i64() > Some(0), "pid is {}", state["pid"]);
    holds!(state.get("owner").is_some(), "no owner in {state}");
    Ok(())
}

fn rootfs_is_absolute(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    same!(container.state()?["rootfs"], shown(container.rootfs()));
    Ok(())
}

fn of_running(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    same!(container.state()?["status"], "running");
    Ok(())
}

fn of_stopped(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.run_detached()?;
    container.until("stopped")?;
    same!(container.state()?["pid"], 0);
    Ok(())
}

fn of_killed_from_outside(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    let pid = nix::unistd::Pid::from_raw(container.pid()?);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).doing("kill init")?;
    container.until("stopped")?;
    container.delete()?;
    container.gone()
}

fn of_unknown_refused(ctx: &Ctx) -> Res {
    let id = ctx.id();
    ctx.runtime().args(["state", &id]).done()?.refused(&["does not exist"])?;
    Ok(())
}

fn annotations(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/annotations/com.example.key", "some value");
    container.create()?;
    same!(container.state()?["annotations"]["com.example.key"], "some value");
    Ok(())
}

fn pid_is_the_init_process(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    let pid = container.pid()?;
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    same!(line, "/bin/probe\0until-term\0");
    Ok(())
}

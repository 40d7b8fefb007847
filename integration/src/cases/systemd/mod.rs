//! Containers whose cgroup systemd makes: a scope of the system's manager for root, of the user's own
//! manager for everybody else. What systemd says of a scope comes from `systemctl`.

pub(super) mod life;
pub(super) mod limits;
pub(super) mod properties;
pub(super) mod scope;
pub(super) mod v1;

use std::fs;
use std::path::PathBuf;

use crate::call::Call;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::needs::Need;
use crate::result::{Doing, Res};

const SYSTEMD: &[Need] = &[Need::Systemd];

/// The slice that each caller's manager has from the start.
fn slice(ctx: &Ctx) -> &'static str {
    if ctx.is_root() { "system.slice" } else { "user.slice" }
}

/// A container that does nothing until it is told to end, in the scope `skep-ID.scope`.
fn sleeper(ctx: &Ctx) -> Res<Container<'_>> {
    of(ctx, &["/bin/probe", "until-term"])
}

fn of<'a>(ctx: &'a Ctx, args: &[&str]) -> Res<Container<'a>> {
    ctx.use_systemd();
    let mut container = ctx.container_of(args)?;
    let path = format!("{}:skep:{}", slice(ctx), container.id);
    container.set("/linux/cgroupsPath", path);
    Ok(container)
}

fn running(ctx: &Ctx) -> Res<Container<'_>> {
    let container = sleeper(ctx)?;
    container.run_until("ready")?;
    Ok(container)
}

fn unit(container: &Container<'_>) -> String {
    format!("skep-{}.scope", container.id)
}

fn systemctl(ctx: &Ctx, command: &str) -> Call {
    let call = ctx.program("/usr/bin/systemctl");
    let call = if ctx.is_root() { call } else { call.arg("--user") };
    call.arg(command)
}

/// What systemd says of a unit; of one that it does not know, the defaults.
fn property(ctx: &Ctx, unit: &str, name: &str) -> Res<String> {
    let call = systemctl(ctx, "show").args(["--value", "--property", name, unit]);
    Ok(call.ok()?.text().to_string())
}

fn scope_is_gone(container: &Container<'_>) -> Res {
    container.ctx.eventually("systemd forgets the scope", || {
        let state = property(container.ctx, &unit(container), "LoadState").ok()?;
        (state == "not-found").then_some(())
    })?;
    container.gone()
}

/// The cgroup of a process, as a path below the hierarchy's root.
fn cgroup_of(pid: i32) -> Res<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).doing("its cgroup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("0::"));
    Ok(line.doing("a cgroup v2 line")?.to_string())
}

/// The directory of the container's cgroup: the scope's or, with some runtimes, one below.
fn dir(container: &Container<'_>) -> Res<PathBuf> {
    let path = cgroup_of(container.pid()?)?;
    Ok(PathBuf::from("/sys/fs/cgroup").join(path.trim_start_matches('/')))
}

fn value(container: &Container<'_>, file: &str) -> Res<String> {
    let text = fs::read_to_string(dir(container)?.join(file)).doing(file)?;
    Ok(text.trim_end().to_string())
}

//! Containers on cgroup v1: what they see of it, their limits, their life and end. On a hybrid host, and
//! on one without cgroup v2 (test.sh makes both of one).

pub(super) mod life;
pub(super) mod limits;
pub(super) mod view;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::needs::Need;
use crate::result::{Doing, Res};

const CGROUP_V1: &[Need] = &[Need::CgroupV1];

/// A sleeper that has a cgroup right below the root of every hierarchy: what is above the caller's own
/// is not the tests'.
fn sleeper(ctx: &Ctx) -> Res<Container<'_>> {
    Ok(placed(ctx.sleeper()?))
}

fn container_of<'a>(ctx: &'a Ctx, args: &[&str]) -> Res<Container<'a>> {
    Ok(placed(ctx.container_of(args)?))
}

fn placed(mut container: Container<'_>) -> Container<'_> {
    let path = format!("/skep-it-{}", container.id);
    container.set("/linux/cgroupsPath", path);
    container
}

fn running(ctx: &Ctx, resources: Value) -> Res<Container<'_>> {
    let mut container = sleeper(ctx)?;
    container.set("/linux/resources", resources);
    container.run_until("ready")?;
    Ok(container)
}

/// The hierarchies of v1 that a process is in: its controllers or name, and the directory on the host.
fn hierarchies(pid: i32) -> Res<Vec<(String, PathBuf)>> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).doing("its cgroups")?;
    let rows = text.lines().filter_map(|line| {
        let (name, path) = line.split_once(':')?.1.split_once(':')?;
        Some((name.to_string(), mount(name)?.join(path.trim_start_matches('/'))))
    });
    Ok(rows.collect())
}

/// Where a hierarchy is mounted: under all its names, or one of them.
fn mount(name: &str) -> Option<PathBuf> {
    let name = name.strip_prefix("name=").unwrap_or(name);
    let names = std::iter::once(name).chain(name.split(',')).filter(|name| !name.is_empty());
    let mut paths = names.map(|name| Path::new("/sys/fs/cgroup").join(name));
    paths.find(|path| path.join("cgroup.procs").exists())
}

/// The container's directory in the hierarchy of a controller.
fn dir(container: &Container<'_>, controller: &str) -> Res<PathBuf> {
    let all = hierarchies(container.pid()?)?;
    let mut found =
        all.into_iter().filter(|(name, _)| name.split(',').any(|one| one == controller));
    found.next().map(|(_, path)| path).doing(&format!("a hierarchy of {controller}"))
}

/// What a file of the container's cgroup holds; its name begins with the controller's.
fn value(container: &Container<'_>, file: &str) -> Res<String> {
    let controller = file.split('.').next().unwrap_or_default();
    let controller = if controller == "cgroup" { "memory" } else { controller };
    let text = fs::read_to_string(dir(container, controller)?.join(file)).doing(file)?;
    Ok(text.trim_end().to_string())
}

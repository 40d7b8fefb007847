//! Limits that bite: what a container does that has met one, whether cgroup v2 or v1 holds it.

pub(super) mod cpu;
pub(super) mod io;
pub(super) mod leaks;
pub(super) mod memory;
pub(super) mod pids;

use std::fs;

use serde_json::Value;

use crate::cgroups::{self, Place};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::result::{Doing, Res};
use crate::text::lines;

/// A running container with these limits and this process, which has said 'ready'.
fn running<'a>(ctx: &'a Ctx, resources: Value, args: &[&str]) -> Res<Container<'a>> {
    let mut container = ctx.container_of(args)?;
    limit(&mut container, resources);
    container.run_until("ready")?;
    Ok(container)
}

/// Sets each of `linux.resources`, and leaves the devices as they are.
fn limit(container: &mut Container<'_>, resources: Value) {
    for (key, value) in resources.as_object().into_iter().flatten() {
        container.set(&format!("/linux/resources/{key}"), value.clone());
    }
}

/// The line after which a container waits.
const THEN_WAIT: &str = "; exec /bin/probe until-term";

/// The value of `key` in the container's file of this controller: `v2`'s or `v1`'s.
fn count(container: &Container<'_>, controller: &str, files: Files, key: &str) -> Res<u64> {
    let place = cgroups::place_of(container.pid()?, controller)?;
    let text = read(&place, files)?;
    let found = lines(&text).into_iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    found.doing(&format!("{key} in {text:?}"))?.parse().doing(key)
}

/// A file in v2, and the one in v1 that says the same.
#[derive(Clone, Copy)]
struct Files {
    v2: &'static str,
    v1: &'static str,
}

fn read(place: &Place, files: Files) -> Res<String> {
    let name = if place.controllers.is_empty() { files.v2 } else { files.v1 };
    fs::read_to_string(place.dir.join(name)).doing(name)
}

/// Give or take a tenth.
fn near(value: f64, wanted: f64) -> bool {
    (value / wanted - 1.0).abs() < 0.1
}

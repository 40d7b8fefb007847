//! The cases, a file for each feature.

mod exec;
mod lifecycle;
mod list;
mod mounts;
mod namespaces;
mod process;
mod rootfs;
mod run;
mod state;

use crate::ctx::Ctx;
use crate::harness::case::Feature;
use crate::result::Res;

pub(crate) const FEATURES: &[Feature] = &[
    lifecycle::FEATURE,
    run::FEATURE,
    state::FEATURE,
    list::FEATURE,
    exec::FEATURE,
    process::FEATURE,
    namespaces::FEATURE,
    rootfs::FEATURE,
    mounts::FEATURE,
];

/// What a default container prints that runs this line.
fn shell(ctx: &Ctx, line: &str) -> Res<String> {
    let container = ctx.container_of(&["/bin/sh", "-c", line])?;
    Ok(container.run()?.is(0)?.text().to_string())
}

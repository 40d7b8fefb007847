//! Buildah, which calls the runtime itself for each RUN. It shares its images with Podman, and that shows
//! what was built.

use super::{Engine, checks, podman};
use crate::call::Call;
use crate::ctx::Ctx;
use crate::result::Res;

pub(crate) const ENGINE: Engine = Engine {
    name: "buildah",
    builder: "buildah",
    features: &[checks::build::FEATURE, checks::buildah::FEATURE],
    surroundings,
    clear,
    ..podman::ENGINE
};

pub(crate) const ROOTLESS: Engine = Engine {
    name: "buildah-rootless",
    builder: "buildah",
    features: &[checks::build::FEATURE, checks::buildah::FEATURE],
    surroundings,
    clear,
    ..podman::ROOTLESS
};

/// Neither a chroot in a container's place, nor another runtime.
fn surroundings(ctx: &Ctx, call: Call) -> Call {
    let isolation = if ctx.is_root() { "oci" } else { "rootless" };
    let call = podman::surroundings(ctx, call);
    call.env("BUILDAH_RUNTIME", &ctx.runtime).env("BUILDAH_ISOLATION", isolation)
}

fn clear(ctx: &Ctx) -> Res {
    let builder = super::cli::Cli::of(ctx);
    let list = builder.builder(&["containers", "--format", "{{.ContainerName}}"]).ok()?;
    for name in list.out.split_whitespace().filter(|name| name.starts_with(&ctx.id_prefix())) {
        builder.builder(&["rm", name]).ok()?;
    }
    podman::clear(ctx)
}

//! Docker Engine: dockerd with the runtime as its default one, and under the name `runc` first in its
//! PATH, which is where BuildKit looks for one.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::cli::Cli;
use super::daemon::Daemon;
use super::{Engine, checks, docs};
use crate::ctx::Ctx;
use crate::options::Options;
use crate::result::{Doing, Res};

pub(crate) const ENGINE: Engine = Engine {
    name: "docker",
    program: "docker",
    builder: "docker",
    features: &[
        checks::run::FEATURE,
        checks::exec::FEATURE,
        checks::terminal::FEATURE,
        checks::files::FEATURE,
        checks::security::FEATURE,
        checks::limits::FEATURE,
        checks::life::FEATURE,
        checks::network::FEATURE,
        checks::build::FEATURE,
        checks::build::CLASSIC,
        checks::compose::FEATURE,
        checks::errors::FEATURE,
        checks::docker::FEATURE,
        checks::dockerd::FEATURE,
    ],
    start,
    clear: |ctx| Cli::of(ctx).clear(),
    states: &["/run/docker/runtime-runc/moby", "/run/runc", "/run/skep"],
    ..super::PLAIN
};

/// What the runtime is called in the documented daemon.json.
pub(crate) const RUNTIME: &str = "skep";

/// Everything that dockerd and its containerd say.
pub(crate) const LOG: &str = "/run/dockerd.log";

fn start(options: &Options, ctx: &Ctx) -> Res<Option<Daemon>> {
    let dir = ctx.make_dir("path")?;
    symlink(&options.runtime, dir.join("runc")).doing("link the runtime as runc")?;
    old_iptables(ctx, &dir)?;
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap_or_default());
    let documented = docs::example_with("docker", &options.runtime)?;
    let mut config: Value =
        serde_json::from_str(&documented).doing("the documented daemon.json")?;
    config["storage-driver"] = json!("overlay2");
    let config = ctx.make_file("daemon.json", &config.to_string())?;
    let mut dockerd = Command::new("dockerd");
    dockerd.arg("--config-file").arg(config).env("PATH", path);
    let daemon = Daemon::start(&mut dockerd, Path::new(LOG))?;
    let cli = Cli::of(ctx);
    let daemon = daemon.until(|| cli.call(&["version"]).done().is_ok_and(|out| out.code == 0))?;
    cli.import()?;
    Ok(Some(daemon))
}

/// Puts those of the kernel's older interface into the directory, where it has no other (user-mode-linux).
fn old_iptables(ctx: &Ctx, dir: &Path) -> Res {
    for name in ["iptables", "ip6tables"] {
        let chain = ["--table", "nat", "--new-chain", "SKEP-PROBE"];
        if ctx.program(name).args(chain).done()?.code != 0 {
            let old = format!("/usr/sbin/{name}-legacy");
            symlink(old, dir.join(name)).doing("link iptables")?;
        }
    }
    Ok(())
}

//! What Docker alone says of its runtimes.

use std::fs;

use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::engines::docker::{LOG, RUNTIME};
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "docker",
    cases: &[
        root!(info_shows_the_runtime),
        root!(info_shows_its_features).needs(&[Need::Docker(25)]),
        root!(features_are_accepted),
        root!(runtime_by_name),
        root!(empty_program_is_127)
            .needs(&[Need::Docker(23)])
            .only_runc("crun says it in words that Docker does not know"),
        root!(shim_is_killed),
    ],
};

fn info_shows_the_runtime(ctx: &Ctx) -> Res {
    let info = Cli::of(ctx).ok(&["info", "--format", "{{json .}}"])?.json()?;
    same!(info["DefaultRuntime"], RUNTIME);
    same!(info["Runtimes"][RUNTIME]["path"].as_str(), ctx.runtime.to_str());
    // What `runc --version` prints in BuildKit's place.
    let version = info["RuncCommit"]["ID"].as_str().unwrap_or_default();
    holds!(version != "N/A", "the version of the runtime is not understood");
    Ok(())
}

fn info_shows_its_features(ctx: &Ctx) -> Res {
    let info = Cli::of(ctx).ok(&["info", "--format", "{{json .}}"])?.json()?;
    let status = &info["Runtimes"][RUNTIME]["status"];
    let features = status["org.opencontainers.runtime-spec.features"].as_str();
    let features = features.doing("its features in docker info")?;
    holds!(features.contains("ociVersionMin"), "its features are {features}");
    Ok(())
}

fn features_are_accepted(_: &Ctx) -> Res {
    let log = fs::read_to_string(LOG).doing("the log of dockerd")?;
    let about = |line: &&str| {
        line.contains("level=warning") && (line.contains("features") || line.contains("runtime v"))
    };
    let warnings: Vec<&str> = log.lines().filter(about).collect();
    same!(warnings, Vec::<&str>::new());
    Ok(())
}

fn runtime_by_name(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    cli.run(&["--runtime", RUNTIME], &["true"])?.is(0)?;
    // The one that is in PATH as runc.
    cli.run(&["--runtime", "runc"], &["true"])?.is(0)?;
    cli.run(&["--runtime", "straw"], &["true"])?.is(125)?.says_one_of(&["unknown"])?;
    Ok(())
}

/// Nobody is left to watch the container: containerd has the runtime delete it.
fn shim_is_killed(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    let pid = container.pid()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).doing("its parent")?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let shim: i32 = fields.split_whitespace().nth(1).doing("its parent")?.parse().doing("a pid")?;
    let kill = nix::sys::signal::Signal::SIGKILL;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim), kill).doing("kill the shim")?;
    container.until_is("{{.State.Status}}", "exited")?;
    ctx.eventually("its process ends", || (!crate::harness::procs::alive(pid)).then_some(()))
}

fn empty_program_is_127(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    cli.run(&[], &[""])?.is(127)?;
    cli.sleeper(&[])?.exec(&[], &[""])?.is(127).map(drop)
}

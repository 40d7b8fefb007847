//! Real engines with the runtime under test plugged in: the runtime is what an engine's user never sees,
//! so these checks look only through the engine.
//!
//! A check is a [`Case`](crate::harness::case::Case) like any other, in a process of its own; what is
//! different is that an engine is started before the first and stopped after the last one. Engines with
//! the same command line (Docker, Podman) share checks: [`cli::Cli`] knows which of them it talks to.
//! It all happens in `integration/engines/root.sh enter`, where nothing of the host can be touched.

mod archive;
mod buildah;
mod checks;
mod cli;
mod containerd;
mod cri;
mod ctr;
mod daemon;
mod docker;
mod docs;
mod left;
mod podman;

use std::path::Path;
use std::time::Duration;

use crate::call::Call;
use crate::ctx::Ctx;
use crate::harness::case::Feature;
use crate::options::Options;
use crate::result::Res;

/// For one check: an engine's call is many of the runtime's.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(90);

/// An engine as data.
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    /// What its user calls.
    program: &'static str,
    /// What its user builds images with.
    builder: &'static str,
    /// Whether its user is an ordinary one.
    rootless: bool,
    features: &'static [Feature],
    /// Checks that are not for it, each with the reason.
    without: &'static [&'static [(&'static str, &'static str)]],
    /// What each call of the program needs besides.
    surroundings: fn(&Ctx, Call) -> Call,
    /// Starts what has to run all the time, with the directory of this run, and gives it the image.
    start: fn(&Options, &Ctx) -> Res<Option<daemon::Daemon>>,
    /// Removes what the check has made in the engine.
    clear: fn(&Ctx) -> Res,
    /// Ends what the engine keeps without a daemon.
    stop: fn(&Ctx) -> Res,
    /// Directories in which there is an entry for each container that is not deleted.
    states: &'static [&'static str],
}

/// Root's, with a daemon: what such an engine need not say.
const PLAIN: Engine = Engine {
    name: "",
    program: "",
    builder: "",
    rootless: false,
    features: &[],
    without: &[],
    surroundings: |_, call| call,
    start: |_, _| Ok(None),
    clear: |_| Ok(()),
    stop: |_| Ok(()),
    states: &[],
};

const ENGINES: &[Engine] = &[
    docker::ENGINE,
    containerd::ENGINE,
    containerd::CRI,
    podman::ENGINE,
    podman::ROOTLESS,
    buildah::ENGINE,
    buildah::ROOTLESS,
];

pub(crate) fn named(name: &str) -> Result<&'static Engine, String> {
    ENGINES.iter().find(|engine| engine.name == name).ok_or_else(|| {
        let known: Vec<&str> = ENGINES.iter().map(|engine| engine.name).collect();
        format!("no such engine: {name}; known are {}", known.join(", "))
    })
}

/// The cases of an engine.
pub(crate) fn features(engine: &Engine) -> &'static [Feature] {
    engine.features
}

/// Why a check of features is not for this engine, if so.
pub(crate) fn unfit(engine: &Engine, name: &str) -> Option<&'static str> {
    engine.without.iter().copied().flatten().find(|(unfit, _)| *unfit == name).map(|(_, why)| *why)
}

/// Does `all` while the engine runs; the second result is what is left when it has ended.
pub(crate) fn with<T>(
    engine: &'static Engine,
    options: &Options,
    work: &Path,
    all: impl FnOnce() -> T,
) -> Res<(T, Res)> {
    let dir = work.join("engine");
    std::fs::create_dir(&dir).map_err(|error| format!("make {}: {error}", dir.display()))?;
    if engine.rootless == nix::unistd::geteuid().is_root() {
        let user = if engine.rootless { "an ordinary user" } else { "root" };
        return Err(format!("engine {} is {user}'s", engine.name));
    }
    let ctx = Ctx::new(&options.runtime, &dir, Some(engine))?;
    let daemon = (engine.start)(options, &ctx)?;
    let outcome = all();
    let stopped = daemon.map_or(Ok(()), daemon::Daemon::stop).and((engine.stop)(&ctx));
    Ok((outcome, stopped.and_then(|()| left::nothing(engine.states))))
}

/// Removes what a check has made in its engine.
pub(crate) fn clear(ctx: &Ctx) -> Res {
    ctx.engine.map_or(Ok(()), |engine| (engine.clear)(ctx))
}

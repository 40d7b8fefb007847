//! Podman, which has no daemon: containers.conf names the runtime as a user's would, and conmon calls it.
//! Rootless, it is called by an ordinary user with subordinate ids (`root.sh enter -u`).

use std::path::{Path, PathBuf};

use super::cli::Cli;
use super::daemon::Daemon;
use super::{Engine, checks, docs};
use crate::call::Call;
use crate::ctx::Ctx;
use crate::options::Options;
use crate::result::{Res, holds};

pub(crate) const ENGINE: Engine = Engine {
    name: "podman",
    program: "podman",
    builder: "podman",
    rootless: false,
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
        checks::errors::FEATURE,
        checks::podman::FEATURE,
        checks::userns::FEATURE,
        checks::pods::FEATURE,
    ],
    without: &[OTHERWISE, NOT_ROOT],
    surroundings,
    start,
    clear,
    stop: |_| Ok(()),
    states: &["/run/runc", "/run/crun", "/run/skep"],
};

pub(crate) const ROOTLESS: Engine = Engine {
    name: "podman-rootless",
    rootless: true,
    without: &[OTHERWISE, NOT_ROOTLESS],
    // The process that holds the user namespace of all containers.
    stop: |ctx| Cli::of(ctx).ok(&["system", "migrate"]).map(drop),
    states: &["/run/user/1000/runc", "/run/user/1000/crun", "/run/user/1000/skep"],
    ..ENGINE
};

/// Checks of Docker's that Podman was not made for.
const OTHERWISE: &[(&str, &str)] = &[
    ("run.working_directory_is_made", "it wants one that is there"),
    ("run.domainname", "it has no such flag"),
    ("life.healthcheck", "systemd's timers make the checks, and podman.health does here"),
    ("life.events", "it names them otherwise: podman.events"),
    ("limits.oom_is_an_event", "it has no such event"),
    ("files.bind_read_only_with_what_is_below", "read-only is the mount alone"),
    ("files.bind_without_what_is_below", "it has no such option"),
    ("files.volume_without_copy_and_of_a_part", "it has no such option"),
];

const NOT_ROOT: &[(&str, &str)] = &[
    ("userns.keep_id", "only an ordinary user may ask for it"),
    ("userns.keep_id_as_another", "only an ordinary user may ask for it"),
    ("userns.nomap", "only an ordinary user may ask for it"),
    ("userns.groups_are_kept", "root's are given"),
];

const NOT_ROOTLESS: &[(&str, &str)] = &[
    ("files.bind_propagation", "only root mounts in the source"),
    ("files.device_rules", "only root may have them"),
    ("userns.volume_with_mapped_ids", "only root may map the ids of a mount"),
];

/// Storage and configuration are the engine's, of all checks, and not those of the check's own home.
pub(super) fn surroundings(ctx: &Ctx, call: Call) -> Call {
    let call = call
        .env_remove("TMPDIR")
        .env("CONTAINERS_CONF", conf(ctx))
        .env("PODMAN_IGNORE_CGROUPSV1_WARNING", "1")
        .env("HOME", own("HOME"));
    match ctx.is_root() {
        true => call.env_remove("XDG_RUNTIME_DIR"),
        false => call.env("XDG_RUNTIME_DIR", own("XDG_RUNTIME_DIR")),
    }
}

fn conf(ctx: &Ctx) -> PathBuf {
    ctx.dir.with_file_name("engine").join("containers.conf")
}

fn own(variable: &str) -> std::ffi::OsString {
    std::env::var_os(variable).unwrap_or_default()
}

fn start(options: &Options, ctx: &Ctx) -> Res<Option<Daemon>> {
    let file = settings_file(ctx, &options.runtime, None)?;
    holds!(file == conf(ctx), "{} is not where the checks look for it", file.display());
    Cli::of(ctx).import()?;
    Ok(None)
}

/// What is documented, perhaps without one of the lines, and what a machine without systemd needs or one
/// where nobody can raise a hard limit.
pub(crate) fn settings_file(ctx: &Ctx, runtime: &Path, without: Option<&str>) -> Res<PathBuf> {
    let documented = docs::example_with("podman", runtime)?;
    let manager = if has_systemd() { "systemd" } else { "cgroupfs" };
    let more = format!("[engine]\ncgroup_manager = \"{manager}\"\nevents_logger = \"file\"\n");
    let mut text = docs::but(&documented, "[engine]\n", &more)?;
    if let Some(line) = without {
        text = docs::but(&text, line, &format!("#{line}"))?;
    }
    // A kernel without the tables that netavark asks for (user-mode-linux) has no network out of it either.
    let nft = ["--user", "--map-root-user", "--net", "nft", "list", "ruleset"];
    if ctx.program("unshare").args(nft).done()?.code != 0 {
        text += "[network]\nfirewall_driver = \"none\"\n";
    }
    let containers = "[containers]\nlog_driver = \"k8s-file\"\n\
                      default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n";
    ctx.make_file("containers.conf", &(text + containers))
}

/// As sd_booted(3) tells.
fn has_systemd() -> bool {
    Path::new("/run/systemd/system").exists()
}

pub(super) fn clear(ctx: &Ctx) -> Res {
    let containers: [(&[&str], &[&str]); 2] = [
        (&["pod", "ls", "--quiet"], &["pod", "rm", "--force", "--time", "0"]),
        (&["ps", "--all", "--quiet"], &["rm", "--force", "--depend", "--volumes", "--time", "0"]),
    ];
    let cli = Cli::of(ctx);
    // Before Podman 5 the process that cleans up behind a container with a user namespace can hold its /dev/shm
    // at this moment, with any runtime. It has ended when the second call comes.
    cli.remove(&containers).or_else(|_| cli.remove(&containers))?;
    cli.remove(&[
        (&["network", "ls", "--quiet"], &["network", "rm"]),
        (&["volume", "ls", "--quiet"], &["volume", "rm", "--force"]),
    ])
}

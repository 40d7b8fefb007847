//! containerd: driven by its own `ctr`, and through Kubernetes' CRI. One daemon with one config for both:
//! the one of docs/engines.md.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::cri::Cri;
use super::ctr::Ctr;
use super::daemon::Daemon;
use super::{Engine, archive, checks, docs};
use crate::ctx::Ctx;
use crate::options::Options;
use crate::result::{Doing, Res};
use crate::text::shown;

pub(crate) const ENGINE: Engine = Engine {
    name: "containerd",
    features: &[
        checks::ctr_run::FEATURE,
        checks::ctr_limits::FEATURE,
        checks::ctr_task::FEATURE,
        checks::ctr_events::FEATURE,
    ],
    start: |options, ctx| start(options, ctx, "default"),
    clear: |ctx| Ctr::of(ctx).clear(),
    states: &["/run/containerd/runc/default"],
    ..super::PLAIN
};

pub(crate) const CRI: Engine = Engine {
    name: "cri",
    features: &[
        checks::cri_node::FEATURE,
        checks::cri_pod::FEATURE,
        checks::cri_container::FEATURE,
        checks::cri_streams::FEATURE,
        checks::cri_security::FEATURE,
        checks::cri_limits::FEATURE,
    ],
    start: start_cri,
    clear: |ctx| Cri::of(ctx).clear(),
    states: &["/run/containerd/runc/k8s.io"],
    ..super::PLAIN
};

pub(crate) const SOCKET: &str = "/run/containerd/containerd.sock";

pub(crate) use super::cli::IMAGE;

/// What a pod's namespaces are held by: an image that everybody pulls elsewhere.
const PAUSE: &str = "registry.k8s.io/pause:3.10";

/// A documented config, with what a machine without systemd needs.
fn documented(name: &str, runtime: &Path) -> Res<String> {
    let example = docs::example_with(name, runtime)?;
    match has_systemd() {
        true => Ok(example),
        false => docs::but(&example, "SystemdCgroup = true", "SystemdCgroup = false"),
    }
}

/// Whether systemd makes the cgroups of pods.
pub(crate) fn has_systemd() -> bool {
    Path::new("/run/systemd/private").exists()
}

/// The documented one, and what these checks need besides: no CAP_SYS_RESOURCE, and no registry.
fn config(options: &Options, ctx: &Ctx) -> Res<String> {
    let networks = ctx.make_dir("networks")?;
    ctx.make_file("networks/10-straw.conflist", &network().to_string())?;
    let networks = networks.display();
    if is_old(ctx)? {
        let documented = documented("containerd 1", &options.runtime)?;
        return Ok(format!(
            "{documented}
[plugins.\"io.containerd.grpc.v1.cri\"]
restrict_oom_score_adj = true
sandbox_image = \"{PAUSE}\"
[plugins.\"io.containerd.grpc.v1.cri\".cni]
bin_dir = \"/usr/lib/cni\"
conf_dir = \"{networks}\"
"
        ));
    }
    let documented = documented("containerd 2", &options.runtime)?;
    let documented = ctx.make_file("skep.toml", &documented)?;
    Ok(format!(
        "version = 3
imports = ['{}']
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/usr/lib/cni']
conf_dir = '{networks}'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{PAUSE}'
",
        documented.display(),
    ))
}

/// Whether it is containerd 1, as in Debian 12.
pub(crate) fn is_old(ctx: &Ctx) -> Res<bool> {
    let version = ctx.program("containerd").arg("--version").ok()?;
    let number = version.out.split_whitespace().nth(2).doing("its version")?;
    Ok(number.starts_with("1."))
}

fn network() -> serde_json::Value {
    let ipam = json!({"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]]});
    let bridge = json!({"type": "bridge", "bridge": "straw0", "isGateway": true, "ipam": ipam});
    json!({"cniVersion": "1.0.0", "name": "straw", "plugins": [bridge]})
}

fn start(options: &Options, ctx: &Ctx, namespace: &str) -> Res<Option<Daemon>> {
    let path = ctx.make_dir("path")?;
    symlink(&options.runtime, path.join("runc")).doing("link the runtime as runc")?;
    let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap_or_default());
    let config = ctx.make_file("config.toml", &config(options, ctx)?)?;
    let mut containerd = Command::new("containerd");
    containerd.arg("--config").arg(config).env("PATH", path);
    let daemon = Daemon::start(&mut containerd, Path::new("/run/containerd.log"))?;
    let call = |args: &[&str]| ctx.program("ctr").args(["--namespace", namespace]).args(args);
    let daemon = daemon.until(|| call(&["version"]).done().is_ok_and(|out| out.code == 0))?;
    let images = [
        (IMAGE, json!({"Cmd": ["sh"], "Env": ["PATH=/usr/bin:/bin"]})),
        (PAUSE, json!({"Entrypoint": ["/bin/probe", "until-term"]})),
    ];
    let archive = archive::write(ctx, &images)?;
    call(&["images", "import", &shown(archive)]).ok()?;
    Ok(Some(daemon))
}

fn start_cri(options: &Options, ctx: &Ctx) -> Res<Option<Daemon>> {
    let daemon = start(options, ctx, "k8s.io")?;
    let ready = || {
        let status = Cri::of(ctx).call("Status", &json!({})).ok()?;
        let conditions = status["status"]["conditions"].as_array()?.clone();
        let is = |name: &str| {
            conditions.iter().any(|each| each["type"] == name && each["status"] == true)
        };
        (is("RuntimeReady") && is("NetworkReady")).then_some(())
    };
    ctx.eventually("the node is ready", ready)?;
    // CRI hears of images from events.
    let filter = "labels.\"io.cri-containerd.image\"==managed";
    let list =
        || ctx.program("ctr").args(["--namespace", "k8s.io", "images", "ls", "--quiet", filter]);
    let known =
        || list().ok().ok().filter(|out| out.out.contains(PAUSE) && out.out.contains(IMAGE));
    ctx.eventually("the images are known", known).doing("import")?;
    Ok(daemon)
}

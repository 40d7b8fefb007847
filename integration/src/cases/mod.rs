//! The cases, a file for each feature.

mod attributes;
mod bad;
mod cgroup;
mod cgroup_v1;
mod delegation;
mod events;
mod exec;
mod exec_hidepid;
mod explain;
mod features;
mod hooks;
mod host_mounts;
mod hostile;
mod idmap;
mod intel_rdt;
mod lifecycle;
mod limits;
mod list;
mod log;
mod lsm;
mod mounts;
mod namespaces;
mod net_devices;
mod pause;
mod process;
mod races;
mod rootfs;
mod run;
mod seccomp;
mod spec;
mod state;
mod sweep;
mod systemd;
mod terminal;
mod torture;
mod update;
mod walk;

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::Feature;
use crate::result::Res;

pub(crate) const FEATURES: &[Feature] = &[
    lifecycle::FEATURE,
    run::FEATURE,
    state::FEATURE,
    list::FEATURE,
    exec::FEATURE,
    exec_hidepid::FEATURE,
    process::FEATURE,
    attributes::scheduler::FEATURE,
    attributes::io_priority::FEATURE,
    attributes::processors::FEATURE,
    attributes::memory_policy::FEATURE,
    attributes::personality::FEATURE,
    namespaces::FEATURE,
    net_devices::FEATURE,
    rootfs::FEATURE,
    host_mounts::FEATURE,
    mounts::FEATURE,
    idmap::FEATURE,
    terminal::FEATURE,
    hooks::FEATURE,
    log::FEATURE,
    spec::FEATURE,
    explain::FEATURE,
    features::FEATURE,
    races::FEATURE,
    sweep::FEATURE,
    walk::FEATURE,
    torture::FEATURE,
    bad::FEATURE,
    hostile::image::FEATURE,
    hostile::races::FEATURE,
    hostile::neighbours::FEATURE,
    hostile::processes::FEATURE,
    hostile::requests::FEATURE,
    cgroup::FEATURE,
    cgroup_v1::view::FEATURE,
    cgroup_v1::limits::FEATURE,
    cgroup_v1::life::FEATURE,
    systemd::scope::FEATURE,
    systemd::limits::FEATURE,
    systemd::properties::FEATURE,
    systemd::life::FEATURE,
    systemd::v1::FEATURE,
    pause::FEATURE,
    update::FEATURE,
    intel_rdt::FEATURE,
    limits::memory::FEATURE,
    limits::pids::FEATURE,
    limits::cpu::FEATURE,
    limits::io::FEATURE,
    limits::leaks::FEATURE,
    delegation::FEATURE,
    events::FEATURE,
    seccomp::actions::FEATURE,
    seccomp::conditions::FEATURE,
    seccomp::rules::FEATURE,
    seccomp::architectures::FEATURE,
    seccomp::profiles::FEATURE,
    seccomp::credentials::FEATURE,
    seccomp::start::FEATURE,
    seccomp::notify::FEATURE,
    seccomp::listener::FEATURE,
    seccomp::bad::FEATURE,
    lsm::apparmor::FEATURE,
    lsm::selinux::FEATURE,
];

/// What a default container prints that runs this line.
fn shell(ctx: &Ctx, line: &str) -> Res<String> {
    let container = ctx.container_of(&["/bin/sh", "-c", line])?;
    Ok(container.run()?.is(0)?.text().to_string())
}

/// A container whose first process has another that ends with it only if somebody sees to it: both want
/// SIGKILL, and say `ready`.
fn of_two<'a>(ctx: &'a Ctx) -> Res<Container<'a>> {
    let line = "setsid /bin/probe ignore-term & exec /bin/probe ignore-term";
    ctx.container_of(&["/bin/sh", "-c", line])
}

/// Has it use the processor for more than a tick, the least that the clock of user-mode-linux can tell.
fn burn(container: &Container<'_>) -> Res {
    let line = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done";
    container.exec(&[], &["/bin/sh", "-c", line])?.is(0).map(drop)
}

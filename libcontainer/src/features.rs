//! What this library can do, for engines that ask before they ask for it
//! ([features.md](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/features.md),
//! [features-linux.md](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/features-linux.md)).
//!
//! The lists are those by which configurations are read and carried out: what is not in a table is
//! neither done nor promised. The host is not asked, but for the flags of its seccomp(2).

#![forbid(unsafe_code)]

use crate::cgroup::SYSTEMD_ANNOTATIONS;
use crate::config::{KEEP_GROUPS, NEWEST_VERSION, OLDEST_VERSION, capabilities, hooks, namespaces};
use crate::plan::{memory_policy_flags, memory_policy_modes, mount_option_names};
use oci_spec::runtime::{
    Apparmor, Cgroup, Features, IDMap, IntelRdt, LinuxFeature, LinuxNamespaceType, MemoryPolicy,
    MountExtensions, NetDevices, Seccomp, Selinux,
};
use skep_seccomp::{Action, Arch, Condition, Flags};
use std::collections::HashMap;

/// The features of this version.
#[must_use]
pub fn features() -> Features {
    let mut features = Features::default();
    features
        .set_oci_version_min(OLDEST_VERSION.to_owned())
        .set_oci_version_max(NEWEST_VERSION.to_owned())
        .set_hooks(Some(hooks::ALL.iter().map(|kind| kind.name.to_owned()).collect()))
        .set_mount_options(Some(mount_option_names()))
        .set_linux(Some(linux()))
        .set_annotations(Some(annotations()))
        .set_potentially_unsafe_config_annotations(Some(vec![
            SYSTEMD_ANNOTATIONS.to_owned(),
            KEEP_GROUPS.to_owned(),
        ]));
    features
}

fn linux() -> LinuxFeature {
    let capabilities = capabilities::all().iter().map(ToString::to_string).collect();
    let mut linux = LinuxFeature::default();
    linux
        .set_namespaces(Some(namespaces()))
        .set_capabilities(Some(capabilities))
        .set_cgroup(Some(cgroup()))
        .set_seccomp(Some(seccomp()))
        .set_apparmor(Some(enabled(Apparmor::set_enabled, true)))
        .set_selinux(Some(enabled(Selinux::set_enabled, true)))
        .set_intel_rdt(Some(intel_rdt()))
        .set_memory_policy(Some(memory_policy()))
        .set_mount_extensions(Some(mount_extensions()))
        .set_net_devices(Some(enabled(NetDevices::set_enabled, true)));
    linux
}

/// An object of the document that says no more than this.
fn enabled<T: Default>(set: fn(&mut T, Option<bool>) -> &mut T, value: bool) -> T {
    let mut object = T::default();
    set(&mut object, Some(value));
    object
}

/// By their names, as the specification's own example has them.
fn namespaces() -> Vec<LinuxNamespaceType> {
    let mut all = namespaces::ALL;
    all.sort_unstable_by_key(|row| row.name);
    all.iter().map(|row| row.kind).collect()
}

/// Whatever the host has of it.
fn cgroup() -> Cgroup {
    let mut cgroup = Cgroup::default();
    cgroup
        .set_v1(Some(true))
        .set_v2(Some(true))
        .set_systemd(Some(true))
        .set_systemd_user(Some(true))
        .set_rdma(Some(true));
    cgroup
}

fn seccomp() -> Seccomp {
    let mut seccomp = Seccomp::default();
    seccomp
        .set_enabled(Some(true))
        .set_actions(Some(Action::all_of_oci().collect()))
        .set_operators(Some(Condition::operators().map(|one| one.to_string()).collect()))
        .set_archs(Some(Arch::all().map(Arch::to_oci).collect()))
        .set_known_flags(Some(Flags::known().map(str::to_owned).collect()))
        .set_supported_flags(Some(Flags::supported().map(str::to_owned).collect()));
    seccomp
}

fn intel_rdt() -> IntelRdt {
    let done = Some(true);
    let mut intel_rdt = IntelRdt::default();
    intel_rdt.set_enabled(done).set_schemata(done).set_monitoring(done);
    intel_rdt
}

fn memory_policy() -> MemoryPolicy {
    let mut memory_policy = MemoryPolicy::default();
    memory_policy.set_modes(Some(memory_policy_modes())).set_flags(Some(memory_policy_flags()));
    memory_policy
}

fn mount_extensions() -> MountExtensions {
    let done = mount_option_names().iter().any(|name| name == "idmap");
    let mut extensions = MountExtensions::default();
    extensions.set_idmap(Some(enabled(IDMap::set_enabled, done)));
    extensions
}

fn annotations() -> HashMap<String, String> {
    let version = ("skep.version", Some(env!("CARGO_PKG_VERSION")));
    let commit = ("skep.commit", option_env!("SKEP_COMMIT"));
    let known = |(key, value): (&str, Option<&str>)| Some((key.to_owned(), value?.to_owned()));
    [version, commit].into_iter().filter_map(known).collect()
}

#[cfg(test)]
mod tests;

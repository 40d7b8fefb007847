//! What is wrong with a configuration, all of it at once.
//!
//! Nothing here looks at the host: the same configuration gets the same answer everywhere, for the
//! same kind of caller. What only the host can say (whether a path is there, what the kernel can)
//! is said by the step of the plan that needs it.
//!
//! Each module takes one part of the configuration. Each finding names its field and what would
//! be right.

mod capabilities;
mod cgroups;
mod devices;
mod hooks;
mod idmap;
mod ids;
mod intel_rdt;
mod memory_policy;
mod mounts;
mod namespaces;
mod net_devices;
mod process;
mod resources;
mod scheduling;
mod seccomp;
mod sysctl;
mod time;
mod unsupported;
mod uts;
mod version;

use oci_spec::runtime::{Linux, Process, Spec};

pub use resources::validate_resources;
pub(crate) use sysctl::namespace_of_sysctl;
pub use sysctl::sysctl_path;

pub(super) use capabilities::names as capability_names;
pub(crate) use idmap::{MountIds, MountMappings};
pub(crate) use intel_rdt::validate_schemata;
pub(crate) use mounts::are_the_callers as mounts_are_the_callers;
pub(crate) use resources::device_rule_problem;
pub(super) use version::Version;
pub use version::{NEWEST_VERSION, OLDEST_VERSION};

use crate::error::{Error, Problem, Result};

/// What the caller may do, as far as a configuration can be right for one and wrong for another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HostIds {
    /// Whether the caller has CAP_SYS_ADMIN in its user namespace, initial or not.
    pub privileged: bool,
    /// The caller's effective user id.
    pub euid: u32,
    /// The caller's effective group id.
    pub egid: u32,
}

impl HostIds {
    /// Those of the calling thread.
    pub fn current() -> Result<Self> {
        let privileged =
            caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_ADMIN);
        Ok(Self {
            privileged: privileged.map_err(|error| {
                Error::new(
                    crate::error::ErrorKind::System,
                    format!("read own capabilities: {error}"),
                )
            })?,
            euid: nix::unistd::geteuid().as_raw(),
            egid: nix::unistd::getegid().as_raw(),
        })
    }
}

/// Everything that is wrong with `spec` for a caller with `host`'s ids.
pub fn validate(spec: &Spec, host: &HostIds) -> Vec<Problem> {
    let mut findings = Findings::default();
    version::check(spec.version(), &mut findings);
    root(spec, &mut findings);
    match spec.process() {
        Some(process) => check_process(process, spec.linux().as_ref(), &mut findings),
        None => findings.add("process", "is missing; it says what to run"),
    }
    uts::check(spec, &mut findings);
    mounts::check(spec, &mut findings);
    hooks::check(spec, &mut findings);
    if let Some(linux) = spec.linux() {
        namespaces::check(linux, &mut findings);
        ids::check(linux, &mut findings);
        time::check(linux, &mut findings);
        net_devices::check(linux, &mut findings);
        sysctl::check(spec, linux, &mut findings);
        devices::check(linux, &mut findings);
        cgroups::check(linux, &mut findings);
        if let Some(resources) = linux.resources() {
            resources::check(resources, &mut findings);
        }
        memory_policy::check(linux, &mut findings);
        intel_rdt::check(linux, &mut findings);
        seccomp::check(linux, &mut findings);
    }
    namespaces::check_caller(spec, host, &mut findings);
    unsupported::check(spec, &mut findings);
    findings.list
}

/// Everything that is wrong with `process`, which is to run in a container with `linux`'s id
/// mappings: the rules of [`validate`] for a process that comes by itself.
pub fn validate_process(process: &Process, linux: Option<&Linux>) -> Vec<Problem> {
    let mut findings = Findings::default();
    check_process(process, linux, &mut findings);
    findings.list
}

fn check_process(process: &Process, linux: Option<&Linux>, findings: &mut Findings) {
    process::check(process, findings);
    scheduling::check(process, findings);
    capabilities::check(process, findings);
    ids::check_user(process.user(), linux, findings);
}

/// [Root](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#root)
fn root(spec: &Spec, findings: &mut Findings) {
    match spec.root() {
        None => findings.add("root", "is missing; root.path names the container's root filesystem"),
        Some(root) if root.path().as_os_str().is_empty() => {
            findings.add("root.path", "is empty; it names the container's root filesystem");
        }
        Some(_) => (),
    }
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Findings {
    list: Vec<Problem>,
}

impl Findings {
    fn add(&mut self, field: impl Into<String>, text: impl Into<String>) {
        self.list.push(Problem::new(field, text));
    }

    /// Adds a problem unless what was asked for holds.
    fn expect(&mut self, holds: bool, field: impl Into<String>, text: impl Into<String>) {
        if !holds {
            self.add(field, text);
        }
    }
}

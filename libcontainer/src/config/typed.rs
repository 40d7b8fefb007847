//! Which fields of a configuration become which of oci-spec's types.
//!
//! oci-spec can read a whole configuration by itself. Its reader brings along the sections for other
//! systems, which are dropped unread, and a regular expression engine for one field, together a
//! seventh of the binary. So the two outermost objects are read here, and what is in them there.

use std::collections::HashMap;
use std::path::PathBuf;

use oci_spec::runtime::{
    Box as ConsoleSize, ExecCPUAffinity, Hooks, Linux, LinuxCapabilities, LinuxIOPriority, Mount,
    PosixRlimit, Process, Root, Scheduler, Spec, User, VM,
};
use serde::de::Deserialize;
use serde_json::Value;

/// Reads a configuration. Every use of it shares one copy of the readers of all its types, 150 KiB.
#[inline(never)]
pub(super) fn read(value: Value) -> serde_json::Result<Box<Spec>> {
    TopFields::deserialize(value).map(TopFields::into_spec)
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TopFields {
    oci_version: String,
    root: Option<Root>,
    mounts: Option<Vec<Mount>>,
    process: Option<ProcessFields>,
    hostname: Option<String>,
    domainname: Option<String>,
    hooks: Option<Hooks>,
    annotations: Option<HashMap<String, String>>,
    linux: Option<Linux>,
    vm: Option<VM>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProcessFields {
    terminal: Option<bool>,
    console_size: Option<ConsoleSize>,
    user: User,
    args: Option<Vec<String>>,
    command_line: Option<String>,
    env: Option<Vec<String>>,
    cwd: PathBuf,
    capabilities: Option<LinuxCapabilities>,
    rlimits: Option<Vec<PosixRlimit>>,
    no_new_privileges: Option<bool>,
    apparmor_profile: Option<String>,
    oom_score_adj: Option<i32>,
    selinux_label: Option<String>,
    io_priority: Option<LinuxIOPriority>,
    scheduler: Option<Scheduler>,
    #[serde(rename = "execCPUAffinity")]
    exec_cpu_affinity: Option<AffinityFields>,
}

#[derive(serde::Deserialize)]
struct AffinityFields {
    initial: Option<String>,
    #[serde(rename = "final")]
    last: Option<String>,
}

impl TopFields {
    /// A configuration of 3,000 bytes, which is not to be copied from stack frame to stack frame.
    fn into_spec(self) -> Box<Spec> {
        let mut spec = Box::<Spec>::default();
        spec.set_version(self.oci_version)
            .set_root(self.root)
            .set_mounts(self.mounts)
            .set_process(self.process.map(Process::from))
            .set_hostname(self.hostname)
            .set_domainname(self.domainname)
            .set_hooks(self.hooks)
            .set_annotations(self.annotations)
            .set_linux(self.linux)
            .set_vm(self.vm);
        spec
    }
}

impl From<ProcessFields> for Process {
    fn from(fields: ProcessFields) -> Self {
        let mut process = Self::default();
        process
            .set_terminal(fields.terminal)
            .set_console_size(fields.console_size)
            .set_user(fields.user)
            .set_args(fields.args)
            .set_command_line(fields.command_line)
            .set_env(fields.env)
            .set_cwd(fields.cwd)
            .set_capabilities(fields.capabilities)
            .set_rlimits(fields.rlimits)
            .set_no_new_privileges(fields.no_new_privileges)
            .set_apparmor_profile(fields.apparmor_profile)
            .set_oom_score_adj(fields.oom_score_adj)
            .set_selinux_label(fields.selinux_label)
            .set_io_priority(fields.io_priority)
            .set_scheduler(fields.scheduler)
            .set_exec_cpu_affinity(fields.exec_cpu_affinity.map(ExecCPUAffinity::from));
        process
    }
}

impl From<AffinityFields> for ExecCPUAffinity {
    fn from(fields: AffinityFields) -> Self {
        let mut affinity = Self::default();
        affinity.set_initial(fields.initial).set_cpu_affinity_final(fields.last);
        affinity
    }
}

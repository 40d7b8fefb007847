//! The table of namespaces.

use oci_spec::runtime::LinuxNamespaceType;
use std::fmt;

/// One kind of namespace: its OCI name, its `CLONE_NEW*` flag, its file below `/proc/PID/ns`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Namespace {
    pub(crate) name: &'static str,
    pub(crate) flag: u64,
    pub(crate) file: &'static str,
}

const CLONE_NEWTIME: u64 = 0x80;

const fn row(name: &'static str, flag: i32, file: &'static str) -> Namespace {
    Namespace { name, flag: flag as u64, file }
}

pub(crate) const USER: Namespace = row("user", libc::CLONE_NEWUSER, "user");
pub(crate) const PID: Namespace = row("pid", libc::CLONE_NEWPID, "pid");
pub(crate) const NETWORK: Namespace = row("network", libc::CLONE_NEWNET, "net");
pub(crate) const IPC: Namespace = row("ipc", libc::CLONE_NEWIPC, "ipc");
pub(crate) const UTS: Namespace = row("uts", libc::CLONE_NEWUTS, "uts");
pub(crate) const CGROUP: Namespace = row("cgroup", libc::CLONE_NEWCGROUP, "cgroup");
pub(crate) const TIME: Namespace = Namespace { name: "time", flag: CLONE_NEWTIME, file: "time" };
pub(crate) const MOUNT: Namespace = row("mount", libc::CLONE_NEWNS, "mnt");

/// All of them, in the order in which they are joined: the mount namespace last, since paths of
/// the others are looked up before it.
pub(crate) const ALL: [Namespace; 8] = [USER, PID, NETWORK, IPC, UTS, CGROUP, TIME, MOUNT];

impl Namespace {
    pub(crate) fn of(kind: LinuxNamespaceType) -> Self {
        match kind {
            LinuxNamespaceType::Mount => MOUNT,
            LinuxNamespaceType::Cgroup => CGROUP,
            LinuxNamespaceType::Uts => UTS,
            LinuxNamespaceType::Ipc => IPC,
            LinuxNamespaceType::User => USER,
            LinuxNamespaceType::Pid => PID,
            LinuxNamespaceType::Network => NETWORK,
            LinuxNamespaceType::Time => TIME,
        }
    }
}

/// Prints a set of flags by the names of the namespaces.
pub(crate) struct Flags(pub(crate) u64);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> =
            ALL.iter().filter(|kind| self.0 & kind.flag != 0).map(|kind| kind.name).collect();
        write!(
            f,
            "new namespaces: {}",
            if names.is_empty() { "none".into() } else { names.join(" ") }
        )
    }
}

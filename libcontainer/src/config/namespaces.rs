//! The table of [namespaces](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#namespaces).

use oci_spec::runtime::LinuxNamespaceType;
use std::fmt;

/// One kind of namespace: its OCI type and name, its `CLONE_NEW*` flag, its file below `/proc/PID/ns`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Namespace {
    pub(crate) kind: LinuxNamespaceType,
    pub(crate) name: &'static str,
    pub(crate) flag: u64,
    pub(crate) file: &'static str,
}

use LinuxNamespaceType as Type;

const CLONE_NEWTIME: libc::c_int = 0x80;

const fn row(kind: Type, name: &'static str, flag: libc::c_int, file: &'static str) -> Namespace {
    Namespace { kind, name, flag: flag as u64, file }
}

pub(crate) const USER: Namespace = row(Type::User, "user", libc::CLONE_NEWUSER, "user");
pub(crate) const PID: Namespace = row(Type::Pid, "pid", libc::CLONE_NEWPID, "pid");
pub(crate) const NETWORK: Namespace = row(Type::Network, "network", libc::CLONE_NEWNET, "net");
pub(crate) const IPC: Namespace = row(Type::Ipc, "ipc", libc::CLONE_NEWIPC, "ipc");
pub(crate) const UTS: Namespace = row(Type::Uts, "uts", libc::CLONE_NEWUTS, "uts");
pub(crate) const CGROUP: Namespace = row(Type::Cgroup, "cgroup", libc::CLONE_NEWCGROUP, "cgroup");
pub(crate) const TIME: Namespace = row(Type::Time, "time", CLONE_NEWTIME, "time");
pub(crate) const MOUNT: Namespace = row(Type::Mount, "mount", libc::CLONE_NEWNS, "mnt");

/// All of them, in the order in which they are joined: the mount namespace last, since paths of
/// the others are looked up before it.
pub(crate) const ALL: [Namespace; 8] = [USER, PID, NETWORK, IPC, UTS, CGROUP, TIME, MOUNT];

/// Their names in config.json, as they are listed for who wrote another.
pub(crate) const NAMES: &str = "pid network mount ipc uts user cgroup time";

impl Namespace {
    pub(crate) fn of(kind: Type) -> Self {
        match kind {
            Type::Mount => MOUNT,
            Type::Cgroup => CGROUP,
            Type::Uts => UTS,
            Type::Ipc => IPC,
            Type::User => USER,
            Type::Pid => PID,
            Type::Network => NETWORK,
            Type::Time => TIME,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_row() {
        let names = NAMES.split(' ').collect::<std::collections::BTreeSet<_>>();
        assert_eq!(names, ALL.map(|row| row.name).into());
        for row in ALL {
            assert_eq!(Namespace::of(row.kind), row);
            assert_eq!(serde_json::to_value(row.kind).unwrap(), row.name);
        }
    }
}

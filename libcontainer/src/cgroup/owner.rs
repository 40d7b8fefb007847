//! Giving the container's cgroup to the container: a container that sees its cgroup as the root of a
//! cgroup namespace, and has it mounted for writing, is meant to make cgroups of its own in there
//! (systemd, a nested engine). What it then owns is the directory and those files that the kernel
//! lists for it (cgroup-v2.rst, "Model of Delegation"), never a limit.

use crate::plan::IdMaps;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::unistd::{Uid, fchown, fchownat};
use oci_spec::runtime::{Linux, LinuxNamespaceType, Spec};
use std::os::fd::BorrowedFd;

/// The files that go with the directory, a name in each line (Linux 4.15).
const LIST: &str = "/sys/kernel/cgroup/delegate";

/// The host's user who gets the cgroup of such a container: the one that its process runs as.
pub(crate) fn of(spec: &Spec) -> Option<u32> {
    let linux = spec.linux().as_ref()?;
    if !has_namespace(linux) || !mounts_for_writing(spec) {
        return None;
    }
    let uid = spec.process().as_ref().map_or(0, |process| process.user().uid());
    let maps = IdMaps::new(linux.uid_mappings().as_ref(), None).uids;
    if maps.is_empty() {
        return Some(uid);
    }
    maps.iter().find_map(|map| map.outside_of(uid))
}

fn has_namespace(linux: &Linux) -> bool {
    let mut namespaces = linux.namespaces().iter().flatten();
    namespaces.any(|one| one.typ() == LinuxNamespaceType::Cgroup && one.path().is_none())
}

fn mounts_for_writing(spec: &Spec) -> bool {
    let mut mounts = spec.mounts().iter().flatten();
    mounts.any(|mount| {
        let options = mount.options().as_deref().unwrap_or_default();
        let last = options.iter().rev().find(|option| matches!(option.as_str(), "ro" | "rw"));
        matches!(mount.typ().as_deref(), Some("cgroup" | "cgroup2"))
            && last.is_none_or(|option| option == "rw")
    })
}

/// Gives the directory away. Files that this kernel does not have are passed over.
pub(super) fn give(directory: BorrowedFd<'_>, uid: u32) -> nix::Result<()> {
    let uid = Some(Uid::from_raw(uid));
    let names = std::fs::read_to_string(LIST).unwrap_or_default();
    for name in names.lines() {
        match fchownat(directory, name, uid, None, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    fchown(directory, uid, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn owner(namespaces: Value, options: Value, maps: Value) -> Option<u32> {
        let spec = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"},
            "process": {"cwd": "/", "args": ["x"], "user": {"uid": 5, "gid": 5}},
            "mounts": [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                "options": options}],
            "linux": {"namespaces": namespaces, "uidMappings": maps}});
        of(&serde_json::from_value(spec).expect("spec"))
    }

    #[test]
    fn only_a_namespace_and_a_mount_for_writing_give_it_away() {
        let own = json!([{"type": "cgroup"}]);
        assert_eq!(owner(own.clone(), json!(["nosuid", "rw"]), json!([])), Some(5));
        assert_eq!(owner(own.clone(), json!(["nosuid"]), json!([])), Some(5));
        assert_eq!(owner(own.clone(), json!(["ro", "nosuid"]), json!([])), None);
        let joined = json!([{"type": "cgroup", "path": "/proc/1/ns/cgroup"}]);
        assert_eq!(owner(joined, json!(["rw"]), json!([])), None);
        assert_eq!(owner(json!([]), json!(["rw"]), json!([])), None);
    }

    #[test]
    fn the_owner_is_the_hosts_user() {
        let own = json!([{"type": "cgroup"}, {"type": "user"}]);
        let map = |first: u32| json!([{"containerID": first, "hostID": 100_000, "size": 10}]);
        assert_eq!(owner(own.clone(), json!(["rw"]), map(0)), Some(100_005));
        assert_eq!(owner(own, json!(["rw"]), map(6)), None);
    }
}

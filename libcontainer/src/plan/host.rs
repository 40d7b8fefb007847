//! What the planner must know of the host and of the caller.

use crate::cgroup::{Layout, Mounted};
use crate::error::{Error, Result};
use crate::procfs;
use crate::sys;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// Facts that decide how a plan looks.
#[derive(Clone, Debug)]
pub struct Host {
    /// Effective user id of the caller.
    pub euid: u32,
    /// Effective group id of the caller.
    pub egid: u32,
    /// Effective capabilities of the caller in its user namespace, bit N for capability N.
    pub capabilities: u64,
    /// Whether the caller is in a user namespace other than the initial one.
    pub in_user_namespace: bool,
    /// Whether the caller's mount namespace is the one of its user namespace: only then may it, with
    /// CAP_SYS_ADMIN, copy mounts.
    pub owns_mounts: bool,
    /// Layout of the cgroup filesystem.
    pub cgroups: Layout,
    /// The cgroup filesystems that are mounted one beside the other, where that is the layout.
    pub hierarchies: Vec<Mounted>,
}

impl Host {
    /// Asks the kernel.
    ///
    /// # Errors
    ///
    /// When `/proc` is not readable.
    pub fn detect() -> Result<Self> {
        let host = Self::detect_to_join()?;
        Ok(Self { hierarchies: Mounted::detect(host.cgroups)?, ..host })
    }

    /// The same for who enters what is there already: it mounts nothing, and needs no list of what is
    /// mounted.
    pub(crate) fn detect_to_join() -> Result<Self> {
        let (euid, egid) = sys::identity::effective_ids();
        let capabilities = sys::identity::capabilities()
            .map(|sets| sets.effective)
            .map_err(|errno| Error::system("capget", errno))?;
        let in_user_namespace = procfs::namespace("self", "user")? != INITIAL_USER_NAMESPACE;
        let owns_mounts = !in_user_namespace || owns_mounts().unwrap_or(false);
        Ok(Self {
            euid,
            egid,
            capabilities,
            in_user_namespace,
            owns_mounts,
            cgroups: Layout::detect(),
            hierarchies: Vec::new(),
        })
    }

    /// Whether the caller lacks the rights of the host's root: an ordinary user, or "root" of a
    /// user namespace.
    pub fn is_rootless(&self) -> bool {
        self.euid != 0 || self.in_user_namespace
    }

    /// Whether the caller has a capability in its own user namespace.
    pub fn has(&self, capability: caps::Capability) -> bool {
        self.capabilities & capability.bitmask() != 0
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            euid: 0,
            egid: 0,
            capabilities: u64::MAX,
            in_user_namespace: false,
            owns_mounts: true,
            cgroups: Layout::Unified,
            hierarchies: Vec::new(),
        }
    }
}

/// The inode number of the initial user namespace: PROC_USER_INIT_INO of linux/proc_ns.h, part of the
/// kernel's interface since Linux 3.8.
const INITIAL_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// Compares the user namespace that owns our mount namespace with our own.
fn owns_mounts() -> std::io::Result<bool> {
    let mounts = std::fs::File::open("/proc/self/ns/mnt")?;
    let owner =
        std::fs::File::from(sys::file::owning_user_namespace(mounts.as_raw_fd())?).metadata()?;
    Ok(procfs::namespace("self", "user").is_ok_and(|own| owner.ino() == own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_answers() {
        Host::detect().unwrap();
    }
}

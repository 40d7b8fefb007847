//! The directory of a root filesystem in the mount namespace of whoever makes the container, where
//! the config asks for mounts and for no mount namespace.
//!
//! All of the container's mounts are on its root, which is mounted over that directory. They would
//! outlive it, so `delete`, and a creation that fails, take the root away. Elsewhere the directory
//! may be on a mount that is none of ours: only in that namespace, and over that mount, it is looked at.

use crate::error::{Error, Result};
use crate::plan::c_path;
use crate::sys::mount;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Covered {
    /// The inode of the mount namespace.
    namespace: u64,
    /// The number of the mount that the directory is on.
    mount: u64,
}

impl Covered {
    pub(super) fn at(rootfs: &Path) -> Result<Self> {
        let failed = |what: &str, error| Error::system(what, error).field("root.path");
        let namespace =
            namespace().map_err(|error| failed("look at the mount namespace", error))?;
        let mount = mount::mount_id(&c_path(rootfs)?)
            .map_err(|errno| failed(&rootfs.display().to_string(), errno.into()))?;
        Ok(Self { namespace, mount })
    }

    /// What cannot be taken away is told.
    pub(super) fn uncover(&self, rootfs: &Path) {
        let Ok(now) = Self::at(rootfs) else { return };
        if now.namespace != self.namespace || now.mount == self.mount {
            return;
        }
        let detached = c_path(rootfs).map(|path| mount::detach(&path));
        if let Ok(Err(errno)) = detached {
            log::warn!("unmount {}: {}", rootfs.display(), std::io::Error::from(errno));
        }
    }
}

fn namespace() -> std::io::Result<u64> {
    std::fs::metadata("/proc/thread-self/ns/mnt").map(|metadata| metadata.ino())
}

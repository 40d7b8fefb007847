//! The root filesystem of a container in the mount namespace of whoever makes it, where the config asks
//! for mounts and for no mount namespace.
//!
//! All of the container's mounts are on its root, which is mounted over its own directory. They would
//! outlive it, so `delete`, and a creation that fails, take the root away: by the number of the mount,
//! since the directory may be another container's as well, or somebody may have mounted something over
//! it. What cannot be taken away without what is not ours is left, and told.

use crate::error::{Error, ErrorKind, Result};
use crate::plan::c_path;
use crate::procfs;
use crate::sys::{self, file, mount};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Covered {
    /// The inode of the mount namespace.
    namespace: u64,
    /// The number of the mount that the directory is on.
    mount: u64,
    /// The number of the mount over it, which is the root; missing until that is about to be attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<u64>,
}

impl Covered {
    pub(super) fn at(rootfs: &Path) -> Result<Self> {
        let found = || {
            check_coverable(rootfs)?;
            Ok(Self {
                namespace: procfs::namespace("thread-self", "mnt")?,
                mount: look(rootfs)?.1,
                root: None,
            })
        };
        found().map_err(|error: Error| error.field("root.path"))
    }

    pub(super) fn attaching(&mut self, root: u64) {
        self.root = Some(root);
    }

    /// What cannot be taken away is told.
    pub(super) fn uncover(&self, rootfs: &Path) {
        let detached = self.root.map_or(Ok(()), |root| self.detach(root, rootfs));
        if let Err(why) = detached {
            log::warn!("the container's root filesystem may be left mounted: {why}");
        }
    }

    fn detach(&self, root: u64, rootfs: &Path) -> Result<()> {
        let left = |why: &str| {
            Err(Error::new(ErrorKind::System, format!("{}: {why}; unmount it", rootfs.display())))
        };
        if procfs::namespace("thread-self", "mnt")? != self.namespace {
            return left("it was mounted in another mount namespace than this");
        }
        let (directory, number) = look(rootfs)?;
        if number == self.mount {
            return Ok(());
        }
        if number != root {
            return left("something else is mounted over it");
        }
        let path = format!("/proc/thread-self/fd/{}", directory.as_raw_fd());
        mount::detach(&c_path(Path::new(&path))?)
            .map_err(|errno| Error::system(format!("unmount {}", rootfs.display()), errno))
    }
}

/// What is mounted over the caller's `/` cannot be reached from there any more, nor taken away.
fn check_coverable(rootfs: &Path) -> Result<()> {
    let is_root = rootfs.canonicalize().is_ok_and(|path| path == Path::new("/"));
    let text = format!(
        "{} is the caller's root, which the container's mounts would cover for good; add a mount namespace to linux.namespaces",
        rootfs.display()
    );
    if is_root { Err(Error::new(ErrorKind::InvalidConfig, text)) } else { Ok(()) }
}

/// What is at the path now, and the number of the mount that it is on.
fn look(rootfs: &Path) -> Result<(OwnedFd, u64)> {
    let path = c_path(rootfs)?;
    let directory = file::open(&path, libc::O_PATH).map(sys::process::own);
    directory
        .and_then(|fd| mount::mount_id(fd.as_raw_fd()).map(|number| (fd, number)))
        .map_err(|errno| Error::system(rootfs.display().to_string(), errno))
}

//! Masked and read-only paths. A path that the image or the kernel does not have needs neither.

use super::Context;
use crate::plan::{RootPath, harmless, read_only};
use crate::sys::file::{self, Resolve};
use crate::sys::mount;
use crate::sys::{Errno, Result};
use std::os::fd::RawFd;

impl Context<'_> {
    /// A file is covered by the host's null device, a directory by an empty one that all masked
    /// directories share. Neither comes from the image (CVE-2025-31133).
    pub(super) fn mask(&mut self, path: &RootPath) -> Result<()> {
        let Some(target) = self.existing(path)? else {
            return Ok(());
        };
        self.cover(target)?;
        self.state.scratch.push(target);
        Ok(())
    }

    fn cover(&mut self, target: RawFd) -> Result<()> {
        // A file does not go onto a directory: that tells what the target is, and the file is kept
        // for the next.
        let null = self.null_device()?;
        match mount::move_mount(null, target) {
            Err(Errno(libc::EINVAL)) => {}
            covered => {
                self.state.null = -1;
                self.state.scratch.push(null);
                return covered;
            }
        }
        let first = self.state.empty < 0;
        let empty = self.empty_directory()?;
        mount::move_mount(empty, target)?;
        if !first {
            self.state.scratch.push(empty);
        }
        Ok(())
    }

    fn null_device(&mut self) -> Result<RawFd> {
        if self.state.null < 0 {
            self.state.null = mount::open_tree(libc::AT_FDCWD, c"/dev/null", false)?;
        }
        Ok(self.state.null)
    }

    fn existing(&mut self, path: &RootPath) -> Result<Option<RawFd>> {
        let root = self.root()?;
        match file::openat2(root, path.as_c_str(), libc::O_PATH, Resolve::InRoot) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// The first is made, and attached by the caller; each further one is a copy of that mount
    /// (only what is attached can be copied before Linux 6.15).
    fn empty_directory(&mut self) -> Result<RawFd> {
        if self.state.empty >= 0 {
            return mount::open_tree(self.state.empty, c"", false);
        }
        let context = mount::fsopen(c"tmpfs")?;
        if let Some(label) = &self.plan.mount_label {
            mount::fsconfig_set(context, c"context", Some(label))?;
        }
        mount::fsconfig_create(context)?;
        let empty = mount::fsmount(context, harmless().attr_set)?;
        self.state.scratch.push(context);
        self.state.empty = empty;
        Ok(empty)
    }

    /// A copy of what is there, read-only with everything below it, is mounted over it.
    pub(super) fn read_only(&mut self, path: &RootPath) -> Result<()> {
        let Some(target) = self.existing(path)? else {
            return Ok(());
        };
        let tree = self.read_only_tree(target)?;
        mount::move_mount(tree, target)?;
        self.state.scratch.push(target);
        self.state.scratch.push(tree);
        Ok(())
    }

    fn read_only_tree(&mut self, target: RawFd) -> Result<RawFd> {
        if !self.state.no_tree_attr {
            match mount::open_tree_attr(target, c"", true, &read_only()) {
                Err(Errno(libc::ENOSYS)) => self.state.no_tree_attr = true,
                other => return other,
            }
        }
        let tree = mount::open_tree(target, c"", true)?;
        mount::mount_setattr(tree, c"", true, &read_only())?;
        Ok(tree)
    }
}

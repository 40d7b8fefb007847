//! Device nodes and the links beside them, in directories that are held open.

use super::Context;
use crate::plan::MakeNode;
use crate::sys::{Errno, Result, file, mount};
use std::ffi::CStr;
use std::os::fd::RawFd;

impl Context<'_> {
    pub(super) fn node(&mut self, node: &MakeNode) -> Result<()> {
        let directory = self.directory(node.directory)?;
        if let Some(source) = &node.bind {
            return self.bind_node(directory, node, source);
        }
        match file::mknodat(directory, &node.name, node.mode, node.device) {
            Err(Errno(libc::EEXIST)) => same_node(directory, node)?,
            made => made?,
        }
        match node.owner {
            Some((uid, gid)) => file::fchownat(directory, &node.name, uid, gid),
            None => Ok(()),
        }
    }

    fn bind_node(&mut self, directory: RawFd, node: &MakeNode, source: &CStr) -> Result<()> {
        let tree = mount::open_tree(libc::AT_FDCWD, source, false)?;
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDONLY;
        let target = match file::openat(directory, &node.name, flags, 0o666) {
            Err(Errno(libc::EEXIST)) => existing_file(directory, &node.name)?,
            made => made?,
        };
        mount::move_mount(tree, target)?;
        self.state.scratch.push(target);
        self.state.scratch.push(tree);
        Ok(())
    }

    pub(super) fn link(
        &mut self,
        target: &CStr,
        place: usize,
        name: &CStr,
        replace: bool,
    ) -> Result<()> {
        let directory = self.directory(place)?;
        match file::symlinkat(target, directory, name) {
            Err(Errno(libc::EEXIST)) if replace && !is_ptmx(directory, name)? => {
                file::unlinkat(directory, name)?;
                file::symlinkat(target, directory, name)
            }
            Err(Errno(libc::EEXIST)) => Ok(()),
            made => made,
        }
    }
}

/// What the image has at the place of a device may stay if it is that very device.
fn same_node(directory: RawFd, node: &MakeNode) -> Result<()> {
    let stat = file::fstatat(directory, &node.name)?;
    let same_type = stat.st_mode & libc::S_IFMT == node.mode & libc::S_IFMT;
    let fifo = node.mode & libc::S_IFMT == libc::S_IFIFO;
    if same_type && (fifo || stat.st_rdev == node.device) {
        Ok(())
    } else {
        Err(Errno(libc::EEXIST))
    }
}

/// The device itself, which is of the devpts at `pts` beside it: linux, Documentation/filesystems/devpts.rst. It
/// may be the host's, where that is the container's root.
fn is_ptmx(directory: RawFd, name: &CStr) -> Result<bool> {
    let stat = file::fstatat(directory, name)?;
    let is_device = stat.st_mode & libc::S_IFMT == libc::S_IFCHR;
    Ok(is_device && stat.st_rdev == libc::makedev(5, 2))
}

/// A mount point that the image has; a link is none, nor is what a link further up found on a procfs.
pub(super) fn existing_file(directory: RawFd, name: &CStr) -> Result<RawFd> {
    let fd = file::openat(directory, name, libc::O_PATH, 0)?;
    match file::fstat(fd)?.st_mode & libc::S_IFMT {
        libc::S_IFLNK | libc::S_IFDIR => Err(Errno(libc::EEXIST)),
        _ if file::filesystem_magic(fd)? == file::PROC_SUPER_MAGIC => Err(Errno(libc::EMEDIUMTYPE)),
        _ => Ok(fd),
    }
}

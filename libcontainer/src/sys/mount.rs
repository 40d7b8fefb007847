//! Mounts by file descriptor, the API of Linux 5.2 and later.

use super::{Result, check, done};
use std::ffi::{CStr, c_uint};
use std::os::fd::RawFd;
use std::ptr;

pub(crate) const OPEN_TREE_CLONE: c_uint = 1;
pub(crate) const OPEN_TREE_CLOEXEC: c_uint = libc::O_CLOEXEC as c_uint;
const FSOPEN_CLOEXEC: c_uint = 1;
const FSMOUNT_CLOEXEC: c_uint = 1;
const FSCONFIG_SET_FLAG: c_uint = 0;
const FSCONFIG_SET_STRING: c_uint = 1;
const FSCONFIG_CMD_CREATE: c_uint = 6;
const FSCONFIG_CMD_RECONFIGURE: c_uint = 7;
const FSPICK_CLOEXEC: c_uint = 1;
const FSPICK_EMPTY_PATH: c_uint = 8;
const MOVE_MOUNT_F_EMPTY_PATH: c_uint = 0x04;
const MOVE_MOUNT_T_SYMLINKS: c_uint = 0x10;
const MOVE_MOUNT_T_EMPTY_PATH: c_uint = 0x40;
const SYS_OPEN_TREE_ATTR: libc::c_long = 467;

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct MountAttr {
    pub(crate) attr_set: u64,
    pub(crate) attr_clr: u64,
    pub(crate) propagation: u64,
    pub(crate) userns_fd: u64,
}

const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;

impl MountAttr {
    /// Maps ids as the user namespace of this descriptor does (mount_setattr(2), "ID-mapped mounts").
    pub(crate) fn id_map(userns: RawFd) -> Self {
        // A negative descriptor is one that the kernel refuses.
        let userns_fd = userns as u64;
        Self { attr_set: MOUNT_ATTR_IDMAP, userns_fd, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A copy of the mount at `path` (`""`: of what `dir` itself is), not attached anywhere yet.
///
/// <https://man7.org/linux/man-pages/man2/open_tree.2.html>
pub(crate) fn open_tree(dir: RawFd, path: &CStr, recursive: bool) -> Result<RawFd> {
    let flags = tree_flags(path, recursive) | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    // SAFETY: `path` is a valid C string.
    check(unsafe { libc::syscall(libc::SYS_open_tree, dir, path.as_ptr(), flags) })
        .map(|fd| fd as RawFd)
}

/// [`open_tree`] and [`mount_setattr`] in one call (Linux 6.15).
pub(crate) fn open_tree_attr(
    dir: RawFd,
    path: &CStr,
    recursive: bool,
    attr: &MountAttr,
) -> Result<RawFd> {
    let flags = tree_flags(path, recursive) | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    // SAFETY: `path` is a valid C string, `attr` is valid for the size given.
    let fd = unsafe {
        libc::syscall(
            SYS_OPEN_TREE_ATTR,
            dir,
            path.as_ptr(),
            flags,
            &raw const *attr,
            size_of::<MountAttr>(),
        )
    };
    check(fd).map(|fd| fd as RawFd)
}

fn tree_flags(path: &CStr, recursive: bool) -> c_uint {
    let empty = if path.is_empty() { libc::AT_EMPTY_PATH as c_uint } else { 0 };
    let deep = if recursive { libc::AT_RECURSIVE as c_uint } else { 0 };
    empty | deep
}

/// Attaches the mount `from` on top of what `to` is.
///
/// <https://man7.org/linux/man-pages/man2/move_mount.2.html>
pub(crate) fn move_mount(from: RawFd, to: RawFd) -> Result<()> {
    attach(from, to, c"", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)
}

/// The same on top of a path that the caller trusts (of the host), also where it is a link.
pub(crate) fn move_mount_to(from: RawFd, path: &CStr) -> Result<()> {
    attach(from, libc::AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS)
}

fn attach(from: RawFd, dir: RawFd, path: &CStr, flags: c_uint) -> Result<()> {
    // SAFETY: both paths are valid C strings.
    let moved = unsafe {
        libc::syscall(libc::SYS_move_mount, from, c"".as_ptr(), dir, path.as_ptr(), flags)
    };
    check(moved).map(drop)
}

/// Changes a mount's attributes and propagation. `path` of `""` is `dir` itself.
///
/// <https://man7.org/linux/man-pages/man2/mount_setattr.2.html>
pub(crate) fn mount_setattr(
    dir: RawFd,
    path: &CStr,
    recursive: bool,
    attr: &MountAttr,
) -> Result<()> {
    let flags = tree_flags(path, recursive);
    // SAFETY: `path` is a valid C string, `attr` is valid for the size given.
    let set = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir,
            path.as_ptr(),
            flags,
            &raw const *attr,
            size_of::<MountAttr>(),
        )
    };
    check(set).map(drop)
}

/// <https://man7.org/linux/man-pages/man2/fsopen.2.html>
pub(crate) fn fsopen(fstype: &CStr) -> Result<RawFd> {
    // SAFETY: `fstype` is a valid C string.
    check(unsafe { libc::syscall(libc::SYS_fsopen, fstype.as_ptr(), FSOPEN_CLOEXEC) })
        .map(|fd| fd as RawFd)
}

/// A context for changing the filesystem that is mounted at `fd`.
///
/// <https://man7.org/linux/man-pages/man2/fspick.2.html>
pub(crate) fn fspick(fd: RawFd) -> Result<RawFd> {
    let flags = FSPICK_CLOEXEC | FSPICK_EMPTY_PATH;
    // SAFETY: the path is a valid C string.
    check(unsafe { libc::syscall(libc::SYS_fspick, fd, c"".as_ptr(), flags) }).map(|fd| fd as RawFd)
}

/// Sets a parameter with a value, or a flag without one.
///
/// <https://man7.org/linux/man-pages/man2/fsconfig.2.html>
pub(crate) fn fsconfig_set(context: RawFd, key: &CStr, value: Option<&CStr>) -> Result<()> {
    let command = if value.is_some() { FSCONFIG_SET_STRING } else { FSCONFIG_SET_FLAG };
    fsconfig(context, command, key.as_ptr(), value.map_or(ptr::null(), CStr::as_ptr))
}

/// Makes the superblock.
pub(crate) fn fsconfig_create(context: RawFd) -> Result<()> {
    fsconfig(context, FSCONFIG_CMD_CREATE, ptr::null(), ptr::null())
}

/// Applies what was set to an existing superblock.
pub(crate) fn fsconfig_reconfigure(context: RawFd) -> Result<()> {
    fsconfig(context, FSCONFIG_CMD_RECONFIGURE, ptr::null(), ptr::null())
}

fn fsconfig(
    context: RawFd,
    command: c_uint,
    key: *const libc::c_char,
    value: *const libc::c_char,
) -> Result<()> {
    // SAFETY: the callers above pass valid C strings or null, as the command demands.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, context, command, key, value, 0) }).map(drop)
}

/// The mount of a context that was created, not attached anywhere yet.
///
/// <https://man7.org/linux/man-pages/man2/fsmount.2.html>
pub(crate) fn fsmount(context: RawFd, attributes: u64) -> Result<RawFd> {
    // SAFETY: takes no pointer.
    let fd =
        unsafe { libc::syscall(libc::SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes as c_uint) };
    check(fd).map(|fd| fd as RawFd)
}

/// The classic call, on the current directory: for what fsconfig(2) cannot pass (a value of more
/// than 255 bytes).
///
/// <https://man7.org/linux/man-pages/man2/mount.2.html>
pub(crate) fn mount_here(source: &CStr, fstype: &CStr, flags: u64, data: &CStr) -> Result<()> {
    // SAFETY: all four are valid C strings.
    done(unsafe {
        libc::mount(source.as_ptr(), c".".as_ptr(), fstype.as_ptr(), flags, data.as_ptr().cast())
    })
}

/// pivot_root(".", "."): the current directory becomes the root, the old root is mounted over it.
///
/// <https://man7.org/linux/man-pages/man2/pivot_root.2.html>
pub(crate) fn pivot_root_here() -> Result<()> {
    // SAFETY: both paths are valid C strings.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) }).map(drop)
}

/// Takes away, lazily, what is mounted over the current directory.
///
/// <https://man7.org/linux/man-pages/man2/umount2.2.html>
pub(crate) fn detach_here() -> Result<()> {
    // SAFETY: the path is a valid C string.
    done(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) })
}

/// Takes away the mount whose root is at a path that the caller trusts (of the host), with all that is
/// mounted on it. Links are followed, for `/proc/self/fd`.
///
/// <https://man7.org/linux/man-pages/man2/umount.2.html>
pub(crate) fn detach(path: &CStr) -> Result<()> {
    // SAFETY: the path is a valid C string.
    done(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) })
}

/// The number of the mount that `fd` is on, attached or not: one that no other mount has had since the
/// machine was started, or, before Linux 6.8, that no other has now.
///
/// <https://man7.org/linux/man-pages/man2/statx.2.html>
pub(crate) fn mount_id(fd: RawFd) -> Result<u64> {
    let mut found = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // A kernel that does not know the second gives the first.
    let mask = libc::STATX_MNT_ID | libc::STATX_MNT_ID_UNIQUE;
    let flags = libc::AT_EMPTY_PATH;
    // SAFETY: the path is a valid C string, and the kernel fills one statx.
    done(unsafe { libc::statx(fd, c"".as_ptr(), flags, mask, found.as_mut_ptr()) })?;
    // SAFETY: all zeros are a statx, and the kernel has filled it.
    Ok(unsafe { found.assume_init() }.stx_mnt_id)
}

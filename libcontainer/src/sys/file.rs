//! Files and directories, always relative to a descriptor.

use super::{Errno, Result, check, check_int, done, retry};
use std::ffi::{CStr, c_int, c_uint};
use std::os::fd::RawFd;

/// How far the resolution of a path may go; `RESOLVE_*` of openat2(2).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolve {
    /// Every link, also an absolute one, stays below the directory; no magic links.
    InRoot,
    /// The same, and a link anywhere on the way is an error (ELOOP).
    InRootNoLinks,
    /// One new component: no link at all, nothing upwards.
    Component,
    /// Below the directory, on the same mount, no magic links: for procfs.
    SameMount,
}

impl Resolve {
    pub(super) const fn bits(self) -> u64 {
        match self {
            Self::InRoot => libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS,
            Self::InRootNoLinks => libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS,
            Self::Component => libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS,
            Self::SameMount => {
                libc::RESOLVE_BENEATH | libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_MAGICLINKS
            }
        }
    }
}

/// Opens `path` below `dir`. O_CLOEXEC is always set.
///
/// <https://man7.org/linux/man-pages/man2/openat2.2.html>
pub(crate) fn openat2(dir: RawFd, path: &CStr, flags: c_int, resolve: Resolve) -> Result<RawFd> {
    openat2_mode(dir, path, flags, 0, resolve)
}

/// The same, with the mode of a file that may be made (O_CREAT).
pub(crate) fn openat2_mode(
    dir: RawFd,
    path: &CStr,
    flags: c_int,
    mode: u32,
    resolve: Resolve,
) -> Result<RawFd> {
    // SAFETY: open_how is plain numbers.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.mode = u64::from(mode);
    how.resolve = resolve.bits();
    // openat2 gives EAGAIN when a rename anywhere raced with a `..`: try again, a bounded number of times.
    let mut tries = 0;
    loop {
        // SAFETY: `path` is a valid C string and `how` is valid for the size given.
        let fd = check(unsafe {
            libc::syscall(
                libc::SYS_openat2,
                dir,
                path.as_ptr(),
                &raw const how,
                size_of::<libc::open_how>(),
            )
        });
        match fd {
            Err(Errno(libc::EAGAIN | libc::EINTR)) if tries < 64 => tries += 1,
            other => return other.map(|fd| fd as RawFd),
        }
    }
}

/// Opens a path that the caller trusts (of the host), as it is.
///
/// <https://man7.org/linux/man-pages/man2/openat.2.html>
pub(crate) fn open(path: &CStr, flags: c_int) -> Result<RawFd> {
    // SAFETY: `path` is a valid C string.
    retry(|| check_int(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) }))
}

/// Opens or makes `name` in `dir`, following nothing.
pub(crate) fn openat(dir: RawFd, name: &CStr, flags: c_int, mode: u32) -> Result<RawFd> {
    let flags = flags | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    // SAFETY: `name` is a valid C string.
    retry(|| check_int(unsafe { libc::openat(dir, name.as_ptr(), flags, mode) }))
}

pub(crate) fn close(fd: RawFd) {
    // SAFETY: takes no pointer; the callers close only descriptors that they opened.
    unsafe { libc::close(fd) };
}

/// Marks every descriptor from `first` up as close-on-exec.
///
/// <https://man7.org/linux/man-pages/man2/close_range.2.html>
pub(crate) fn cloexec_from(first: u32) -> Result<()> {
    // SAFETY: takes no pointer.
    let value = unsafe {
        libc::syscall(libc::SYS_close_range, first, c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    check(value).map(drop)
}

/// How flock(2) locks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flock {
    Exclusive,
    Shared,
    TryShared,
}

/// <https://man7.org/linux/man-pages/man2/flock.2.html>
pub(crate) fn lock(fd: RawFd, how: Flock) -> Result<()> {
    let operation = match how {
        Flock::Exclusive => libc::LOCK_EX,
        Flock::Shared => libc::LOCK_SH,
        Flock::TryShared => libc::LOCK_SH | libc::LOCK_NB,
    };
    // SAFETY: takes no pointer.
    retry(|| done(unsafe { libc::flock(fd, operation) }))
}

/// Whether execve(2) would pass a descriptor on; EBADF if it is not open.
pub(crate) fn is_passed_on_exec(fd: RawFd) -> Result<bool> {
    // SAFETY: F_GETFD takes no argument.
    let flags = check_int(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    Ok(flags & libc::FD_CLOEXEC == 0)
}

/// Lets execve(2) pass a descriptor on.
pub(crate) fn keep_on_exec(fd: RawFd) -> Result<()> {
    // SAFETY: F_SETFD takes a number.
    done(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })
}

/// Closes the descriptors from `first` to `last`.
pub(crate) fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: takes no pointer; the callers are children that need none of these any more.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// <https://man7.org/linux/man-pages/man2/mkdirat.2.html>
pub(crate) fn mkdirat(dir: RawFd, name: &CStr, mode: u32) -> Result<()> {
    // SAFETY: `name` is a valid C string.
    done(unsafe { libc::mkdirat(dir, name.as_ptr(), mode) })
}

/// <https://man7.org/linux/man-pages/man2/mknodat.2.html>
pub(crate) fn mknodat(dir: RawFd, name: &CStr, mode: u32, device: u64) -> Result<()> {
    // SAFETY: `name` is a valid C string.
    done(unsafe { libc::mknodat(dir, name.as_ptr(), mode, device) })
}

/// <https://man7.org/linux/man-pages/man2/symlinkat.2.html>
pub(crate) fn symlinkat(target: &CStr, dir: RawFd, name: &CStr) -> Result<()> {
    // SAFETY: both are valid C strings.
    done(unsafe { libc::symlinkat(target.as_ptr(), dir, name.as_ptr()) })
}

/// Removes a file (not a directory).
pub(crate) fn unlinkat(dir: RawFd, name: &CStr) -> Result<()> {
    // SAFETY: `name` is a valid C string.
    done(unsafe { libc::unlinkat(dir, name.as_ptr(), 0) })
}

/// Reads a link into `buffer`; its length.
///
/// <https://man7.org/linux/man-pages/man2/readlinkat.2.html>
pub(crate) fn readlinkat(dir: RawFd, name: &CStr, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: `name` is a valid C string, `buffer` is valid for the length given.
    let read =
        unsafe { libc::readlinkat(dir, name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    check(read as libc::c_long).map(|read| read as usize)
}

/// What kind of file `fd` is, and whose.
pub(crate) fn fstat(fd: RawFd) -> Result<libc::stat> {
    // SAFETY: stat is plain numbers.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is valid for writing.
    done(unsafe { libc::fstat(fd, &raw mut stat) })?;
    Ok(stat)
}

/// The same for `name` in `dir`, following nothing.
pub(crate) fn fstatat(dir: RawFd, name: &CStr) -> Result<libc::stat> {
    // SAFETY: stat is plain numbers.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is a valid C string and `stat` is valid for writing.
    done(unsafe { libc::fstatat(dir, name.as_ptr(), &raw mut stat, libc::AT_SYMLINK_NOFOLLOW) })?;
    Ok(stat)
}

/// Of procfs, in `linux/magic.h`.
pub(crate) const PROC_SUPER_MAGIC: libc::c_long = 0x9fa0;

/// The magic number of the filesystem that `fd` is on.
///
/// <https://man7.org/linux/man-pages/man2/fstatfs.2.html>
pub(crate) fn filesystem_magic(fd: RawFd) -> Result<libc::c_long> {
    // SAFETY: statfs is plain numbers.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is valid for writing.
    done(unsafe { libc::fstatfs(fd, &raw mut stat) })?;
    Ok(stat.f_type as libc::c_long)
}

/// The `CLONE_NEW*` flag of a namespace file.
///
/// <https://man7.org/linux/man-pages/man2/NS_GET_NSTYPE.2const.html>
pub(crate) fn namespace_type(fd: RawFd) -> Result<u64> {
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    // SAFETY: NS_GET_NSTYPE takes no argument.
    check_int(unsafe { libc::ioctl(fd, NS_GET_NSTYPE as _) }).map(|flag| flag as u64)
}

/// The user namespace that owns a namespace; EPERM when it is not the caller's or below it.
///
/// <https://man7.org/linux/man-pages/man2/NS_GET_USERNS.2const.html>
pub(crate) fn owning_user_namespace(fd: RawFd) -> Result<std::os::fd::OwnedFd> {
    const NS_GET_USERNS: libc::c_ulong = 0xb701;
    // SAFETY: NS_GET_USERNS takes no argument.
    check_int(unsafe { libc::ioctl(fd, NS_GET_USERNS as _) }).map(super::process::own)
}

pub(crate) fn is_directory(stat: &libc::stat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

/// Whether the file at `path` (of this process's root) may be executed by the effective user.
///
/// <https://man7.org/linux/man-pages/man2/faccessat2.2.html>
pub(crate) fn may_execute(path: &CStr) -> Result<()> {
    // SAFETY: `path` is a valid C string.
    let value = unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::X_OK,
            libc::AT_EACCESS,
        )
    };
    check(value).map(drop)
}

/// The mode of the file at `path`, links followed.
pub(crate) fn mode_of(path: &CStr) -> Result<u32> {
    // SAFETY: stat is plain numbers.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `path` is a valid C string and `stat` is valid for writing.
    done(unsafe { libc::stat(path.as_ptr(), &raw mut stat) })?;
    Ok(stat.st_mode)
}

/// Reads up to `buffer.len()` bytes.
pub(crate) fn read(fd: RawFd, buffer: &mut [u8]) -> Result<usize> {
    let read = retry(|| {
        // SAFETY: `buffer` is valid for the length given.
        check(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) } as libc::c_long)
    })?;
    Ok(read as usize)
}

/// Writes all of `bytes`.
pub(crate) fn write_all(fd: RawFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let written = retry(|| {
            // SAFETY: `bytes` is valid for the length given.
            check(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } as libc::c_long)
        })?;
        bytes = bytes.get(written as usize..).unwrap_or_default();
    }
    Ok(())
}

/// <https://man7.org/linux/man-pages/man2/fchown.2.html>; a uid or gid of `u32::MAX` stays.
pub(crate) fn fchown(fd: RawFd, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: takes no pointer.
    done(unsafe { libc::fchown(fd, uid, gid) })
}

/// Gives `name` in `dir` to a user and a group, following nothing.
pub(crate) fn fchownat(dir: RawFd, name: &CStr, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: `name` is a valid C string.
    done(unsafe { libc::fchownat(dir, name.as_ptr(), uid, gid, libc::AT_SYMLINK_NOFOLLOW) })
}

/// <https://man7.org/linux/man-pages/man2/fsetxattr.2.html>
pub(crate) fn fsetxattr(fd: RawFd, name: &CStr, value: &[u8]) -> Result<()> {
    // SAFETY: `name` is a valid C string, `value` is valid for its length.
    done(unsafe { libc::fsetxattr(fd, name.as_ptr(), value.as_ptr().cast(), value.len(), 0) })
}

pub(crate) fn fchmod(fd: RawFd, mode: u32) -> Result<()> {
    // SAFETY: takes no pointer.
    done(unsafe { libc::fchmod(fd, mode) })
}

/// Sets access and modification time in nanoseconds of `name` in `dir`, following nothing.
pub(crate) fn utimensat(dir: RawFd, name: &CStr, from: &libc::stat) -> Result<()> {
    let times = [
        libc::timespec { tv_sec: from.st_atime, tv_nsec: from.st_atime_nsec },
        libc::timespec { tv_sec: from.st_mtime, tv_nsec: from.st_mtime_nsec },
    ];
    // SAFETY: `name` is a valid C string and `times` has two elements.
    done(unsafe { libc::utimensat(dir, name.as_ptr(), times.as_ptr(), libc::AT_SYMLINK_NOFOLLOW) })
}

/// Copies what is left of one file to another inside the kernel; how much of it.
///
/// <https://man7.org/linux/man-pages/man2/sendfile.2.html>
pub(crate) fn sendfile(to: RawFd, from: RawFd, count: usize) -> Result<usize> {
    // SAFETY: a null offset means the file's own position.
    let sent = unsafe { libc::sendfile(to, from, std::ptr::null_mut(), count) };
    check(sent as libc::c_long).map(|sent| sent as usize)
}

/// Fills `buffer` with directory entries (`struct linux_dirent64`); how many bytes.
///
/// <https://man7.org/linux/man-pages/man2/getdents64.2.html>
pub(crate) fn getdents64(dir: RawFd, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: `buffer` is valid for the length given.
    let read =
        unsafe { libc::syscall(libc::SYS_getdents64, dir, buffer.as_mut_ptr(), buffer.len()) };
    check(read).map(|read| read as usize)
}

/// <https://man7.org/linux/man-pages/man2/dup3.2.html>, the copy without close-on-exec.
pub(crate) fn dup_to(fd: RawFd, to: RawFd) -> Result<()> {
    // SAFETY: takes no pointer.
    done(unsafe { libc::dup2(fd, to) })
}

pub(crate) fn fchdir(fd: RawFd) -> Result<()> {
    // SAFETY: takes no pointer.
    done(unsafe { libc::fchdir(fd) })
}

/// The current directory becomes this process's root.
pub(crate) fn chroot_here() -> Result<()> {
    // SAFETY: the path is a valid C string.
    done(unsafe { libc::chroot(c".".as_ptr()) })
}

/// Whether the current directory can be reached from the root (getcwd(2) says `(unreachable)` else).
pub(crate) fn cwd_is_reachable() -> Result<bool> {
    let mut buffer = [0u8; libc::PATH_MAX as usize];
    // SAFETY: `buffer` is valid for the length given.
    check(unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) })?;
    Ok(buffer[0] == b'/')
}

/// <https://man7.org/linux/man-pages/man2/umask.2.html>
pub(crate) fn umask(mask: u32) -> u32 {
    // SAFETY: takes no pointer and cannot fail.
    unsafe { libc::umask(mask) }
}

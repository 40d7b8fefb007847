//! `tmpcopyup`: a new tmpfs begins with what the image has at its mount point.

use super::Context;
use crate::plan::CopyUp;
use crate::sys::{Errno, Result, file};
use std::ffi::CStr;
use std::os::fd::RawFd;

/// Deeper trees than this are refused: each level has a buffer on the stack.
const DEEPEST: usize = 64;

impl Context<'_> {
    /// Copies the directory `from` (an O_PATH descriptor) into the mount `to`.
    pub(super) fn copy_up(&mut self, from: RawFd, to: RawFd, what: CopyUp) -> Result<()> {
        let from = file::openat2(
            from,
            c".",
            libc::O_RDONLY | libc::O_DIRECTORY,
            file::Resolve::Component,
        )?;
        let stat = file::fstat(from)?;
        let to =
            file::openat2(to, c".", libc::O_RDONLY | libc::O_DIRECTORY, file::Resolve::Component)?;
        let copied = copy_directory(from, to, 0).and_then(|()| own_root(to, &stat, what));
        file::close(from);
        file::close(to);
        copied
    }
}

/// Of `stat`, what is wanted goes to `fd`.
fn own_root(fd: RawFd, stat: &libc::stat, what: CopyUp) -> Result<()> {
    const UNCHANGED: u32 = u32::MAX;
    let uid = if what.uid { stat.st_uid } else { UNCHANGED };
    let gid = if what.gid { stat.st_gid } else { UNCHANGED };
    tolerate(file::fchown(fd, uid, gid))?;
    if what.mode { file::fchmod(fd, stat.st_mode & 0o7777) } else { Ok(()) }
}

/// The owner and the permissions of `stat` go to `fd`.
fn own(fd: RawFd, stat: &libc::stat) -> Result<()> {
    tolerate(file::fchown(fd, stat.st_uid, stat.st_gid))?;
    file::fchmod(fd, stat.st_mode & 0o7777)
}

/// Whose owner has no number in this user namespace stays with whoever copies.
fn tolerate(changed: Result<()>) -> Result<()> {
    match changed {
        Err(Errno(libc::EINVAL | libc::EPERM)) => Ok(()),
        changed => changed,
    }
}

fn copy_directory(from: RawFd, to: RawFd, depth: usize) -> Result<()> {
    if depth == DEEPEST {
        return Err(Errno(libc::ELOOP));
    }
    let mut buffer = [0u8; 2048];
    loop {
        let length = file::getdents64(from, &mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some((name, next)) = entry(rest) {
            if name != c"." && name != c".." {
                copy_entry(from, to, name, depth)?;
            }
            rest = next;
        }
    }
}

/// The name of the first `struct linux_dirent64`, and what comes after it.
fn entry(bytes: &[u8]) -> Option<(&CStr, &[u8])> {
    const RECORD_LENGTH: usize = 16;
    const NAME: usize = 19;
    let length = bytes.get(RECORD_LENGTH..RECORD_LENGTH + 2)?;
    let length = usize::from(u16::from_ne_bytes(length.try_into().ok()?));
    let name = CStr::from_bytes_until_nul(bytes.get(NAME..length)?).ok()?;
    Some((name, bytes.get(length..)?))
}

fn copy_entry(from: RawFd, to: RawFd, name: &CStr, depth: usize) -> Result<()> {
    let stat = file::fstatat(from, name)?;
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR => {
            file::mkdirat(to, name, 0o700)?;
            let flags = libc::O_RDONLY | libc::O_DIRECTORY;
            let (source, target) =
                (file::openat(from, name, flags, 0)?, file::openat(to, name, flags, 0)?);
            copy_directory(source, target, depth + 1)?;
            own(target, &stat)?;
            file::close(source);
            file::close(target);
        }
        libc::S_IFREG => copy_file(from, to, name, &stat)?,
        libc::S_IFLNK => {
            let mut target = [0u8; libc::PATH_MAX as usize];
            let room = target.get_mut(..libc::PATH_MAX as usize - 1).unwrap_or_default();
            file::readlinkat(from, name, room)?;
            let target =
                CStr::from_bytes_until_nul(&target).map_err(|_| Errno(libc::ENAMETOOLONG))?;
            file::symlinkat(target, to, name)?;
            tolerate(file::fchownat(to, name, stat.st_uid, stat.st_gid))?;
        }
        _ => {
            file::mknodat(to, name, stat.st_mode, stat.st_rdev)?;
            tolerate(file::fchownat(to, name, stat.st_uid, stat.st_gid))?;
        }
    }
    file::utimensat(to, name, &stat)
}

fn copy_file(from: RawFd, to: RawFd, name: &CStr, stat: &libc::stat) -> Result<()> {
    const CHUNK: usize = 1 << 20;
    let source = file::openat(from, name, libc::O_RDONLY | libc::O_NONBLOCK, 0)?;
    let target = file::openat(to, name, libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY, 0o600)?;
    while file::sendfile(target, source, CHUNK)? > 0 {}
    own(target, stat)?;
    file::close(source);
    file::close(target);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_taken_apart() {
        let mut bytes = vec![0u8; 24];
        bytes[16] = 24;
        bytes[19..22].copy_from_slice(b"ab\0");
        let (name, rest) = entry(&bytes).unwrap();
        assert_eq!((name, rest.len()), (c"ab", 0));
        assert!(entry(&bytes[..10]).is_none());
        bytes[16] = 200;
        assert!(entry(&bytes).is_none());
    }
}

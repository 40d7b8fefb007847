//! Paths inside the root filesystem: opened, and made, through its descriptor.
//!
//! The image decides what links are there, and other containers may change them at any time. So
//! the kernel resolves (openat2 with RESOLVE_IN_ROOT), and what is missing is made one component
//! at a time in a directory that is held open, without following anything (CVE-2024-45310).

use super::Context;
use crate::plan::RootPath;
use crate::sys::file::{self, Resolve};
use crate::sys::{Errno, Result};
use std::ffi::CStr;
use std::os::fd::RawFd;

/// What is made where nothing is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Make {
    Directory,
    File,
}

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// The modes of what is made, as runc has them.
const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// A path on the stack.
struct Path {
    bytes: [u8; libc::PATH_MAX as usize],
    length: usize,
}

impl Path {
    fn new() -> Self {
        Self { bytes: [0; libc::PATH_MAX as usize], length: 0 }
    }

    fn push(&mut self, part: &[u8]) -> Result<()> {
        let end = self.length + part.len();
        // One byte stays for the NUL.
        let room = self.bytes.get_mut(self.length..end).filter(|_| end < libc::PATH_MAX as usize);
        room.ok_or(Errno(libc::ENAMETOOLONG))?.copy_from_slice(part);
        self.length = end;
        Ok(())
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn as_c_str(&self) -> Result<&CStr> {
        let bytes = self.bytes.get(..=self.length).unwrap_or_default();
        CStr::from_bytes_until_nul(bytes).map_err(|_| Errno(libc::EINVAL))
    }

    fn from(parts: &[&[u8]]) -> Result<Self> {
        let mut path = Self::new();
        for part in parts {
            path.push(part)?;
        }
        Ok(path)
    }
}

/// Opens `path` below `root` as an O_PATH descriptor, making what is missing of it. Links are
/// followed inside the root, also those whose target is not there yet.
pub(super) fn open_or_make(root: RawFd, path: &CStr, make: Make) -> Result<RawFd> {
    match file::openat2(root, path, libc::O_PATH, Resolve::InRoot) {
        Err(Errno(libc::ENOENT)) => self::make(root, path, make),
        other => other,
    }
}

/// The same for a path that is known not to be there.
pub(super) fn make(root: RawFd, path: &CStr, make: Make) -> Result<RawFd> {
    let mut wanted = Path::from(&[path.to_bytes()])?;
    for _ in 0..MOST_LINKS {
        let mut instead = Path::new();
        if let Some(fd) = walk(root, wanted.as_bytes(), make, &mut instead)? {
            return Ok(fd);
        }
        wanted = instead;
    }
    Err(Errno(libc::ELOOP))
}

/// Makes `name` in a directory in which nothing of that name can be.
pub(super) fn make_new(directory: RawFd, name: &CStr, make: Make) -> Result<RawFd> {
    make_component(directory, name.to_bytes(), make)?.ok_or(Errno(libc::ELOOP))
}

/// Goes down `path`, making what is missing. When a link whose target is missing is on the way,
/// `None`, and in `instead` the path to walk instead.
fn walk(root: RawFd, path: &[u8], make: Make, instead: &mut Path) -> Result<Option<RawFd>> {
    let mut directory = root;
    let mut start = 0;
    loop {
        let rest = path.get(start..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let end = start + length;
        let last = !path.get(end..).unwrap_or_default().iter().any(|byte| *byte != b'/');
        let name = rest.get(..length).unwrap_or_default();
        if !name.is_empty() {
            let made = if last { make } else { Make::Directory };
            let prefix = Path::from(&[path.get(..end).unwrap_or_default()])?;
            let next = match file::openat2(root, prefix.as_c_str()?, libc::O_PATH, Resolve::InRoot)
            {
                Err(Errno(libc::ENOENT)) => make_component(directory, name, made)?,
                other => Some(other?),
            };
            let Some(next) = next else {
                *instead = link(directory, path, start, end)?;
                return Ok(None);
            };
            if directory != root {
                file::close(directory);
            }
            directory = next;
        }
        if last {
            return Ok(Some(directory));
        }
        start = end + 1;
    }
}

/// Makes `name` and opens it; `None` when a link of that name is in the way.
fn make_component(directory: RawFd, name: &[u8], make: Make) -> Result<Option<RawFd>> {
    let name = Path::from(&[name])?;
    let name = name.as_c_str()?;
    let made = match make {
        Make::Directory => file::mkdirat(directory, name, DIRECTORY_MODE),
        Make::File => {
            let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
            file::openat(directory, name, flags, FILE_MODE).map(file::close)
        }
    };
    match made {
        Ok(()) => {}
        // Somebody else made it at the same time, or it is a link to nothing.
        Err(Errno(libc::EEXIST)) => {}
        Err(errno) => return Err(errno),
    }
    match file::openat2(directory, name, libc::O_PATH, Resolve::Component) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno(libc::ELOOP)) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The path with the link at `start..end` replaced by what it says.
fn link(directory: RawFd, path: &[u8], start: usize, end: usize) -> Result<Path> {
    let name = Path::from(&[path.get(start..end).unwrap_or_default()])?;
    let mut target = [0u8; libc::PATH_MAX as usize];
    let length = file::readlinkat(directory, name.as_c_str()?, &mut target)?;
    let target = target.get(..length).unwrap_or_default();
    let before =
        if target.first() == Some(&b'/') { &[][..] } else { path.get(..start).unwrap_or_default() };
    let first = target.iter().position(|byte| *byte != b'/').unwrap_or(target.len());
    let target = target.get(first..).unwrap_or_default();
    let rest = path.get(end..).unwrap_or_default();
    Path::from(&[before, target, rest])
}

impl Context<'_> {
    pub(super) fn open_directory(&mut self, path: &RootPath, place: usize) -> Result<()> {
        let root = self.root()?;
        let fd = open_or_make(root, path.as_c_str(), Make::Directory)?;
        let slot = self.directories.get_mut(place).ok_or(Errno(libc::EBADF))?;
        *slot = fd;
        Ok(())
    }

    /// The working directory is made when it is missing, as runc does.
    pub(super) fn working_directory(&mut self, path: &RootPath) -> Result<()> {
        let root = self.root()?;
        let fd = open_or_make(root, path.as_c_str(), Make::Directory)?;
        self.state.scratch.push(fd);
        Ok(())
    }

    pub(super) fn directory(&self, place: usize) -> Result<RawFd> {
        self.directories.get(place).copied().ok_or(Errno(libc::EBADF))
    }
}

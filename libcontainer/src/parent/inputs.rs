//! Opens what the child is to be given.

use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Input, Namespace};
use crate::sys::{file, mount, process};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

const NSFS_MAGIC: libc::c_long = 0x6e73_6673;

/// An input: ours to close, or the caller's.
pub(super) enum Opened {
    Owned(OwnedFd),
    Given(RawFd),
}

impl AsRawFd for Opened {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Owned(fd) => fd.as_raw_fd(),
            Self::Given(fd) => *fd,
        }
    }
}

pub(super) fn open(inputs: &[Input]) -> Result<Vec<Opened>> {
    inputs.iter().map(open_one).collect()
}

fn open_one(input: &Input) -> Result<Opened> {
    match input {
        Input::Namespace { kind, path, field } => {
            namespace(*kind, path).map_err(|error| error.field(field.clone())).map(Opened::Owned)
        }
        Input::Tree { path, recursive, slave, field } => tree(path, *recursive, *slave)
            .map_err(|errno| {
                Error::system(format!("bind source {}", path.to_string_lossy()), errno)
                    .field(field.clone())
            })
            .map(Opened::Owned),
        Input::Given(fd) => Ok(Opened::Given(*fd)),
    }
}

/// A namespace file of the right kind: anything else would only be refused much later.
fn namespace(kind: Namespace, path: &CStr) -> Result<OwnedFd> {
    let name = path.to_string_lossy();
    // O_NONBLOCK: a FIFO at that path must not hang us.
    let fd = file::open(path, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY)
        .map(process::own)
        .map_err(|errno| Error::system(format!("open {name}"), errno))?;
    let wrong = || {
        Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "{name} is no {} namespace; name a file like /proc/PID/ns/{}",
                kind.name, kind.file
            ),
        )
    };
    let is_namespace =
        file::filesystem_magic(fd.as_raw_fd()).is_ok_and(|magic| magic == NSFS_MAGIC);
    if !is_namespace || file::namespace_type(fd.as_raw_fd()) != Ok(kind.flag) {
        return Err(wrong());
    }
    Ok(fd)
}

/// A copy of a host tree; a slave receives the host's mounts and gives it none.
fn tree(path: &CStr, recursive: bool, slave: bool) -> crate::sys::Result<OwnedFd> {
    let fd = process::own(mount::open_tree(libc::AT_FDCWD, path, recursive)?);
    if slave {
        mount::mount_setattr(fd.as_raw_fd(), c"", true, &crate::plan::slave())?;
    }
    Ok(fd)
}

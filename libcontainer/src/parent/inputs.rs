//! Opens what the child is to be given.

use super::idmap::Namespaces;
use crate::config::namespaces;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Host, Input, Namespace, Plan};
use crate::procfs;
use crate::sys::mount::MountAttr;
use crate::sys::{file, mount, process};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

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

pub(super) fn open(plan: &Plan, host: &Host) -> Result<Vec<Opened>> {
    let inputs = &plan.inputs;
    let mut namespaces = Namespaces::new(host);
    let mut all: Vec<Opened> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let opened = open_one(plan, input)?;
        if let Opened::Owned(tree) = &opened {
            namespaces.map(tree.as_fd(), input, |place| all.get(place).map(Opened::as_raw_fd))?;
        }
        all.push(opened);
    }
    Ok(all)
}

fn open_one(plan: &Plan, input: &Input) -> Result<Opened> {
    match input {
        Input::Namespace { kind, path, field } => {
            let opened = namespace(*kind, path).map_err(|error| error.field(field.clone()))?;
            if let Some(setting) = plan.changed_in(*kind)
                && is_our_own(*kind, &opened)?
            {
                return Err(of_the_caller(setting, *kind, field));
            }
            Ok(Opened::Owned(opened))
        }
        Input::Tree { path, recursive, propagation, field, .. } => {
            tree(path, *recursive, propagation.as_ref())
                .map_err(|errno| {
                    Error::system(format!("bind source {}", path.to_string_lossy()), errno)
                        .field(field.clone())
                })
                .map(Opened::Owned)
        }
        Input::Filesystem { fstype, parameters, field, .. } => filesystem(fstype, parameters)
            .map_err(|error| error.field(field.clone()))
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
    if kind == namespaces::MOUNT && is_our_own(kind, &fd)? {
        // Nothing would take away what is mounted in it.
        let text = format!(
            "path {name} is the caller's own mount namespace; leave the entry out to use that, or path to make another"
        );
        return Err(Error::new(ErrorKind::InvalidConfig, text));
    }
    Ok(fd)
}

/// What is set there would be set for the caller, too, and whoever else has the namespace.
fn of_the_caller(setting: &str, kind: Namespace, field: &str) -> Error {
    let text = format!(
        "would be set for the caller, whose own {} namespace {field} names; take it out, or name another namespace",
        kind.name
    );
    Error::new(ErrorKind::InvalidConfig, text).field(setting)
}

fn is_our_own(kind: Namespace, named: &OwnedFd) -> Result<bool> {
    let named = file::fstat(named.as_raw_fd())
        .map_err(|errno| Error::system(format!("look at the {} namespace", kind.name), errno))?;
    Ok(named.st_ino == procfs::namespace("thread-self", kind.file)?)
}

/// A copy of a host tree.
fn tree(
    path: &CStr,
    recursive: bool,
    propagation: Option<&MountAttr>,
) -> crate::sys::Result<OwnedFd> {
    let fd = process::own(mount::open_tree(libc::AT_FDCWD, path, recursive)?);
    if let Some(propagation) = propagation {
        mount::mount_setattr(fd.as_raw_fd(), c"", true, propagation)?;
    }
    Ok(fd)
}

/// A file system that is not attached anywhere.
fn filesystem(fstype: &CStr, parameters: &[(CString, Option<CString>)]) -> Result<OwnedFd> {
    let name = fstype.to_string_lossy();
    let failed = |errno| Error::system(format!("mount {name}"), errno);
    let context = mount::fsopen(fstype).map(process::own).map_err(failed)?;
    let fd = context.as_raw_fd();
    let configured = parameters
        .iter()
        .try_for_each(|(key, value)| mount::fsconfig_set(fd, key, value.as_deref()))
        .and_then(|()| mount::fsconfig_create(fd))
        .and_then(|()| mount::fsmount(fd, 0));
    configured.map(process::own).map_err(|errno| match kernel_text(fd) {
        Some(text) => Error::system(format!("mount {name}: {text}"), errno),
        None => failed(errno),
    })
}

/// What a file system says in words, read from its context.
fn kernel_text(context: RawFd) -> Option<String> {
    let mut text = [0u8; 256];
    let length = file::read(context, &mut text).ok()?;
    let text = String::from_utf8_lossy(text.get(..length)?).into_owned();
    text.lines().find_map(|line| line.strip_prefix("e ")).map(str::to_owned)
}

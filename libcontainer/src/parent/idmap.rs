//! Id-mapped mounts: the user namespaces with the mappings, and mount_setattr(2) with them.
//!
//! The kernel takes a mapping as a user namespace, and there is none without a process. So one is
//! cloned for each mapping that is not the container's own: it is given the maps, its namespace is
//! opened, and it is gone before the container's process is made. Should we be killed in between, its
//! socket ends, and so does it.

use super::{Child, descriptors_between, id_maps};
use crate::child;
use crate::error::{Error, ErrorKind, Result, describe};
use crate::plan::{Host, IdMapping, IdMaps, Ids, Input, Plan};
use crate::sys::mount::{self, MountAttr};
use crate::sys::{Errno, clone, socket};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

/// The user namespaces that were made for mounts, by their maps.
pub(super) struct Namespaces<'a> {
    host: &'a Host,
    made: Vec<(&'a IdMaps, OwnedFd)>,
}

impl<'a> Namespaces<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        Self { host, made: Vec::new() }
    }

    /// Maps a mount that is not attached yet; not if by the container's user namespace, which is not
    /// there yet. `joined` are the inputs so far.
    pub(super) fn map(
        &mut self,
        tree: BorrowedFd,
        input: &'a Input,
        joined: impl Fn(usize) -> Option<RawFd>,
    ) -> Result<()> {
        let Some(mapping) = input.idmap() else { return Ok(()) };
        let namespace = match &mapping.ids {
            Ids::Containers => return Ok(()),
            Ids::Joined(place) => joined(*place).unwrap_or(-1),
            Ids::Own(maps) => self.with(maps).map_err(|error| error.field(field(input)))?,
        };
        set(tree.as_raw_fd(), namespace, mapping, input)
    }

    fn with(&mut self, maps: &'a IdMaps) -> Result<RawFd> {
        if let Some((_, made)) = self.made.iter().find(|(own, _)| *own == maps) {
            return Ok(made.as_raw_fd());
        }
        let made = make(maps, self.host)?;
        let fd = made.as_raw_fd();
        self.made.push((maps, made));
        Ok(fd)
    }
}

/// Maps what is to be mapped by the container's own user namespace, now that it has its maps.
pub(super) fn by_container(plan: &Plan, inputs: &[RawFd], pid: i32) -> Result<()> {
    let mut namespace = None;
    for (place, input) in plan.mapped_by_container() {
        let namespace = match &namespace {
            Some(namespace) => namespace,
            None => {
                namespace.insert(user_namespace(pid).map_err(|error| error.field(field(input)))?)
            }
        };
        let (Some(tree), Some(mapping)) = (inputs.get(place), input.idmap()) else { continue };
        set(*tree, namespace.as_raw_fd(), mapping, input)?;
    }
    Ok(())
}

const NO_NAMESPACE: &str = "; the kernel makes none in a chroot, and where a sysctl forbids them";

fn make(maps: &IdMaps, host: &Host) -> Result<OwnedFd> {
    let (ours, theirs) = socket::pair().map_err(|errno| Error::system("socketpair", errno))?;
    let others = descriptors_between(0, [theirs.as_raw_fd()].into_iter());
    let cloned = clone::clone3(libc::CLONE_NEWUSER as u64, None);
    if matches!(cloned, Ok(None)) {
        child::hold(theirs.as_raw_fd(), &others);
    }
    let failed = |errno: Errno| {
        let hint = if errno.0 == libc::EPERM { NO_NAMESPACE } else { "" };
        let source = io::Error::from(errno);
        let text = format!("make a user namespace for an id mapping: {}{hint}", describe(&source));
        Error::new(ErrorKind::Setup, text).hide(source)
    };
    let Some(cloned) = cloned.map_err(failed)? else {
        return Err(Error::new(ErrorKind::System, "clone3 returned twice"));
    };
    let child = Child::new(cloned.pid, cloned.pidfd);
    drop(theirs);
    id_maps::write(child.pid, maps, host)?;
    let namespace = user_namespace(child.pid)?;
    drop(ours);
    Ok(namespace)
}

fn user_namespace(pid: i32) -> Result<OwnedFd> {
    let path = format!("/proc/{pid}/ns/user");
    let opened = File::open(&path).map_err(|error| Error::system(format!("open {path}"), error));
    opened.map(OwnedFd::from)
}

fn field(input: &Input) -> &str {
    match input {
        Input::Tree { field, .. }
        | Input::Filesystem { field, .. }
        | Input::Namespace { field, .. } => field,
        Input::Given(_) => "",
    }
}

fn set(tree: RawFd, namespace: RawFd, mapping: &IdMapping, input: &Input) -> Result<()> {
    let attr = MountAttr::id_map(namespace);
    mount::mount_setattr(tree, c"", mapping.recursive, &attr)
        .map_err(|errno| refused(errno, mapping.recursive, input))
}

/// The kernel says one word for many reasons, and never which file system it means.
fn refused(errno: Errno, recursive: bool, input: &Input) -> Error {
    let what = match input {
        Input::Tree { path, .. } => {
            let path = path.to_string_lossy();
            format!("bind source {path} ({})", filesystems(Path::new(&*path), recursive))
        }
        Input::Filesystem { fstype, .. } => fstype.to_string_lossy().into_owned(),
        Input::Namespace { .. } | Input::Given(_) => String::new(),
    };
    let source = io::Error::from(errno);
    let text = format!("id-map {what}: {}{}", describe(&source), hint(errno, recursive));
    Error::new(ErrorKind::Setup, text).hide(source).field(field(input))
}

fn hint(errno: Errno, recursive: bool) -> &'static str {
    match (errno.0, recursive) {
        (libc::EINVAL, false) => {
            "; the kernel does not id-map this file system: have its owners changed instead, or \
             take the mapping out"
        }
        (libc::EINVAL, true) => {
            "; the kernel does not id-map one of these file systems: idmap instead of ridmap maps \
             the first alone"
        }
        (libc::EPERM, _) => {
            "; the file system belongs to another user namespace, or is id-mapped where it is \
             mounted"
        }
        _ => "",
    }
}

/// The types of what is mounted at `path`, and below it if all of that is meant.
fn filesystems(path: &Path, below: bool) -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mounts = table.lines().filter_map(mounted);
    // A later mount covers an earlier one.
    let at = mounts.clone().filter(|(point, _)| path.starts_with(point));
    let at = at.max_by_key(|(point, _)| point.components().count());
    let mut types: Vec<&str> = at.into_iter().map(|(_, fstype)| fstype).collect();
    if below {
        types.extend(
            mounts.filter(|(point, _)| *point != path && point.starts_with(&path)).map(|row| row.1),
        );
    }
    types.sort_unstable();
    types.dedup();
    if types.is_empty() { "an unknown file system".to_owned() } else { types.join(", ") }
}

/// Mount point and type of a line of mountinfo (proc_pid_mountinfo(5)).
fn mounted(line: &str) -> Option<(&Path, &str)> {
    let (mount, filesystem) = line.split_once(" - ")?;
    Some((Path::new(mount.split(' ').nth(4)?), filesystem.split(' ').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filesystem_of_a_path_is_the_deepest_mount_above_it() {
        assert_eq!(filesystems(Path::new("/proc/self/status"), false), "proc");
        assert_eq!(filesystems(Path::new("/proc/nothing/there"), false), "proc");
    }

    #[test]
    fn a_line_of_mountinfo() {
        let line = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        assert_eq!(mounted(line), Some((Path::new("/mnt2"), "ext3")));
        assert_eq!(mounted("rubbish"), None);
    }
}

//! Controllers that a new cgroup lacks: turned on where that can be, otherwise an error or an excuse.

use super::super::directories::{failed, no_right};
use super::super::host::Layout;
use super::super::unenforced::{Reason, Unenforced};
use super::super::write::Write;
use super::controllers::{self, Missing};
use super::directory::Directory;
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;
use std::path::PathBuf;

const FIELD: &str = "linux.cgroupsPath";

/// The controllers that `writes` need and the cgroup lacks.
pub(in super::super) fn controllers_of(
    layout: Layout,
    writes: &[Write],
    cgroup: &Directory,
) -> Result<Missing> {
    let Some(root) = layout.root().filter(|_| layout.has_controllers()) else {
        return Ok(Missing::new());
    };
    let mut needed: Vec<&str> = writes.iter().map(Write::controller).collect();
    needed.retain(|name| *name != "cgroup");
    needed.sort_unstable();
    needed.dedup();
    let directory = cgroup.path();
    controllers::enable(root, directory, cgroup.dir(), &needed).map_err(|error| match error {
        Errno::EOPNOTSUPP => {
            let text = format!(
                "{} is threaded or below a threaded cgroup, where no container can live",
                directory.display()
            );
            Error::new(ErrorKind::Setup, text).field(FIELD)
        }
        error => failed("read the controllers of", directory, error),
    })
}

/// Where a missing controller had to be turned on, and the kernel's answer; `None` if the host does not
/// have it.
type Refused<'a> = Option<&'a (PathBuf, Errno)>;

/// A missing controller is an error, except for those who are not to be expected to have it.
pub(in super::super) fn excuse(
    rootless: bool,
    write: &Write,
    refused: Refused<'_>,
) -> Result<Unenforced> {
    // The specification wants an error for a controller that is nowhere, which may be misspelt.
    let nowhere = refused.is_none() && write.field.starts_with("linux.resources.unified[");
    let no_right = refused.is_some_and(|(_, errno)| no_right(*errno));
    match no_right || (rootless && !nowhere) {
        true => {
            let reason = Reason::NoController(write.controller().into());
            Ok(Unenforced::new(&write.field, reason))
        }
        false => Err(without(write, refused)),
    }
}

/// The error for a controller that cannot be had.
pub(in super::super) fn without(write: &Write, refused: Refused<'_>) -> Error {
    let controller = write.controller();
    let error = |text: String| Error::new(ErrorKind::Setup, text).field(&write.field);
    match refused {
        None => error(format!("this host has no cgroup v2 controller {controller}")),
        Some((file, errno)) => {
            let text =
                format!("turn on controller {controller} in {}{}", file.display(), hint(*errno));
            error(text).because(*errno)
        }
    }
}

/// What the kernel's answer means for `cgroup.subtree_control`.
fn hint(errno: Errno) -> &'static str {
    match errno {
        Errno::EBUSY => {
            " (that cgroup has processes of its own, or the controller is in use on cgroup v1)"
        }
        Errno::EOPNOTSUPP => " (that cgroup is threaded, or the controller cannot be used here)",
        // CONFIG_RT_GROUP_SCHED.
        Errno::EINVAL => " (cpu cannot be while a process below has realtime priority)",
        _ => "",
    }
}

//! Controllers that a new cgroup lacks: turned on where that can be, otherwise an error or an excuse.

use super::super::directories::{failed, no_right};
use super::super::plan::CgroupPlan;
use super::super::unenforced::{Reason, Unenforced};
use super::super::write::Write;
use super::controllers::{self, Missing};
use super::directory::Directory;
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;
use std::path::PathBuf;

const FIELD: &str = "linux.cgroupsPath";

/// The controllers that the limits need and the cgroup lacks.
pub(in super::super) fn controllers_of(plan: &CgroupPlan, cgroup: &Directory) -> Result<Missing> {
    let layout = plan.host.layout;
    let Some(root) = layout.root().filter(|_| layout.has_controllers()) else {
        return Ok(Missing::new());
    };
    let mut needed: Vec<&str> = plan.writes().iter().map(Write::controller).collect();
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

/// A missing controller is an error, except for those who are not to be expected to have it.
pub(in super::super) fn excuse(
    plan: &CgroupPlan,
    write: &Write,
    refused: Option<&(PathBuf, Errno)>,
) -> Result<Unenforced> {
    let controller = write.controller();
    let reason = || Reason::NoController(controller.into());
    let error = |text: String| Error::new(ErrorKind::Setup, text).field(&write.field);
    // The specification wants an error for a controller that is nowhere, which may be misspelt.
    let nowhere = refused.is_none() && write.field.starts_with("linux.resources.unified[");
    match refused {
        _ if plan.host.rootless && !nowhere => Ok(Unenforced::new(&write.field, reason())),
        Some((_, errno)) if no_right(*errno) => Ok(Unenforced::new(&write.field, reason())),
        None => Err(error(format!("this host has no cgroup v2 controller {controller}"))),
        Some((file, errno)) => {
            let text =
                format!("turn on controller {controller} in {}{}", file.display(), hint(*errno));
            Err(error(text).because(*errno))
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

//! Carrying out a [`CgroupPlan`]: two calls for the directory, three for the controllers it has, three
//! for each limit, three for the device filter.
//!
//! Every path used here begins at the root of the hierarchy, which is the host's, and cgroup file
//! systems have no symbolic links, so names are safe to use.

use super::apply::apply;
use super::devices::DeviceFilter;
use super::handle::Cgroup;
use super::owner;
use super::path::common_ancestor;
use super::plan::CgroupPlan;
use super::unenforced::{self, Reason, Unenforced};
use super::v2::controllers::{self, Missing};
use super::v2::directory::{Directory, Events};
use super::write::Write;
use crate::error::{Error, ErrorKind, Result, describe};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, faccessat, mkdir};
use oci_spec::runtime::LinuxDeviceCgroup;
use std::io;
use std::path::{Path, PathBuf};

const FIELD: &str = "linux.cgroupsPath";

/// What came of a plan.
#[derive(Debug)]
pub struct Created {
    /// The container's cgroup, ready for its first process; `None` if there is none.
    pub cgroup: Option<Cgroup>,
    /// What the user should know, a line each: at most the one that says what is not enforced.
    pub notes: Vec<String>,
}

impl Cgroup {
    /// Makes the cgroup of `plan` with its limits, nobody in it yet.
    ///
    /// Where the caller has no right to make it, or there is no place for it, the container goes
    /// without, and a note says what that means. An error leaves nothing behind.
    pub fn create(plan: &CgroupPlan) -> Result<Created> {
        let unified = plan.place().and_then(|place| Some((place, place.unified.as_deref()?)));
        let Some((place, directory)) = unified else {
            return Ok(without(None, plan.unenforced()));
        };
        let made = match make(directory) {
            Ok(made) => made,
            Err(error) if no_right(error) => {
                let what = format!("make {}: {}", directory.display(), say(error));
                return Ok(without(None, &plan.all_unenforced(&Reason::NoRights(what))));
            }
            Err(error) => return Err(failed("make cgroup", directory, error).field(FIELD)),
        };
        match fill(plan, directory, &made) {
            Ok(Filled::Ready(unified, unenforced)) => {
                let refused = give_away(plan, &unified);
                let cgroup = Cgroup::made(place.clone(), Some(unified));
                let mut created = without(Some(cgroup), &unenforced);
                created.notes.extend(refused);
                Ok(created)
            }
            Ok(Filled::NoEntry(reason)) => {
                undo(&made);
                Ok(without(None, &plan.all_unenforced(&reason)))
            }
            Err(error) => {
                undo(&made);
                Err(error)
            }
        }
    }

    /// Attaches the device filter of `plan`. Loading it takes the kernel longer than all else here,
    /// so it is a call of its own: to be made while a first process that is still ours sets itself
    /// up, and before anything of the container's runs.
    pub fn restrict_devices(&self, plan: &CgroupPlan) -> Result<()> {
        let (Some(filter), Some(unified)) = (plan.devices(), self.unified()) else {
            return Ok(());
        };
        filter.attach(unified).map_err(|error| {
            let text = format!("attach the device filter to {}", self.place());
            Error::new(ErrorKind::Setup, text).field(super::devices::FIELD).because(error)
        })
    }
}

/// Changing what is there already.
impl Cgroup {
    /// Makes `rules` (`linux.resources.devices`) the cgroup's device filter, in the place of the one
    /// that it was created with or was given by this; in one step, so that whoever opens a device
    /// meanwhile is judged by the one or by the other.
    ///
    /// # Errors
    ///
    /// What is wrong with the rules; [`ErrorKind::Unsupported`] where the cgroup is not on cgroup
    /// v2; what the kernel says, which wants CAP_SYS_ADMIN (EPERM). The former filter holds then.
    pub fn replace_devices(&self, rules: &[LinuxDeviceCgroup]) -> Result<()> {
        let filter = DeviceFilter::new(rules).map_err(Error::problems)?;
        let Some(unified) = self.unified() else {
            let text =
                format!("change the device filter of {}: it is not on cgroup v2", self.place());
            return Err(Error::new(ErrorKind::Unsupported, text).field(super::devices::FIELD));
        };
        filter.replace(unified).map_err(|error| {
            let text = format!("change the device filter of {}", self.place());
            Error::new(ErrorKind::Setup, text).field(super::devices::FIELD).because(error)
        })
    }
}

fn without(cgroup: Option<Cgroup>, unenforced: &[Unenforced]) -> Created {
    Created { cgroup, notes: unenforced::line(unenforced).into_iter().collect() }
}

/// What went wrong: a container whose cgroup is not its own runs all the same.
fn give_away(plan: &CgroupPlan, unified: &Directory) -> Option<String> {
    let uid = plan.owner()?;
    let refused = owner::give(unified.dir(), uid).err()?;
    let path = unified.path().display();
    Some(format!("cgroup {path} is not given to user {uid} of the container: {}", say(refused)))
}

enum Filled {
    Ready(Directory, Vec<Unenforced>),
    /// The cgroup could be made, but its maker may put nobody into it.
    NoEntry(Reason),
}

fn fill(plan: &CgroupPlan, directory: &Path, made: &[PathBuf]) -> Result<Filled> {
    let open = |error| failed("open cgroup", directory, error).field(FIELD);
    let cgroup = Directory::open_made(directory).map_err(open)?;
    if made.is_empty() {
        check_unused(&cgroup)?;
    }
    if let Some(file) = entry_denied(plan) {
        let what = format!("move a process through {}", file.display());
        return Ok(Filled::NoEntry(Reason::NoRights(what)));
    }
    let mut unenforced = plan.unenforced().to_vec();
    let missing = controllers_of(plan, &cgroup)?;
    for write in plan.writes() {
        match missing.get(write.controller()) {
            None => unenforced.extend(apply(cgroup.dir(), cgroup.path(), write)?),
            Some(refused) => unenforced.push(excuse(plan, write, refused.as_ref())?),
        }
    }
    Ok(Filled::Ready(cgroup, unenforced))
}

/// Makes `directory` and what is missing above it; those made, topmost first.
fn make(directory: &Path) -> nix::Result<Vec<PathBuf>> {
    // Somebody may remove an empty parent between our finding it and our using it.
    let mut tries = 0;
    loop {
        match make_once(directory) {
            Err(Errno::ENOENT) if tries < 8 => tries += 1,
            other => return other,
        }
    }
}

fn make_once(directory: &Path) -> nix::Result<Vec<PathBuf>> {
    match make_one(directory) {
        Err(Errno::ENOENT) => {}
        Ok(true) => return Ok(vec![directory.to_path_buf()]),
        Ok(false) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut made = Vec::new();
    let parents: Vec<&Path> = directory.ancestors().collect();
    for parent in parents.into_iter().rev().filter(|parent| parent.parent().is_some()) {
        match make_one(parent) {
            Ok(true) => made.push(parent.to_path_buf()),
            Ok(false) => {}
            Err(error) => {
                undo(&made);
                return Err(error);
            }
        }
    }
    Ok(made)
}

/// Whether the directory is new.
fn make_one(directory: &Path) -> nix::Result<bool> {
    match mkdir(directory, Mode::from_bits_truncate(0o755)) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes back what was made. What somebody else has begun to use meanwhile stays: it is not empty.
fn undo(made: &[PathBuf]) {
    for directory in made.iter().rev() {
        let _ = std::fs::remove_dir(directory);
    }
}

/// An empty cgroup that is already there is taken over, as runc does; engines make them in advance.
fn check_unused(cgroup: &Directory) -> Result<()> {
    let events = cgroup.events()?;
    let problem = match events {
        Events { populated: true, .. } => {
            let processes = cgroup.processes()?.len();
            format!("holds {processes} processes already; a container needs a cgroup of its own")
        }
        Events { frozen: true, .. } => "is frozen; thaw or remove it first".into(),
        _ => return Ok(()),
    };
    let text = format!("cgroup {} {problem}", cgroup.path().display());
    Err(Error::new(ErrorKind::Setup, text).field(FIELD))
}

/// A process may be put into a cgroup only by someone who may write to `cgroup.procs` of the nearest
/// cgroup above both; the file where an ordinary user may not.
fn entry_denied(plan: &CgroupPlan) -> Option<PathBuf> {
    let (root, relative) = (plan.host.layout.root()?, plan.path()?);
    let own = plan.host.own.as_ref().filter(|_| plan.host.rootless)?;
    let own = own.strip_prefix("/").unwrap_or(own);
    let file = root.join(common_ancestor(own, relative)).join("cgroup.procs");
    let allowed = faccessat(AT_FDCWD, &file, AccessFlags::W_OK, AtFlags::AT_EACCESS);
    allowed.is_err().then_some(file)
}

/// The controllers that the limits need and the cgroup lacks.
fn controllers_of(plan: &CgroupPlan, cgroup: &Directory) -> Result<Missing> {
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
fn excuse(
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

/// Whether the kernel means that this caller may not, rather than that it cannot be done.
fn no_right(errno: Errno) -> bool {
    matches!(errno, Errno::EACCES | Errno::EPERM | Errno::EROFS)
}

fn failed(doing: &str, path: &Path, errno: Errno) -> Error {
    Error::system(format!("{doing} {}", path.display()), errno)
}

fn say(errno: Errno) -> String {
    describe(&io::Error::from(errno))
}

//! What a container is doing, asked of the kernel: nothing that was written down can be out of date.

use super::directory::Directory;
use super::record::{Init, Record};
use crate::cgroup::Place;
use crate::error::{Error, Result};
use crate::procfs::{self, Stat};
use crate::sys::process;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// The status of the OCI state, and `paused`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Status {
    /// Being made.
    Creating,
    /// Made, and waiting for `start`.
    Created,
    /// The program runs.
    Running,
    /// Its processes are frozen, be it started or not.
    Paused,
    /// The program has ended, or never came to life.
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// The state of a container (runtime-spec runtime.md, "State"), with what `runc state` adds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct State {
    /// The version of the specification that its config.json names.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// What it is doing.
    pub status: Status,
    /// Its first process as the host sees it; 0 when there is none.
    pub pid: i32,
    /// The bundle's directory, absolute.
    pub bundle: PathBuf,
    /// The root filesystem's directory, absolute.
    pub rootfs: PathBuf,
    /// When it was made: RFC 3339, UTC, with nanoseconds.
    pub created: String,
    /// The name of the user who made it, or their number.
    pub owner: String,
    /// `annotations` of its config.json.
    pub annotations: BTreeMap<String, String>,
}

pub(super) fn state(directory: &Directory, record: &Record) -> State {
    let status = status(directory, record);
    let alive = !matches!(status, Status::Stopped | Status::Creating);
    State {
        oci_version: record.oci_version.clone(),
        id: directory.id().to_owned(),
        status,
        pid: record.init.filter(|_| alive).map_or(0, |init| init.pid),
        bundle: record.bundle.clone(),
        rootfs: record.rootfs.clone(),
        created: record.created.clone(),
        owner: owner(record.owner),
        annotations: record.annotations.clone(),
    }
}

pub(super) fn status(directory: &Directory, record: &Record) -> Status {
    let Some(init) = record.init else {
        return if directory.is_locked() { Status::Creating } else { Status::Stopped };
    };
    if !is_alive(init) {
        return Status::Stopped;
    }
    // Before it is started, too: then `start` has to wait for `resume`.
    if is_paused(record) {
        return Status::Paused;
    }
    let start_fifo = directory.start_fifo().ok().flatten();
    let awaited = start_fifo.is_some_and(|fifo| fifo.is_awaited());
    if awaited { Status::Created } else { Status::Running }
}

/// Whether the container's cgroup is frozen.
pub(super) fn is_paused(record: &Record) -> bool {
    record.cgroup.as_ref().is_some_and(Place::is_frozen)
}

/// A zombie is not alive: nothing of it runs.
fn is_alive(init: Init) -> bool {
    Stat::read(&format!("/proc/{}/stat", init.pid))
        .is_ok_and(|stat| stat.start_time == init.start_time && !matches!(stat.state, 'Z' | 'X'))
}

/// The first process by a descriptor. The identity is checked after the descriptor is open: what it
/// refers to cannot change any more.
pub(super) fn open_init(record: &Record) -> Option<(i32, OwnedFd)> {
    let init = record.init?;
    let pidfd = process::pidfd_open(init.pid).ok()?;
    is_alive(init).then_some((init.pid, pidfd))
}

/// Without a cgroup, the processes of a container are those of its pid namespace, if that is its own.
pub(super) fn processes_of(pid: i32) -> Result<Vec<i32>> {
    let namespace = |pid: i32| procfs::namespace(pid, "pid").ok();
    let own = procfs::namespace("self", "pid").ok();
    let Some(wanted) = namespace(pid).filter(|&wanted| Some(wanted) != own) else {
        return Ok(vec![pid]);
    };
    let entries = fs::read_dir("/proc").map_err(|error| Error::system("read /proc", error))?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut pids: Vec<i32> = pids.filter(|pid| namespace(*pid) == Some(wanted)).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// The user's name as `/etc/passwd` has it; a static program asks no other service.
fn owner(uid: u32) -> String {
    let number = uid.to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&passwd, &number).map_or_else(|| number.clone(), str::to_owned)
}

/// The first name that has this number in a file as passwd(5) is.
pub(crate) fn name_in<'a>(passwd: &'a str, number: &str) -> Option<&'a str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(number)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_another_of_its_number_is_not() {
        let start_time = Stat::read("/proc/self/stat").unwrap().start_time;
        let init = Init { pid: std::process::id() as i32, start_time };
        assert!(is_alive(init));
        assert!(!is_alive(Init { start_time: init.start_time + 1, ..init }));
    }

    #[test]
    fn root_has_a_name_and_nobody_a_number() {
        assert_eq!(owner(0), "root");
        assert_eq!(owner(4_000_000_001), "4000000001");
    }
}

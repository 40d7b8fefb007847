//! Tasks.

use super::files::Files;
use crate::error::Result;

/// Processes and threads.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pids {
    /// How many there are: tasks, threads included (`pids.current`). Where v2 lacks the controller:
    /// processes, those in cgroups below left out (lines of `cgroup.procs`).
    pub current: u64,
    /// How many there may be (`pids.max`); `None` is no limit.
    pub limit: Option<u64>,
}

impl Pids {
    /// `None` without the controller.
    pub(super) fn read(files: &Files<'_>) -> Result<Option<Self>> {
        let Some(current) = files.number("pids.current")? else { return Ok(None) };
        Ok(Some(Self { current, limit: files.number("pids.max")? }))
    }

    /// What v2 knows without the controller. A threaded cgroup lists threads only.
    pub(super) fn count(files: &Files<'_>) -> Result<Self> {
        let list = match files.text("cgroup.procs")? {
            Some(list) => list,
            None => files.text("cgroup.threads")?.unwrap_or_default(),
        };
        Ok(Self { current: list.lines().count() as u64, limit: None })
    }
}

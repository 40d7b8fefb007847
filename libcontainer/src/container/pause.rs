//! `pause` and `resume`: freezing every process of a container, and letting them go on.

use super::record::Record;
use super::{Container, Status, not_running, status};
use crate::cgroup::Cgroup;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::Flock;

impl Container {
    /// Freezes the processes of a created or running container, and those that join them, and
    /// returns when none runs any more. `SIGKILL` still ends them; a container that is paused before
    /// it is started cannot be started until [`Container::resume`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongState`] when it is stopped or paused; [`ErrorKind::Unsupported`] when it has
    /// no cgroup of its own, without which nothing can be frozen; EBUSY when a process has not
    /// stopped within ten seconds: then all go on.
    pub fn pause(&self) -> Result<()> {
        let (_lock, record) = self.directory.lock_with_record(Flock::Exclusive)?;
        let status = status::status(&self.directory, &record);
        if !matches!(status, Status::Created | Status::Running) {
            let text = format!("container not running or created: {status}");
            return Err(Error::new(ErrorKind::WrongState, text));
        }
        let cgroup = self.own_cgroup(&record, "pause")?;
        cgroup.freeze()?;
        // It may have ended meanwhile; then nothing is paused but who joins it later.
        if status::open_init(&record).is_none() {
            cgroup.thaw()?;
            return Err(not_running());
        }
        Ok(())
    }

    /// Lets the processes of a paused container go on, and returns when they do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongState`] when it is not paused.
    pub fn resume(&self) -> Result<()> {
        let (_lock, record) = self.directory.lock_with_record(Flock::Exclusive)?;
        if status::status(&self.directory, &record) != Status::Paused {
            return Err(Error::new(ErrorKind::WrongState, "container not paused"));
        }
        self.own_cgroup(&record, "resume")?.thaw()
    }

    /// The cgroup of a container that is `doing` something which needs one.
    pub(super) fn own_cgroup(&self, record: &Record, doing: &str) -> Result<Cgroup> {
        let cannot = |kind, why: String| {
            Error::new(kind, format!("cannot {doing} container {:?}: {why}", self.id))
        };
        let Some(place) = &record.cgroup else {
            return Err(cannot(ErrorKind::Unsupported, "it has no cgroup of its own".into()));
        };
        let gone = || cannot(ErrorKind::System, format!("its cgroup {place} is gone"));
        Cgroup::open(place)?.ok_or_else(gone)
    }
}

//! `update`: changing the limits of a container that lives.
//!
//! The limits that it has after the last update are kept in `resources.json` beside its config.json,
//! which stays as it was given; values that depend on each other are computed from both. The file is
//! there, whole, before the first limit is changed, and takes its name when all of them are.

use super::record::Record;
use super::{Container, not_running, status};
use crate::cgroup::{Layout, Update};
use crate::config::validate_schemata;
use crate::error::{Error, ErrorKind, Result};
use crate::oci::{LinuxIntelRdt, LinuxResources};
use crate::resctrl;
use crate::sys::file::Flock;

impl Container {
    /// Changes limits of a created, running or paused container, all that `resources` has or none:
    /// if the kernel refuses a value, all others are as before.
    ///
    /// An absent field leaves a limit as it is, as does a 0 for memory, shares or a weight; a cpu
    /// quota of 0 or -1 is none, and a period of 0 the kernel's default. With
    /// `memory.checkBeforeUpdate`, in `resources` or in config.json, a limit that is not above what is
    /// in use is refused. A list of devices that has nothing but the rule that denies all, with which
    /// engines begin every list, changes none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRunning`] when it has stopped; [`ErrorKind::InvalidConfig`] with all values
    /// that are wrong in themselves; else with the field, the file and the kernel's word.
    pub fn update(&self, resources: &LinuxResources) -> Result<()> {
        let (_lock, record) = self.directory.lock_with_record(Flock::Exclusive)?;
        status::open_init(&record).ok_or_else(not_running)?;
        self.change_limits(&record, resources)
    }

    /// The same, and changes the schemata of the container's resctrl group: all of both or none. Of `rdt`
    /// the schemata count, which are written as they are at creation.
    ///
    /// # Errors
    ///
    /// Those of [`update`](Self::update); [`ErrorKind::Unsupported`] when the container has no group.
    pub fn update_with_intel_rdt(
        &self,
        resources: &LinuxResources,
        rdt: &LinuxIntelRdt,
    ) -> Result<()> {
        let problems = validate_schemata(rdt);
        if !problems.is_empty() {
            return Err(Error::problems(problems));
        }
        let (_lock, record) = self.directory.lock_with_record(Flock::Exclusive)?;
        status::open_init(&record).ok_or_else(not_running)?;
        let place = record.intel_rdt.as_ref().ok_or_else(|| {
            let text = format!(
                "container {:?} has no resctrl group: this was not in its config.json",
                self.id
            );
            Error::new(ErrorKind::Unsupported, text).field(resctrl::FIELD)
        })?;
        let root = resctrl::root()?;
        let former = place.change(&resctrl::texts(rdt), &root)?;
        let nothing_else = *resources == LinuxResources::default();
        if nothing_else {
            return Ok(());
        }
        self.change_limits(&record, resources).inspect_err(|_| {
            // The first error is the one to be told.
            let _ = place.change(&[former], &root);
        })
    }

    fn change_limits(&self, record: &Record, resources: &LinuxResources) -> Result<()> {
        let cgroup = self.own_cgroup(record, "update")?;
        let update = Update::new(Layout::detect(), &self.resources()?, resources)?;
        let afterwards = serde_json::to_vec(update.resources())
            .map_err(|error| Error::new(ErrorKind::System, format!("resources.json: {error}")))?;
        let prepared = self.directory.prepare_resources(&afterwards)?;
        let note = cgroup.update(&update)?;
        prepared.commit()?;
        note.iter().for_each(|line| log::warn!("{line}"));
        Ok(())
    }

    /// The limits that the container has: those of its config.json with what updates have changed.
    /// Those that were changed by others are not among them.
    ///
    /// # Errors
    ///
    /// When what is stored cannot be read.
    pub fn resources(&self) -> Result<LinuxResources> {
        match self.directory.resources()? {
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::new(ErrorKind::System, format!("resources.json: {error}"))),
            None => {
                let linux = self.stored_config()?.spec().linux().as_ref();
                Ok(linux.and_then(|linux| linux.resources().clone()).unwrap_or_default())
            }
        }
    }
}

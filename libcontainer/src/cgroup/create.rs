//! Carrying out a [`CgroupPlan`]: two calls for the directory, three for the controllers it has, three
//! for each limit, three for the device filter. On cgroup v1 the directories are as many as there are
//! hierarchies. A scope of systemd's is made first, around a process that stands in for the
//! container's; its directories are then like those that we make.

use super::apply::apply;
use super::devices::DeviceFilter;
use super::directories::{check_unused, failed, make, no_right, say, undo};
use super::handle::Cgroup;
use super::owner;
use super::place::Place;
use super::plan::CgroupPlan;
use super::systemd::{Placeholder, Scope};
use super::unenforced::{self, Reason, Unenforced};
use super::v1::Tree;
use super::v2::directory::Directory;
use super::v2::missing::{controllers_of, excuse};
use super::write::Write;
use crate::error::{Error, ErrorKind, Result};
use oci_spec::runtime::LinuxDeviceCgroup;
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
    ///
    /// # Errors
    ///
    /// A cgroup that is in use, a controller that is missing, a value that the kernel refuses, a
    /// scope that systemd does not make.
    pub fn create(plan: &CgroupPlan) -> Result<Created> {
        let Some(place) = plan.place() else {
            return Ok(without(None, plan.unenforced()));
        };
        let making = Making { plan, place: place.clone(), placeholder: None, new: Vec::new() };
        match making.make()? {
            Made::Cgroup(cgroup, unenforced) => {
                let refused = give_away(plan, &cgroup);
                let mut created = without(Some(cgroup), &unenforced);
                created.notes.extend(refused);
                Ok(created)
            }
            Made::NoEntry(reason) => Ok(without(None, &plan.all_unenforced(&reason))),
        }
    }

    /// Has the first process alone in its cgroup, now that it is there: what stood in for it goes.
    ///
    /// # Errors
    ///
    /// What the kernel says to the limit of processes, which counted that one, too.
    pub(crate) fn settle(&mut self, plan: &CgroupPlan) -> Result<()> {
        if self.placeholder.is_some() {
            let pids: Vec<Write> =
                plan.writes().iter().filter(|write| write.file == PIDS).cloned().collect();
            apply(&pids, |write| self.target(write))?;
            self.placeholder = None;
        }
        Ok(())
    }

    /// Attaches the device filter of `plan`. Loading it takes the kernel longer than all else here,
    /// so it is a call of its own: to be made while a first process that is still ours sets itself
    /// up, and before anything of the container's runs.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn restrict_devices(&self, plan: &CgroupPlan) -> Result<()> {
        let (Some(filter), Some(unified)) = (plan.devices(), self.unified()) else {
            return Ok(());
        };
        filter.attach(unified).map_err(|error| {
            let text = format!("attach the device filter to {}", self.place());
            Error::new(ErrorKind::Setup, text).field(super::devices::FIELD).because(error)
        })
    }

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

const PIDS: &str = "pids.max";

fn without(cgroup: Option<Cgroup>, unenforced: &[Unenforced]) -> Created {
    Created { cgroup, notes: unenforced::line(unenforced).into_iter().collect() }
}

/// What went wrong: a container whose cgroup is not its own runs all the same.
fn give_away(plan: &CgroupPlan, cgroup: &Cgroup) -> Option<String> {
    let (uid, unified) = (plan.owner()?, cgroup.unified()?);
    let refused = owner::give(unified, uid).err()?;
    let place = cgroup.place();
    Some(format!("cgroup {place} is not given to user {uid} of the container: {}", say(refused)))
}

enum Made {
    Cgroup(Cgroup, Vec<Unenforced>),
    /// Its maker may not make it, or put nobody into it.
    NoEntry(Reason),
}

/// A cgroup that is being made; unless it is, nothing of it stays.
struct Making<'a> {
    plan: &'a CgroupPlan,
    place: Place,
    placeholder: Option<Placeholder>,
    /// The directories that are new, those above first.
    new: Vec<PathBuf>,
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        undo(&self.new);
        // A scope ends with its last process; one that is another's was never ours.
        if self.placeholder.take().is_some() {
            self.place.forget_scope();
        }
    }
}

impl Making<'_> {
    fn make(mut self) -> Result<Made> {
        self.start_scope()?;
        let path = self.place.unified.clone();
        let unified = path.map(|path| self.make_unified(&path)).transpose()?;
        let unified = match unified.transpose() {
            Ok(unified) => unified,
            Err(reason) => return Ok(Made::NoEntry(reason)),
        };
        let mut unenforced = self.plan.unenforced().to_vec();
        let (v1, writes) = self.make_v1(&mut unenforced)?;
        if v1.is_none() && !self.place.v1.is_empty() {
            let reason = Reason::NoRights("no hierarchy of cgroup v1 lets us in".into());
            return Ok(Made::NoEntry(reason));
        }
        let place =
            Place { v1: v1.as_ref().map(Tree::paths).unwrap_or_default(), ..self.place.clone() };
        let mut cgroup = Cgroup::made(place, unified, v1);
        let writes = self.without_missing(&cgroup, writes, &mut unenforced)?;
        unenforced.extend(apply(&self.counting_placeholder(writes), |write| cgroup.target(write))?);
        if let (Some(list), Some(v1)) = (&self.plan.device_list, &cgroup.v1) {
            v1.restrict_devices(list)?;
        }
        cgroup.placeholder = self.placeholder.take();
        self.new.clear();
        Ok(Made::Cgroup(cgroup, unenforced))
    }

    /// systemd makes a scope around a process that is there.
    fn start_scope(&mut self) -> Result<()> {
        let Some(scope) = &self.plan.scope else { return Ok(()) };
        let placeholder = Placeholder::new()?;
        // Unless it starts it is not ours, and may be another container's: that one is not to be
        // stopped when this is dropped.
        let path = Scope::start(scope, placeholder.pid())?;
        self.placeholder = Some(placeholder);
        self.place = self.plan.host.place_of(&path, self.place.scope.clone());
        Ok(())
    }

    /// The directory of cgroup v2, or why the caller may not have it.
    fn make_unified(&mut self, path: &Path) -> Result<std::result::Result<Directory, Reason>> {
        let new = match make(path) {
            Ok(new) => new,
            Err(error) if no_right(error) => {
                let what = format!("make {}: {}", path.display(), say(error));
                return Ok(Err(Reason::NoRights(what)));
            }
            Err(error) => return Err(failed("make cgroup", path, error).field(FIELD)),
        };
        let taken_over = new.is_empty() && self.placeholder.is_none();
        self.new.extend(new);
        let open = |error| failed("open cgroup", path, error).field(FIELD);
        let directory = Directory::open_made(path).map_err(open)?;
        if taken_over {
            let events = directory.events()?;
            let processes = events.populated.then(|| directory.processes()).transpose()?;
            check_unused(path, processes.map(|list| list.len()), events.frozen)?;
        }
        let denied = self.plan.host.entry_denied(path).filter(|_| self.placeholder.is_none());
        Ok(match denied {
            Some(file) => {
                let what = format!("move a process through {}", file.display());
                Err(Reason::NoRights(what))
            }
            None => Ok(directory),
        })
    }

    /// The directories of cgroup v1, and what can be written there.
    fn make_v1(&mut self, unenforced: &mut Vec<Unenforced>) -> Result<(Option<Tree>, Vec<Write>)> {
        let writes = self.plan.writes().to_vec();
        if self.place.v1.is_empty() {
            return Ok((None, writes));
        }
        let made = Tree::make(&self.place.v1, self.placeholder.is_some())?;
        self.new.extend(made.new);
        if let Some(tree) = made.tree.as_ref().filter(|_| self.plan.host.rootless)
            && tree.doors().is_err()
        {
            return Ok((None, Vec::new()));
        }
        let of = |write: &Write| {
            let has = |name: &&String| name.split(',').any(|one| one == write.controller());
            made.refused.keys().find(has).map(|name| made.refused[name].clone())
        };
        let (refused, writes): (Vec<Write>, _) =
            writes.into_iter().partition(|one| of(one).is_some());
        unenforced.extend(
            refused.iter().filter_map(|write| Some(Unenforced::new(&write.field, of(write)?))),
        );
        Ok((made.tree, writes))
    }

    /// What is written on cgroup v2: not where the controller is missing, and that can be excused.
    fn without_missing(
        &self,
        cgroup: &Cgroup,
        writes: Vec<Write>,
        unenforced: &mut Vec<Unenforced>,
    ) -> Result<Vec<Write>> {
        let Some(directory) = &cgroup.unified else { return Ok(writes) };
        let host = &self.plan.host;
        let missing = controllers_of(host.layout, &writes, directory)?;
        let mut there = Vec::new();
        for write in writes {
            match missing.get(write.controller()) {
                None => there.push(write),
                Some(refused) => unenforced.push(excuse(host.rootless, &write, refused.as_ref())?),
            }
        }
        Ok(there)
    }

    /// It is one process more, until [`Cgroup::settle`].
    fn counting_placeholder(&self, mut writes: Vec<Write>) -> Vec<Write> {
        if self.placeholder.is_some() {
            for write in writes.iter_mut().filter(|write| write.file == PIDS) {
                if let Ok(limit) = write.value.trim().parse::<u64>() {
                    write.value = limit.saturating_add(1).to_string();
                }
            }
        }
        writes
    }
}

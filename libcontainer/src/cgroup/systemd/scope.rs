//! A scope that is there: made, changed, taken away.

use super::super::devices::DeviceFilter;
use super::super::write::Write;
use super::dbus::{Fault, Value};
use super::manager::Manager;
use super::plan::{self, ScopePlan};
use super::property::{self, Property};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";
const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";

/// What is stored to find a scope again, by a call that may know nothing of systemd.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Scope {
    /// The unit's name.
    pub(crate) unit: String,
    /// Whether it is of the user's systemd.
    pub(crate) user: bool,
}

impl Scope {
    /// The scope that a plan is for, started or not.
    pub(crate) fn of(plan: &ScopePlan) -> Self {
        Self { unit: plan.name.scope.clone(), user: plan.user }
    }

    /// Makes the scope around the process `pid`, which must be the caller's own and in its pid
    /// namespace. The answer is the scope's directory from the root of the tree of cgroups, with a
    /// leading `/`: the same in each hierarchy of cgroup v1 that systemd uses.
    ///
    /// # Errors
    ///
    /// No connection; a name that is in use; what systemd refuses; no end of the job within 30 s. If
    /// there is a scope by then, it ends with the process.
    pub(crate) fn start(plan: &ScopePlan, pid: u32) -> Result<PathBuf> {
        let scope = Self::of(plan);
        let mut manager = Manager::connect(plan.user)?;
        scope.start_with(&mut manager, plan, pid).map_err(|failure| {
            if matches!(failure, Failure::Job(..)) {
                let _ = manager.reset_failed(&scope.unit);
            }
            failure.into_error("start", &scope.unit)
        })
    }

    fn start_with(
        &self,
        manager: &mut Manager,
        plan: &ScopePlan,
        pid: u32,
    ) -> std::result::Result<PathBuf, Failure> {
        let version = manager.version()?;
        let around = Value::Array("u".into(), vec![Value::Uint32(pid)]);
        let mut properties = plan.properties.clone();
        properties.push(Property::new("PIDs", around));
        let properties = property::value(&properties, version);
        let job = match manager.start_transient(&self.unit, properties.clone()) {
            // It may be one that failed and is kept to be looked at.
            Err(fault) if fault.is(UNIT_EXISTS) => {
                let _ = manager.reset_failed(&self.unit);
                manager.start_transient(&self.unit, properties).map_err(|fault| {
                    if fault.is(UNIT_EXISTS) { Failure::InUse } else { fault.into() }
                })?
            }
            job => job?,
        };
        match manager.wait(&job)?.as_str() {
            "done" => {}
            result => return Err(Failure::Job(result.into(), self.user)),
        }
        let directory = manager.control_group(&self.unit)?;
        match is_in(pid, &directory) {
            true => Ok(directory),
            false => Err(Failure::Elsewhere(directory)),
        }
    }

    /// Tells systemd of changed limits. They take effect by being written into the cgroup; this is
    /// for systemd to write the same at its next reload, and it does so at once, too: when this
    /// returns it has. `filter` is for changed device rules only:
    /// on cgroup v1, systemd denies everything for a moment while it writes these.
    pub(crate) fn set(&self, writes: &[Write], filter: Option<&DeviceFilter>) -> Result<()> {
        let mut properties = plan::limited(writes, filter, self.user);
        if properties.is_empty() {
            return Ok(());
        }
        let failed = |fault| Failure::Fault(fault).into_error("change", &self.unit);
        let mut manager = Manager::connect(self.user)?;
        let version = manager.version().map_err(failed)?;
        // A list is added to the one that is there; an empty one empties it.
        if properties.iter().any(|one| one.name == "DeviceAllow") {
            let empty = [Property::new("DeviceAllow", Value::Array("(ss)".into(), Vec::new()))];
            manager.set(&self.unit, property::value(&empty, version)).map_err(failed)?;
            properties.retain(|one| !is_empty_list(&one.value));
        }
        manager.set(&self.unit, property::value(&properties, version)).map_err(failed)?;
        // It answers first and writes then, but before it takes the next call.
        manager.version().map(drop).map_err(failed)
    }

    /// Moves the process `pid`, one of the caller's, into the scope's cgroup at `directory`. For those
    /// who may not do so themselves: a process of a login session is not below its user's systemd.
    pub(crate) fn attach(&self, directory: &Path, pid: u32) -> Result<()> {
        let above = |part: &Component<'_>| part.as_os_str() != &*self.unit;
        let below: PathBuf = directory.components().skip_while(above).skip(1).collect();
        let below = match below.to_string_lossy() {
            path if path.is_empty() => String::new(),
            path => format!("/{path}"),
        };
        let mut manager = Manager::connect(self.user)?;
        manager
            .attach(&self.unit, &below, pid)
            .map_err(|fault| Failure::Fault(fault).into_error("put a process into", &self.unit))
    }

    /// Ends what is left of the scope and makes systemd forget it; a scope that is gone is fine.
    /// Processes that are still there are asked to end and get as long as the scope's
    /// `TimeoutStopUSec`, so those that are to be killed should be killed before.
    ///
    /// # Errors
    ///
    /// No connection; no end of the job within 30 s.
    pub(crate) fn stop(&self) -> Result<()> {
        let mut manager = Manager::connect(self.user)?;
        self.stop_with(&mut manager)
            .map_err(|fault| Failure::Fault(fault).into_error("stop", &self.unit))
    }

    fn stop_with(&self, manager: &mut Manager) -> std::result::Result<(), Fault> {
        let job = match manager.stop(&self.unit) {
            Err(fault) if fault.is(NO_SUCH_UNIT) => return Ok(()),
            job => job?,
        };
        manager.wait(&job)?;
        self.reset_failed(manager)
    }

    /// The same for a scope that is perhaps not ours: one whose directory (from the root of the tree
    /// of cgroups) `is_used` stays, and only that it has failed is forgotten.
    pub(crate) fn stop_unless(&self, is_used: impl FnOnce(&Path) -> bool) -> Result<()> {
        let mut manager = Manager::connect(self.user)?;
        let stopped = match manager.control_group(&self.unit) {
            Ok(path) if path.as_os_str().is_empty() || !is_used(&path) => {
                self.stop_with(&mut manager)
            }
            _ => self.reset_failed(&mut manager),
        };
        stopped.map_err(|fault| Failure::Fault(fault).into_error("stop", &self.unit))
    }

    fn reset_failed(&self, manager: &mut Manager) -> std::result::Result<(), Fault> {
        match manager.reset_failed(&self.unit) {
            Err(fault) if !fault.is(NO_SUCH_UNIT) => Err(fault),
            _ => Ok(()),
        }
    }
}

/// Why there is no scope.
#[derive(Debug)]
enum Failure {
    Fault(Fault),
    InUse,
    /// What the job came to, and whether it was for a user.
    Job(String, bool),
    /// The process is not in the scope.
    Elsewhere(PathBuf),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Failure {
    fn into_error(self, doing: &str, unit: &str) -> Error {
        let text = match self {
            Self::Fault(fault) => format!("{doing} {unit}: systemd: {fault}"),
            Self::InUse => format!(
                "{doing} {unit}: systemd: a unit of that name exists already; \
                 linux.cgroupsPath must be another for each container"
            ),
            Self::Job(result, user) => {
                let user = if user { " --user" } else { "" };
                format!("{doing} {unit}: systemd: {result}; journalctl{user} -u {unit} says why")
            }
            Self::Elsewhere(directory) => format!(
                "{doing} {unit}: systemd has not put our process into {}: it counts processes or \
                 cgroups in other namespaces than we do; leave --systemd-cgroup out",
                directory.display()
            ),
        };
        Error::new(ErrorKind::Setup, text)
    }
}

/// Whether the process is in the cgroup `directory`: of v2, or of the hierarchy of v1 that systemd keeps
/// its own record in.
fn is_in(pid: u32, directory: &Path) -> bool {
    let table = crate::procfs::read(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let paths = table.lines().filter_map(|line| {
        let of_systemd = line.split_once(":name=systemd:").map(|(_, path)| path);
        line.strip_prefix("0::").or(of_systemd)
    });
    let mut paths = paths.map(Path::new);
    paths.any(|path| path == directory)
}

fn is_empty_list(value: &Value) -> bool {
    matches!(value, Value::Array(_, items) if items.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_say_what_to_do() {
        let say = |failure: Failure| failure.into_error("start", "a.scope").to_string();
        let refused = Fault::Refused { name: "x".into(), text: "Cannot set property X".into() };
        assert_eq!(say(refused.into()), "start a.scope: systemd: Cannot set property X");
        let failed = say(Failure::Job("failed".into(), true));
        assert_eq!(failed, "start a.scope: systemd: failed; journalctl --user -u a.scope says why");
        assert!(say(Failure::InUse).contains("exists already"));
    }

    #[test]
    fn a_process_is_where_the_kernel_says() {
        assert!(!is_in(std::process::id(), Path::new("/no/such.scope")));
        assert!(!is_in(0, Path::new("")));
    }

    #[test]
    fn the_record_is_two_words() {
        let scope = Scope { unit: "a.scope".into(), user: true };
        let json = serde_json::to_string(&scope).expect("json");
        assert_eq!(json, r#"{"unit":"a.scope","user":true}"#);
        assert_eq!(serde_json::from_str::<Scope>(&json).expect("a scope"), scope);
    }
}

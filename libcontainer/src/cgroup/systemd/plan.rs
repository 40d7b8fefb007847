//! What will be asked of systemd, before it is.

use super::super::devices::DeviceFilter;
use super::super::host::Layout;
use super::super::write::Write;
use super::dbus::Value;
use super::name::Name;
use super::property::Property;
use super::{annotations, devices, limits};
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// The container's id.
    pub(crate) id: &'a str,
    /// `linux.cgroupsPath`.
    pub(crate) cgroups_path: Option<&'a Path>,
    /// `annotations`.
    pub(crate) annotations: Option<&'a HashMap<String, String>>,
    /// What will be written into the cgroup's files, of the host's version of cgroups.
    pub(crate) writes: &'a [Write],
    /// Which devices may be used; `None` if that will not be enforced.
    pub(crate) devices: Option<&'a DeviceFilter>,
    /// How cgroups are mounted.
    pub(crate) layout: Layout,
    /// Whether to ask the manager of the user's session rather than the system's: for anyone but root
    /// of the initial user namespace.
    pub(crate) user: bool,
}

/// A scope: its name, its slice, its properties.
#[derive(Clone, Debug)]
pub(crate) struct ScopePlan {
    pub(super) name: Name,
    pub(super) user: bool,
    pub(super) properties: Vec<Property>,
}

impl ScopePlan {
    /// Computes the plan, or everything that is wrong with the config's part in it.
    pub(crate) fn new(ask: &Ask<'_>) -> Result<Self> {
        if let Some(text) = unsupported(ask) {
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        let (name, mut problems) = match Name::new(ask.cgroups_path, ask.id, ask.user) {
            Ok(name) => (Some(name), Vec::new()),
            Err(problem) => (None, vec![problem]),
        };
        let (asked, wrong) = annotations::properties(ask.annotations);
        problems.extend(wrong);
        let Some(name) = name.filter(|_| problems.is_empty()) else {
            return Err(Error::problems(problems));
        };
        // The last one of a name wins: limits are what the files will have.
        let mut properties = base(ask, &name);
        properties.extend(asked);
        properties.extend(limited(ask.writes, ask.devices, ask.user));
        properties.extend(oom_policy(ask.writes));
        Ok(Self { name, user: ask.user, properties })
    }

    /// Where the cgroup will be, below the manager's own: the root for the system's. systemd says
    /// where it is when it is there.
    pub(crate) fn path(&self) -> PathBuf {
        self.name.path()
    }
}

/// What limits come to, for a new scope or for one that is there. systemd of a user may not load a
/// device filter.
pub(super) fn limited(
    writes: &[Write],
    filter: Option<&DeviceFilter>,
    user: bool,
) -> Vec<Property> {
    let mut properties = limits::properties(writes);
    properties.extend(filter.filter(|_| !user).into_iter().flat_map(devices::properties));
    properties
}

/// What every scope of ours has. Statistics are to be had of all, with no limit as well; a container is
/// not to be stopped before the network goes down or the like (`DefaultDependencies`): its engine does
/// that.
fn base(ask: &Ask<'_>, name: &Name) -> Vec<Property> {
    let io = if ask.layout == Layout::Unified { "IOAccounting" } else { "BlockIOAccounting" };
    let text = |name, value: String| Property::new(name, Value::String(value));
    let flag = |name, value| Property::new(name, Value::Bool(value));
    vec![
        text("Description", format!("skep container {}", ask.id)),
        text("Slice", name.slice.clone()),
        flag("Delegate", true),
        flag("MemoryAccounting", true),
        flag("CPUAccounting", true),
        flag(io, true),
        flag("TasksAccounting", true),
        flag("DefaultDependencies", false),
    ]
}

/// `memory.oom.group` is systemd's to write: it writes 0 for every unit that has no policy. A scope's
/// can be said only when it is made, so what is changed later lasts until systemd reloads.
fn oom_policy(writes: &[Write]) -> Option<Property> {
    let write = writes.iter().rfind(|write| write.file == "memory.oom.group")?;
    let policy = match write.value.trim() {
        "0" => "continue",
        "1" => "kill",
        _ => return None,
    };
    Some(Property::new("OOMPolicy", Value::string(policy)).since(252))
}

/// What is no use to try. A user's systemd has no rights in cgroup v1.
fn unsupported(ask: &Ask<'_>) -> Option<&'static str> {
    match (ask.user, ask.layout) {
        (_, Layout::Absent) => Some("--systemd-cgroup: this host has no cgroups at /sys/fs/cgroup"),
        (true, Layout::Hybrid | Layout::Legacy) => Some(
            "--systemd-cgroup: this host has its controllers on cgroup v1, where a user's systemd \
             can limit nothing; leave it out",
        ),
        _ => None,
    }
}

impl fmt::Display for ScopePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.user { "user" } else { "system" };
        write!(f, "{} (of the {whose}'s systemd)", self.path().display())?;
        self.properties.iter().try_for_each(|property| write!(f, "\n  {property}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: Ask<'_> = Ask {
        id: "c1",
        cgroups_path: None,
        annotations: None,
        writes: &[],
        devices: None,
        layout: Layout::Unified,
        user: false,
    };

    #[test]
    fn prints_what_it_will_ask() {
        let annotations = HashMap::from([
            ("org.systemd.property.TimeoutStopUSec".to_string(), "uint64 10000000".to_string()),
            ("org.systemd.property.MemoryMax".to_string(), "uint64 7".to_string()),
        ]);
        let writes = [Write::new("", "memory.max", "5"), Write::new("", "memory.oom.group", "1")];
        let filter = DeviceFilter::new(&[]).expect("a filter");
        let ask = Ask {
            cgroups_path: Some(Path::new("a.slice:libpod:1")),
            annotations: Some(&annotations),
            writes: &writes,
            devices: Some(&filter),
            user: true,
            ..ASK
        };
        let plan = ScopePlan::new(&ask).expect("a plan");
        assert_eq!(plan.path(), Path::new("a.slice/libpod-1.scope"));
        let expected = "a.slice/libpod-1.scope (of the user's systemd)\n  \
            Description = 'skep container c1'\n  Slice = 'a.slice'\n  Delegate = true\n  \
            MemoryAccounting = true\n  CPUAccounting = true\n  IOAccounting = true\n  \
            TasksAccounting = true\n  DefaultDependencies = false\n  MemoryMax = uint64 7\n  \
            TimeoutStopUSec = uint64 10000000\n  MemoryMax = uint64 5\n  OOMPolicy = 'kill'";
        assert_eq!(plan.to_string(), expected);
        let system = ScopePlan::new(&Ask { user: false, ..ask }).expect("a plan").to_string();
        assert!(system.contains("DevicePolicy = 'strict'"), "{system}");
    }

    #[test]
    fn all_problems_in_one_go() {
        let annotations =
            HashMap::from([("org.systemd.property.PIDs".to_string(), "[1]".to_string())]);
        let ask = Ask {
            cgroups_path: Some(Path::new("/docker/x")),
            annotations: Some(&annotations),
            ..ASK
        };
        let error = ScopePlan::new(&ask).expect_err("two problems");
        assert_eq!(error.all_problems().len(), 2, "{error}");
    }

    #[test]
    fn where_systemd_has_no_cgroups_nothing_is_asked() {
        for (layout, user, possible) in [
            (Layout::Unified, true, true),
            (Layout::Hybrid, false, true),
            (Layout::Legacy, false, true),
            (Layout::Hybrid, true, false),
            (Layout::Legacy, true, false),
            (Layout::Absent, false, false),
        ] {
            let plan = ScopePlan::new(&Ask { layout, user, ..ASK });
            assert_eq!(plan.is_ok(), possible, "{layout:?}");
            assert!(plan.is_ok_and(|plan| plan.path().ends_with("skep-c1.scope")) == possible);
        }
    }
}

//! Which group the container is in, and what is written for it: the rules of the specification as data.

use super::group::Place;
use super::{FIELD, schemata};
use oci_spec::runtime::LinuxIntelRdt;
use std::fmt;
use std::path::Path;

/// The class that everybody is in who is in no other: the root of the filesystem.
const DEFAULT: &str = "/";

/// What `linux.intelRdt` comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Plan {
    /// The name of the group's directory; empty for the default one.
    pub(super) group: String,
    pub(super) origin: Origin,
    /// Texts to be written to `schemata`, one after the other.
    pub(super) schemata: Vec<String>,
    /// The lines with which a group that is there already has to agree.
    pub(super) expected: Vec<String>,
    /// The name of the group that is monitored, which is the container's alone.
    pub(super) monitor: Option<String>,
}

/// Whose the group is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// Made for the container, under its id; removed with it.
    Containers,
    /// Named by `closID`; made if it is missing, and left behind.
    Named,
    /// Named by `closID`, and there already.
    Configured,
}

impl Plan {
    /// The plan for the container `id`.
    pub(crate) fn new(rdt: &LinuxIntelRdt, id: &str) -> Self {
        let schemata = schemata::texts(rdt);
        let (group, origin) = match rdt.clos_id().as_deref().filter(|name| !name.is_empty()) {
            None => (id, Origin::Containers),
            Some(DEFAULT) => ("", Origin::Configured),
            Some(name) if schemata.is_empty() => (name, Origin::Configured),
            Some(name) => (name, Origin::Named),
        };
        Self {
            group: group.to_owned(),
            origin,
            schemata,
            expected: schemata::compared(rdt),
            monitor: rdt.enable_monitoring().unwrap_or(false).then(|| id.to_owned()),
        }
    }

    /// Where all of it is, in the filesystem that is mounted at `root`.
    pub(crate) fn place(&self, root: &Path) -> Place {
        let group = match self.group.as_str() {
            "" => root.to_owned(),
            name => root.join(name),
        };
        let monitor = self.monitor.as_ref().map(|name| group.join("mon_groups").join(name));
        Place { monitor, own: self.origin == Origin::Containers, group }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.group.is_empty() { DEFAULT } else { &self.group };
        let how = match self.origin {
            Origin::Containers => "made and removed with the container",
            Origin::Named => "made unless it is there",
            Origin::Configured => "which has to be there",
        };
        write!(f, "resctrl group {name}, {how}")?;
        let lines = self.schemata.iter().flat_map(|text| text.lines());
        let lines: Vec<_> = lines.collect();
        if !lines.is_empty() {
            write!(f, ", with {}", lines.join(" "))?;
        }
        if let Some(name) = &self.monitor {
            write!(f, ", monitored as {name}")?;
        }
        write!(f, "  <- {FIELD}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(rdt: Value) -> Plan {
        Plan::new(&serde_json::from_value(rdt).unwrap(), "c1")
    }

    fn place(rdt: Value) -> (String, bool, Option<String>) {
        let place = plan(rdt).place(Path::new("/r"));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        (text(&place.group), place.own, place.monitor.as_deref().map(text))
    }

    #[test]
    fn without_a_name_the_group_is_the_containers() {
        for rdt in [json!({}), json!({"closID": ""}), json!({"l3CacheSchema": "L3:0=f"})] {
            assert_eq!(plan(rdt.clone()).origin, Origin::Containers);
            assert_eq!(place(rdt), ("/r/c1".into(), true, None));
        }
    }

    #[test]
    fn a_named_group_is_made_for_a_schema_only_and_never_removed() {
        let named = json!({"closID": "gold", "memBwSchema": "MB:0=20"});
        assert_eq!(plan(named.clone()).origin, Origin::Named);
        assert_eq!(place(named), ("/r/gold".into(), false, None));
        let schemata = plan(json!({"closID": "gold", "schemata": ["L2:0=1"]}));
        assert_eq!(schemata.origin, Origin::Named);
        assert_eq!(plan(json!({"closID": "gold"})).origin, Origin::Configured);
        assert_eq!(plan(json!({"closID": "gold", "schemata": []})).origin, Origin::Configured);
    }

    #[test]
    fn the_default_group_is_the_root() {
        let rdt = json!({"closID": "/", "l3CacheSchema": "L3:0=f", "enableMonitoring": true});
        assert_eq!(plan(rdt.clone()).origin, Origin::Configured);
        assert_eq!(place(rdt), ("/r".into(), false, Some("/r/mon_groups/c1".into())));
    }

    #[test]
    fn monitoring_is_of_the_container_within_its_group() {
        let (_, _, monitor) = place(json!({"closID": "gold", "enableMonitoring": true}));
        assert_eq!(monitor, Some("/r/gold/mon_groups/c1".into()));
        let (_, _, monitor) = place(json!({"enableMonitoring": true}));
        assert_eq!(monitor, Some("/r/c1/mon_groups/c1".into()));
        assert_eq!(place(json!({"enableMonitoring": false})).2, None);
    }

    #[test]
    fn a_plan_is_one_line() {
        let rdt = json!({"l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20",
            "schemata": ["L2:0=1"], "enableMonitoring": true});
        assert_eq!(
            plan(rdt).to_string(),
            "resctrl group c1, made and removed with the container, with L3:0=f MB:0=20 L2:0=1, \
             monitored as c1  <- linux.intelRdt"
        );
        assert_eq!(
            plan(json!({"closID": "/"})).to_string(),
            "resctrl group /, which has to be there  <- linux.intelRdt"
        );
    }
}

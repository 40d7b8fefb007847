//! Changing the limits of a cgroup in use: all that is asked for, or nothing.
//!
//! An [`Update`] is planned without touching anything. What is given is merged over what the
//! container has ([`merge`]), because values depend on each other: a quota is written with its
//! period, and swap is counted apart from memory. Of the writes that this comes to, those are made
//! that were asked for or whose value is another now; what others have written meanwhile into files
//! that nobody speaks of stays. Then [`apply`] makes the writes, and takes all of them back if the
//! kernel refuses one.

mod apply;
mod check;
mod former;
mod merge;

use super::apply::no_hierarchy;
use super::devices::{self, DeviceFilter};
use super::handle::Cgroup;
use super::host::Layout;
use super::plan::limits_of;
use super::systemd::Scope;
use super::unenforced::{self, Reason, Unenforced};
use super::v2::controllers::Missing;
use super::v2::missing::{controllers_of, without};
use super::write::Write;
use crate::config::validate_resources;
use crate::error::{Error, ErrorKind, Result};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources};

/// Files in which systemd does not write exactly what it was told.
const ROUNDED_BY_SYSTEMD: &[&str] = &["cpu.max", "cpu.cfs_period_us", "cpu.cfs_quota_us"];

/// What an update of a container's limits comes to.
#[derive(Debug)]
pub struct Update {
    layout: Layout,
    resources: LinuxResources,
    changes_devices: bool,
    writes: Vec<Write>,
    /// What the limits come to that the container has.
    before: Vec<Write>,
    unenforced: Vec<Unenforced>,
}

impl Update {
    /// Plans to change `present`, the limits that the container has, by what `given` has. In
    /// `given` an absent field, and a 0 for memory, shares or a weight, leaves a limit as it is; a
    /// quota of 0 means none and a period of 0 the kernel's. Memory without limit is swap without
    /// limit, unless that is given, too.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the values, taken together;
    /// [`ErrorKind::Unsupported`] for what can be changed on no host of this layout.
    pub fn new(layout: Layout, present: &LinuxResources, given: &LinuxResources) -> Result<Self> {
        if layout == Layout::Absent {
            let text = format!("no limit can be changed: {}", Reason::NoCgroups);
            return Err(Error::new(ErrorKind::Unsupported, text).field("linux.resources"));
        }
        let merged = merge::merge(present, given)?;
        let problems = validate_resources(&merged.resources);
        let mut wanted = match problems.is_empty() {
            true => limits_of(layout, &merged.resources),
            false => return Err(Error::problems(problems)),
        };
        if !wanted.problems.is_empty() {
            return Err(Error::problems(wanted.problems));
        }
        let changes_devices = merged.fields.iter().any(|field| field == devices::FIELD);
        if changes_devices && layout == Layout::Legacy {
            let text = "cannot be changed on cgroup v1; only the rules that it was created with";
            return Err(Error::new(ErrorKind::Unsupported, text).field(devices::FIELD));
        }
        let before = limits_of(layout, present).writes;
        let same = |one: &Write| before.iter().any(|old| is_same(old, one));
        let changes = |one: &Write| merged.asks_for(&one.field) || !same(one);
        // Quota and period have a file each on v1, and systemd takes one without the other for half
        // of a default.
        let changes_quota = wanted.writes.iter().any(|one| is_quota(one) && changes(one));
        wanted.writes.retain(|one| changes(one) || (changes_quota && is_quota(one)));
        let unenforced = limits_of(layout, given).unenforced;
        Ok(Self {
            layout,
            resources: merged.resources,
            changes_devices,
            writes: wanted.writes,
            before,
            unenforced,
        })
    }

    /// The limits that the container has afterwards: what to remember, and to give as present the
    /// next time.
    pub fn resources(&self) -> &LinuxResources {
        &self.resources
    }

    /// What will be written. The order is that of a first try; the kernel may want another.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The rules for devices, if they change.
    fn devices(&self) -> Option<&[LinuxDeviceCgroup]> {
        self.resources.devices().as_deref().filter(|_| self.changes_devices)
    }

    /// Makes the changes; what of it is not enforced, in one line. The devices come last: what has
    /// been done by then is taken back if they are refused.
    pub(super) fn apply(&self, cgroup: &Cgroup) -> Result<Option<String>> {
        let mut unenforced = self.unenforced.clone();
        let writes = self.possible(cgroup, &mut unenforced)?;
        if writes.iter().any(|write| check::concerns(&write.field)) {
            check::usage(&self.resources, cgroup)?;
        }
        let devices = || self.devices().map_or(Ok(()), |rules| cgroup.replace_devices(rules));
        unenforced.extend(apply::apply(&writes, |write| cgroup.target(write), devices)?);
        if let Some(scope) = &cgroup.place().scope {
            self.tell(scope, &writes);
            restore_exact(cgroup, writes)?;
        }
        Ok(unenforced::line(&unenforced))
    }

    /// systemd would write the old values at its next reload. That it cannot be told is warned of:
    /// the kernel has the new ones.
    fn tell(&self, scope: &Scope, writes: &[Write]) {
        let filter = self.devices().and_then(|rules| DeviceFilter::new(rules).ok());
        if let Err(error) = scope.set(writes, filter.as_ref()) {
            log::warn!("{error}");
        }
    }

    /// The writes for which there is a controller. A limit that the container has, and that nothing has enforced
    /// from the beginning, may be given again: engines send all of them to change one.
    fn possible(&self, cgroup: &Cgroup, unenforced: &mut Vec<Unenforced>) -> Result<Vec<Write>> {
        let missing = self.missing_controllers(cgroup)?;
        let mut possible = Vec::new();
        for write in &self.writes {
            let name = write.controller();
            let lacking = match missing.get(name) {
                Some(refused) => {
                    Some((Reason::NoController(name.into()), without(write, refused.as_ref())))
                }
                None if cgroup.target(write).is_none() => {
                    Some((Reason::NotMounted(name.into()), no_hierarchy(write)))
                }
                None => None,
            };
            match lacking {
                None => possible.push(write.clone()),
                Some((reason, _)) if self.before.iter().any(|old| is_same(old, write)) => {
                    unenforced.push(Unenforced::new(&write.field, reason));
                }
                Some((_, error)) => return Err(error),
            }
        }
        Ok(possible)
    }

    /// A limit of a kind that the container had none of yet may need a controller that its cgroup has
    /// not: it is turned on. One that was turned on for an update that fails stays on; it limits nothing.
    fn missing_controllers(&self, cgroup: &Cgroup) -> Result<Missing> {
        match &cgroup.unified {
            Some(directory) if !self.writes.is_empty() => {
                controllers_of(self.layout, &self.writes, directory)
            }
            _ => Ok(Missing::new()),
        }
    }
}

/// systemd has written what it was told, and it counts a quota in whole percents of a processor.
fn restore_exact(cgroup: &Cgroup, mut writes: Vec<Write>) -> Result<()> {
    writes.retain(|write| ROUNDED_BY_SYSTEMD.contains(&write.file.as_str()));
    apply::apply(&writes, |write| cgroup.target(write), || Ok(())).map(drop)
}

fn is_quota(one: &Write) -> bool {
    matches!(one.file.as_str(), "cpu.cfs_period_us" | "cpu.cfs_quota_us")
}

fn is_same(one: &Write, other: &Write) -> bool {
    (&one.file, &one.value) == (&other.file, &other.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(json: &str) -> LinuxResources {
        serde_json::from_str(json).expect("resources")
    }

    fn update(present: &str, given: &str) -> Result<Update> {
        Update::new(Layout::Unified, &resources(present), &resources(given))
    }

    fn writes(present: &str, given: &str) -> Vec<(String, String)> {
        let update = update(present, given).expect(given);
        update.writes().iter().map(|one| (one.file.clone(), one.value.clone())).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(file, value)| (file.to_string(), value.to_string())).collect()
    }

    const PRESENT: &str = r#"{"devices":[{"allow":false,"access":"rwm"}],
        "memory":{"limit":100,"swap":300},"cpu":{"shares":512,"quota":50000,"period":200000},
        "pids":{"limit":9},"unified":{"memory.high":"70"}}"#;

    #[test]
    fn only_what_is_asked_for_is_written() {
        assert_eq!(writes(PRESENT, "{}"), []);
        assert_eq!(writes(PRESENT, r#"{"pids":{"limit":12}}"#), pairs(&[("pids.max", "12")]));
        let again = r#"{"cpu":{"shares":512},"unified":{"memory.high":"70"}}"#;
        let expected = [("cpu.weight", "59"), ("memory.high", "70")];
        assert_eq!(writes(PRESENT, again), pairs(&expected), "as it should be already");
    }

    #[test]
    fn values_that_depend_on_each_other_are_written_together() {
        let period = r#"{"cpu":{"period":100000}}"#;
        assert_eq!(writes(PRESENT, period), pairs(&[("cpu.max", "50000 100000")]));
        let same = r#"{"cpu":{"period":200000}}"#;
        assert_eq!(writes(PRESENT, same), pairs(&[("cpu.max", "50000 200000")]));
        let memory = r#"{"memory":{"limit":200}}"#;
        let expected = [("memory.swap.max", "100"), ("memory.max", "200")];
        assert_eq!(writes(PRESENT, memory), pairs(&expected));
        let swap = r#"{"memory":{"swap":150}}"#;
        assert_eq!(writes(PRESENT, swap), pairs(&[("memory.swap.max", "50")]));
    }

    #[test]
    fn on_v1_a_quota_takes_its_period_along() {
        let given = resources(r#"{"cpu":{"quota":70000}}"#);
        let update = Update::new(Layout::Legacy, &resources(PRESENT_V1), &given).expect("update");
        let files: Vec<&str> = update.writes().iter().map(|one| one.file.as_str()).collect();
        assert_eq!(files, ["cpu.cfs_period_us", "cpu.cfs_quota_us"]);
    }

    const PRESENT_V1: &str = r#"{"cpu":{"shares":512,"quota":50000,"period":200000}}"#;

    /// As `podman update` sends it: the rule that denies all devices is no wish to lose some.
    #[test]
    fn devices_stay_as_they_are() {
        let present = r#"{"devices":[{"allow":false,"access":"rwm"},
            {"allow":true,"type":"c","major":10,"minor":229,"access":"rwm"}]}"#;
        let given = r#"{"devices":[{"allow":false,"access":"rwm"}],"pids":{"limit":55}}"#;
        let planned = update(present, given).expect("update");
        assert_eq!(planned.resources().devices().as_ref().map(Vec::len), Some(2));
        assert_eq!(planned.writes().len(), 1);
        assert!(planned.devices().is_none());
        let planned = update(given, present).expect("other rules");
        assert_eq!(planned.devices().map(<[_]>::len), Some(2));
        let (present, given) = (resources(given), resources(present));
        let error = Update::new(Layout::Legacy, &present, &given).expect_err("rules");
        assert_eq!(error.config_field(), Some("linux.resources.devices"));
        let again = Update::new(Layout::Legacy, &given, &given).expect("the same rules");
        assert!(again.devices().is_none());
    }

    #[test]
    fn wrong_values_are_refused_together_before_anything_is_done() {
        let error = update(PRESENT, r#"{"memory":{"limit":400},"pids":{"limit":-3}}"#);
        let error = error.expect_err("two problems");
        let fields: Vec<_> = error.all_problems().iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["linux.resources.memory.swap", "linux.resources.pids.limit"]);
    }

    #[test]
    fn what_no_file_is_there_for_is_named_only_if_given() {
        let present = r#"{"memory":{"kernelTCP":77}}"#;
        assert_eq!(update(present, "{}").expect("update").unenforced, []);
        let note = unenforced::line(&update("{}", present).expect("update").unenforced);
        let expected = "not enforced: linux.resources.memory.kernelTCP \
                        (cgroup v2 has no such setting)";
        assert_eq!(note.as_deref(), Some(expected));
    }

    #[test]
    fn no_controllers_no_update() {
        let error = Update::new(Layout::Absent, &resources("{}"), &resources(PRESENT));
        let text = "linux.resources: no limit can be changed: this host has no cgroups at \
                    /sys/fs/cgroup";
        assert_eq!(error.expect_err("no cgroups").to_string(), text);
    }
}

//! What will be done about a container's cgroup, before anything is.

use super::Manager;
use super::devices::{self, DeviceFilter};
use super::host::Host;
use super::path;
use super::place::Place;
use super::unenforced::{self, Reason, Unenforced};
use super::v2::limits;
use super::write::{Limits, Write};
use crate::config::validate_resources;
use crate::error::{Error, Result};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources};
use std::fmt;
use std::path::{Path, PathBuf};

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The container's id: the directory's name if the config gives none.
    pub id: &'a str,
    /// `linux.cgroupsPath`.
    pub cgroups_path: Option<&'a Path>,
    /// `linux.resources`.
    pub resources: Option<&'a LinuxResources>,
    /// Who makes the cgroup.
    pub manager: Manager,
    /// The host's user to whom it is given, for a container that makes cgroups of its own.
    pub owner: Option<u32>,
    /// What the host offers.
    pub host: &'a Host,
}

/// A container's cgroup: its directory, what is written there in order, and what will not be enforced.
#[derive(Clone, Debug)]
pub struct CgroupPlan {
    pub(super) host: Host,
    relative: Option<PathBuf>,
    place: Option<Place>,
    owner: Option<u32>,
    writes: Vec<Write>,
    devices: Option<DeviceFilter>,
    unenforced: Vec<Unenforced>,
    asked: Vec<String>,
}

impl CgroupPlan {
    /// Computes the plan, or everything that is wrong with the config's part in it.
    pub fn new(request: &Request<'_>) -> Result<Self> {
        if request.manager == Manager::Systemd {
            let text = "--systemd-cgroup: not supported by this version; \
                        leave it out to have the cgroup made directly";
            return Err(Error::new(crate::error::ErrorKind::Unsupported, text));
        }
        let mut problems = request.resources.map(validate_resources).unwrap_or_default();
        // What is wrong in itself is not converted.
        let valid = request.resources.filter(|_| problems.is_empty());
        let limits = valid.map(limits::of).unwrap_or_default();
        if request.manager != Manager::None && request.host.layout.has_controllers() {
            problems.extend_from_slice(&limits.problems);
        }
        let filter = DeviceFilter::new(device_rules(valid));
        let filter = filter.map_err(|wrong| problems.extend(wrong)).ok();
        let own = request.host.own.as_deref();
        let relative = path::resolve(request.cgroups_path, request.id, own);
        let relative = relative.map_err(|wrong| problems.push(wrong)).ok();
        match (relative, filter) {
            (Some(relative), Some(filter)) if problems.is_empty() => {
                Ok(Self::from_parts(request, relative, limits, filter))
            }
            _ => Err(Error::problems(problems)),
        }
    }

    fn from_parts(
        request: &Request<'_>,
        relative: PathBuf,
        limits: Limits,
        filter: DeviceFilter,
    ) -> Self {
        let host = request.host;
        let root = host.layout.root().filter(|_| request.manager != Manager::None);
        let mut plan = Self {
            host: host.clone(),
            place: root
                .map(|root| Place { unified: Some(root.join(&relative)), ..Place::default() }),
            relative: root.map(|_| relative),
            owner: request.owner.filter(|_| host.layout.has_controllers()),
            asked: asked(request.resources, &limits),
            writes: limits.writes,
            devices: Some(filter),
            unenforced: limits.unenforced,
        };
        match (request.manager, Reason::of_layout(host.layout)) {
            (Manager::None, _) => plan.give_up(&Reason::NoManager),
            (_, Some(reason)) => plan.without_controllers(&reason, request.resources),
            (_, None) => plan.filter_devices(request.resources),
        }
        plan
    }

    /// The directory, from the root of the hierarchy and without a leading `/`; `None` if there will
    /// be none.
    pub fn path(&self) -> Option<&Path> {
        self.relative.as_deref()
    }

    /// Its directories on the host; `None` if there will be none.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The host's user to whom the directory is given.
    pub(super) fn owner(&self) -> Option<u32> {
        self.owner
    }

    /// What will be written, in order.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The device filter that will be attached, if any.
    pub fn devices(&self) -> Option<&DeviceFilter> {
        self.devices.as_ref()
    }

    /// What the config asks for and this plan does not enforce. [`Cgroup::create`] may have to add
    /// to it.
    ///
    /// [`Cgroup::create`]: super::Cgroup::create
    pub fn unenforced(&self) -> &[Unenforced] {
        &self.unenforced
    }

    /// Every field that asks for something as not enforced for one reason.
    pub(super) fn all_unenforced(&self, reason: &Reason) -> Vec<Unenforced> {
        let because = |field: &String| Unenforced::new(field, reason.clone());
        self.asked.iter().map(because).collect()
    }

    fn give_up(&mut self, reason: &Reason) {
        self.writes.clear();
        self.devices = None;
        self.unenforced = self.all_unenforced(reason);
    }

    /// On a hybrid host the v2 cgroup still holds the device filter.
    fn without_controllers(&mut self, reason: &Reason, resources: Option<&LinuxResources>) {
        let filter = self.devices.take();
        self.give_up(reason);
        if self.place.is_some() {
            self.unenforced.retain(|one| one.field != devices::FIELD);
            self.devices = filter;
            self.filter_devices(resources);
        }
    }

    /// An ordinary user may not load a filter; nor do their containers need one, having no right to
    /// make a device node that opens.
    fn filter_devices(&mut self, resources: Option<&LinuxResources>) {
        if self.host.rootless {
            self.devices = None;
            if devices::asks_for_more_than_default(device_rules(resources)) {
                let one = Unenforced::new(devices::FIELD, Reason::NoDeviceFilter);
                self.unenforced.push(one);
            }
        }
        self.devices = self.devices.take().filter(|filter| !filter.allows_everything());
    }
}

fn device_rules(resources: Option<&LinuxResources>) -> &[LinuxDeviceCgroup] {
    let rules = resources.and_then(|resources| resources.devices().as_deref());
    rules.unwrap_or_default()
}

/// The fields of the config that ask for something.
fn asked(resources: Option<&LinuxResources>, limits: &Limits) -> Vec<String> {
    let writes = limits.writes.iter().map(|one| &one.field);
    let others = limits.unenforced.iter().map(|one| &one.field);
    let refused = limits.problems.iter().map(|one| &one.field);
    let mut fields: Vec<String> = writes.chain(others).chain(refused).cloned().collect();
    fields.dedup();
    if devices::asks_for_more_than_default(device_rules(resources)) {
        fields.push(devices::FIELD.into());
    }
    fields
}

impl fmt::Display for CgroupPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "cgroup {place}")?,
            None => f.write_str("no cgroup")?,
        }
        for write in &self.writes {
            write!(f, "\n  {} = {} ({})", write.file, write.value, write.field)?;
        }
        if let (Some(uid), Some(_)) = (self.owner, &self.place) {
            write!(f, "\n  given to user {uid}")?;
        }
        if let Some(filter) = &self.devices {
            write!(f, "\n  device filter of {} instructions: {filter}", filter.instructions())?;
        }
        match unenforced::line(&self.unenforced) {
            Some(line) => write!(f, "\n  {line}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::Layout;
    use super::*;

    const LIMITS: &str = r#"{"devices":[{"allow":false,"access":"rwm"}],
        "memory":{"limit":67108864},"pids":{"limit":7},"blockIO":{"leafWeight":10}}"#;

    fn plan(layout: Layout, rootless: bool, manager: Manager, json: &str) -> CgroupPlan {
        let resources: LinuxResources = serde_json::from_str(json).expect("resources");
        let own = layout.root().map(|_| PathBuf::from("/"));
        let host = Host { layout, own, rootless };
        let request = Request {
            id: "c1",
            cgroups_path: Some(Path::new("/a/b")),
            resources: Some(&resources),
            manager,
            owner: None,
            host: &host,
        };
        CgroupPlan::new(&request).expect("plan")
    }

    fn directory(plan: &CgroupPlan) -> Option<&str> {
        plan.place()?.unified.as_deref()?.to_str()
    }

    fn fields(plan: &CgroupPlan) -> Vec<&str> {
        plan.unenforced().iter().map(|one| one.field.as_str()).collect()
    }

    #[test]
    fn unified_writes_what_it_can() {
        let plan = plan(Layout::Unified, false, Manager::Cgroupfs, LIMITS);
        assert_eq!(directory(&plan), Some("/sys/fs/cgroup/a/b"));
        assert_eq!(plan.path(), Some(Path::new("a/b")));
        assert_eq!(plan.writes().len(), 2);
        assert!(plan.devices().is_some());
        assert_eq!(fields(&plan), ["linux.resources.blockIO.leafWeight"]);
    }

    #[test]
    fn hybrid_has_a_cgroup_and_a_device_filter_but_no_limits() {
        let plan = plan(Layout::Hybrid, false, Manager::Cgroupfs, LIMITS);
        assert_eq!(directory(&plan), Some("/sys/fs/cgroup/unified/a/b"));
        assert!(plan.writes().is_empty());
        assert!(plan.devices().is_some());
        let limits = [
            "linux.resources.memory.limit",
            "linux.resources.pids.limit",
            "linux.resources.blockIO.leafWeight",
        ];
        assert_eq!(fields(&plan), limits);
    }

    #[test]
    fn without_v2_or_a_manager_everything_asked_for_is_named() {
        let json = r#"{"devices":[{"allow":true,"type":"c","access":"rwm"}],"pids":{"limit":7}}"#;
        for (layout, manager) in [
            (Layout::Legacy, Manager::Cgroupfs),
            (Layout::Absent, Manager::Cgroupfs),
            (Layout::Unified, Manager::None),
        ] {
            let plan = plan(layout, false, manager, json);
            assert_eq!((plan.path(), plan.place()), (None, None));
            assert!(plan.writes().is_empty() && plan.devices().is_none());
            let all = ["linux.resources.pids.limit", "linux.resources.devices"];
            assert_eq!(fields(&plan), all);
        }
    }

    #[test]
    fn default_device_list_alone_says_nothing() {
        let json = r#"{"devices":[{"allow":false,"access":"rwm"}],"blockIO":{}}"#;
        for layout in [Layout::Unified, Layout::Hybrid, Layout::Legacy, Layout::Absent] {
            for rootless in [false, true] {
                let plan = plan(layout, rootless, Manager::Cgroupfs, json);
                assert_eq!(plan.unenforced(), [], "{layout:?}");
                let filters = layout.root().is_some() && !rootless;
                assert_eq!(plan.devices().is_some(), filters, "{layout:?}");
            }
        }
    }

    #[test]
    fn all_problems_in_one_go() {
        let json = r#"{"devices":[{"allow":true}],"pids":{"limit":-7}}"#;
        let resources: LinuxResources = serde_json::from_str(json).expect("resources");
        let host = Host { layout: Layout::Legacy, own: None, rootless: false };
        let request = Request {
            id: "c1",
            cgroups_path: Some(Path::new("../x")),
            resources: Some(&resources),
            manager: Manager::Cgroupfs,
            owner: None,
            host: &host,
        };
        let error = CgroupPlan::new(&request).expect_err("three problems");
        assert_eq!(error.all_problems().len(), 3, "{error}");
        let systemd = Request { manager: Manager::Systemd, ..request };
        let error = CgroupPlan::new(&systemd).expect_err("systemd").to_string();
        assert!(error.starts_with("--systemd-cgroup: not supported"), "{error}");
    }

    #[test]
    fn prints_what_it_will_do() {
        let text = plan(Layout::Unified, true, Manager::Cgroupfs, LIMITS).to_string();
        let expected = "cgroup /sys/fs/cgroup/a/b\n  \
            memory.max = 67108864 (linux.resources.memory.limit)\n  \
            pids.max = 7 (linux.resources.pids.limit)\n  \
            not enforced: linux.resources.blockIO.leafWeight (cgroup v2 has no such setting)";
        assert_eq!(text, expected);
    }
}

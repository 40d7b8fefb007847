//! What will be done about a container's cgroup, before anything is.

use super::Manager;
use super::devices::{self, DeviceFilter};
use super::host::{Host, Layout};
use super::owner;
use super::path;
use super::place::Place;
use super::systemd::{Ask, Scope, ScopePlan};
use super::unenforced::{self, Reason, Unenforced};
use super::v1::devices::DeviceList;
use super::v1::{self, hierarchies};
use super::v2;
use super::write::{Limits, Write};
use crate::config::{Bundle, validate_resources};
use crate::container::CreateOptions;
use crate::error::{Error, Problem, Result};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The container's id: the directory's name if the config gives none.
    pub id: &'a str,
    /// `linux.cgroupsPath`.
    pub cgroups_path: Option<&'a Path>,
    /// `annotations`: those of systemd's are for its scope.
    pub annotations: Option<&'a HashMap<String, String>>,
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
    place: Option<Place>,
    /// What systemd is asked for, if it makes the cgroup.
    pub(super) scope: Option<ScopePlan>,
    owner: Option<u32>,
    writes: Vec<Write>,
    devices: Option<DeviceFilter>,
    /// In the place of the filter, where there is no cgroup v2.
    pub(super) device_list: Option<DeviceList>,
    unenforced: Vec<Unenforced>,
    asked: Vec<String>,
}

impl CgroupPlan {
    /// Plans the cgroup of a container that is to be created. Nothing is touched.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the config's part in it.
    pub fn for_create(
        id: &str,
        bundle: &Bundle,
        options: &CreateOptions,
        host: &crate::plan::Host,
    ) -> Result<Self> {
        let spec = bundle.config.spec();
        let linux = spec.linux().as_ref();
        let cgroups_path = linux.and_then(|linux| linux.cgroups_path().as_deref());
        Self::new(&Request {
            id,
            cgroups_path,
            annotations: spec.annotations().as_ref(),
            resources: linux.and_then(|linux| linux.resources().as_ref()),
            manager: options.cgroups,
            owner: owner::of(spec),
            host: &Host::with_mounted(
                host.cgroups,
                &host.hierarchies,
                cgroups_path,
                host.is_rootless(),
            )?,
        })
    }

    /// Computes the plan, or everything that is wrong with the config's part in it.
    pub fn new(request: &Request<'_>) -> Result<Self> {
        let mut problems = request.resources.map(validate_resources).unwrap_or_default();
        // What is wrong in itself is not converted.
        let valid = request.resources.filter(|_| problems.is_empty());
        let limits = valid.map(|valid| limits_of(request.host.layout, valid)).unwrap_or_default();
        if request.manager != Manager::None && request.host.has_controllers() {
            problems.extend_from_slice(&limits.problems);
        }
        let filter = DeviceFilter::new(device_rules(valid));
        let filter = filter.map_err(|wrong| problems.extend(wrong)).ok();
        let list = device_list(request.host, valid);
        let list = list.map_err(|wrong| problems.extend(wrong)).ok().flatten();
        let place = place(request).map_err(|wrong| problems.push(wrong)).ok();
        if !problems.is_empty() {
            return Err(Error::problems(problems));
        }
        let mut plan = Self {
            host: request.host.clone(),
            place: place.filter(|place| *place != Place::default()),
            scope: None,
            owner: request.owner.filter(|_| request.host.layout.has_controllers()),
            asked: asked(request, &limits, filter.as_ref()),
            writes: limits.writes,
            devices: filter,
            device_list: list,
            unenforced: limits.unenforced,
        };
        plan.choose(request)?;
        Ok(plan)
    }

    /// Leaves out what will not be enforced, and says so.
    fn choose(&mut self, request: &Request<'_>) -> Result<()> {
        let nothing = match (request.manager, self.host.layout) {
            (Manager::None, _) => Some(Reason::NoManager),
            (Manager::Cgroupfs, Layout::Absent) => Some(Reason::NoCgroups),
            _ => None,
        };
        if let Some(reason) = nothing {
            self.give_up(&reason);
            return Ok(());
        }
        if self.host.layout.has_v1() {
            let writes = std::mem::take(&mut self.writes);
            let (writes, left) = hierarchies::split(writes, &self.host.v1);
            self.writes = writes;
            self.unenforced.extend(left);
        }
        self.filter_devices(request.resources);
        if request.manager == Manager::Systemd {
            let scope = ScopePlan::new(&Ask {
                id: request.id,
                cgroups_path: request.cgroups_path,
                annotations: request.annotations,
                writes: &self.writes,
                devices: self.devices.as_ref(),
                layout: self.host.layout,
                user: self.host.rootless,
            })?;
            self.place = Some(self.expected(&scope));
            self.scope = Some(scope);
        }
        Ok(())
    }

    /// Where the scope will be, unless systemd says otherwise when it is there. On cgroup v1 most of
    /// its directories are made by us, and must be found again also if we are killed at that.
    fn expected(&self, scope: &ScopePlan) -> Place {
        let unit = Some(Scope::of(scope));
        match self.host.layout.has_v1() {
            true => self.host.place_of(&scope.path(), unit),
            false => Place { scope: unit, ..Place::default() },
        }
    }

    /// Its directories on the host, which for a scope of systemd's are known for certain when there
    /// is one; `None` if there will be none.
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
        self.device_list = None;
        self.place = None;
        self.unenforced = self.all_unenforced(reason);
    }

    /// An ordinary user may not load a filter; nor do their containers need one, having no right to
    /// make a device node that opens.
    fn filter_devices(&mut self, resources: Option<&LinuxResources>) {
        if self.host.rootless {
            self.devices = None;
            self.device_list = None;
            if devices::asks_for_more_than_default(device_rules(resources)) {
                let one = Unenforced::new(devices::FIELD, Reason::NoDeviceFilter);
                self.unenforced.push(one);
            }
        }
        let filter = self.devices.take().filter(|filter| !filter.allows_everything());
        if filter.is_some() && self.host.layout == Layout::Legacy && self.device_list.is_none() {
            let reason = Reason::NotMounted("devices".into());
            self.unenforced.push(Unenforced::new(devices::FIELD, reason));
        }
        self.devices = filter.filter(|_| self.device_list.is_none());
    }
}

/// What `resources` comes to in the version of cgroups that has the controllers.
pub(super) fn limits_of(layout: Layout, resources: &LinuxResources) -> Limits {
    if layout.has_v1() { v1::limits::of(resources) } else { v2::limits::of(resources) }
}

/// The directories, where we make them ourselves.
fn place(request: &Request<'_>) -> std::result::Result<Place, Problem> {
    let (host, mut place) = (request.host, Place::default());
    if request.manager != Manager::Cgroupfs {
        return Ok(place);
    }
    let relative = path::resolve(request.cgroups_path, request.id, host.own.as_deref())?;
    place.unified = host.layout.root().map(|root| root.join(relative));
    for one in &host.v1 {
        let directory = one.place_of(request.cgroups_path, request.id)?;
        place.v1.insert(one.name.clone(), directory);
    }
    Ok(place)
}

/// Where there is no cgroup v2 to have a filter.
fn device_list(
    host: &Host,
    resources: Option<&LinuxResources>,
) -> std::result::Result<Option<DeviceList>, Vec<Problem>> {
    if host.layout != Layout::Legacy || !host.v1.iter().any(|one| one.has("devices")) {
        return Ok(None);
    }
    DeviceList::new(device_rules(resources)).map(Some)
}

fn device_rules(resources: Option<&LinuxResources>) -> &[LinuxDeviceCgroup] {
    let rules = resources.and_then(|resources| resources.devices().as_deref());
    rules.unwrap_or_default()
}

/// The fields of the config that ask for something.
fn asked(request: &Request<'_>, limits: &Limits, filter: Option<&DeviceFilter>) -> Vec<String> {
    let writes = limits.writes.iter().map(|one| &one.field);
    let others = limits.unenforced.iter().map(|one| &one.field);
    let refused = limits.problems.iter().map(|one| &one.field);
    let mut fields: Vec<String> = writes.chain(others).chain(refused).cloned().collect();
    fields.dedup();
    // That everything is denied which is not allowed is asked for without a word: root could open the
    // host's disks. An ordinary user cannot, and asks only by a rule.
    let denies = filter.is_some_and(|filter| !filter.allows_everything());
    let rules = device_rules(request.resources);
    if devices::asks_for_more_than_default(rules) || (denies && !request.host.rootless) {
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
        if let Some(scope) = &self.scope {
            write!(f, "\n  {}", scope.to_string().replace('\n', "\n  "))?;
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
        if let Some(list) = &self.device_list {
            write!(f, "\n  devices: {list}")?;
        }
        match unenforced::line(&self.unenforced) {
            Some(line) => write!(f, "\n  {line}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mounted::Mounted;
    use super::*;
    use std::path::PathBuf;

    const LIMITS: &str = r#"{"devices":[{"allow":false,"access":"rwm"}],
        "memory":{"limit":67108864},"pids":{"limit":7},"blockIO":{"leafWeight":10}}"#;

    fn hierarchies(layout: Layout) -> Vec<Mounted> {
        let one = |name: &str| Mounted::new(name, Path::new("/sys/fs/cgroup").join(name), "/");
        let names: &[&str] = if layout.has_v1() { &["memory", "pids", "devices"] } else { &[] };
        names.iter().map(|name| one(name)).collect()
    }

    fn plan(layout: Layout, rootless: bool, manager: Manager, json: &str) -> CgroupPlan {
        let resources: LinuxResources = serde_json::from_str(json).expect("resources");
        let own = layout.root().map(|_| PathBuf::from("/"));
        let host = Host { layout, own, rootless, v1: hierarchies(layout) };
        let request = Request {
            id: "c1",
            cgroups_path: Some(Path::new("/a/b")),
            annotations: None,
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
        assert_eq!(plan.writes().len(), 2);
        assert!(plan.devices().is_some());
        assert_eq!(fields(&plan), ["linux.resources.blockIO.leafWeight"]);
    }

    #[test]
    fn hybrid_has_the_limits_on_v1_and_a_device_filter_on_v2() {
        let plan = plan(Layout::Hybrid, false, Manager::Cgroupfs, LIMITS);
        assert_eq!(directory(&plan), Some("/sys/fs/cgroup/unified/a/b"));
        let memory = plan.place().and_then(|place| place.v1.get("memory"));
        assert_eq!(memory, Some(&PathBuf::from("/sys/fs/cgroup/memory/a/b")));
        let files: Vec<&str> = plan.writes().iter().map(|write| write.file.as_str()).collect();
        assert_eq!(files, ["memory.limit_in_bytes", "pids.max"]);
        assert!(plan.devices().is_some() && plan.device_list.is_none());
        // No hierarchy of that controller.
        assert_eq!(fields(&plan), ["linux.resources.blockIO.leafWeight"]);
    }

    #[test]
    fn legacy_has_all_on_v1() {
        let plan = plan(Layout::Legacy, false, Manager::Cgroupfs, LIMITS);
        assert_eq!(directory(&plan), None);
        assert_eq!(plan.place().map(|place| place.v1.len()), Some(3));
        assert!(plan.devices().is_none() && plan.device_list.is_some());
    }

    #[test]
    fn without_cgroups_or_a_manager_everything_asked_for_is_named() {
        let json = r#"{"devices":[{"allow":true,"type":"c","access":"rwm"}],"pids":{"limit":7}}"#;
        for (layout, manager) in [
            (Layout::Absent, Manager::Cgroupfs),
            (Layout::Unified, Manager::None),
            (Layout::Hybrid, Manager::None),
        ] {
            let plan = plan(layout, false, manager, json);
            assert_eq!(plan.place(), None);
            assert!(plan.writes().is_empty() && plan.devices().is_none());
            let all = ["linux.resources.pids.limit", "linux.resources.devices"];
            assert_eq!(fields(&plan), all);
        }
    }

    #[test]
    fn default_device_list_alone_is_named_where_root_has_no_cgroup() {
        let json = r#"{"devices":[{"allow":false,"access":"rwm"}],"blockIO":{}}"#;
        for layout in [Layout::Unified, Layout::Hybrid, Layout::Legacy, Layout::Absent] {
            for rootless in [false, true] {
                let plan = plan(layout, rootless, Manager::Cgroupfs, json);
                let unguarded = layout == Layout::Absent && !rootless;
                let wanted: &[&str] = if unguarded { &["linux.resources.devices"] } else { &[] };
                assert_eq!(fields(&plan), wanted, "{layout:?}");
                let filters = layout.root().is_some() && !rootless;
                assert_eq!(plan.devices().is_some(), filters, "{layout:?}");
            }
        }
    }

    #[test]
    fn all_problems_in_one_go() {
        let json = r#"{"devices":[{"allow":true}],"pids":{"limit":-7}}"#;
        let resources: LinuxResources = serde_json::from_str(json).expect("resources");
        let host = Host { layout: Layout::Legacy, own: None, rootless: false, v1: Vec::new() };
        let request = Request {
            id: "c1",
            cgroups_path: Some(Path::new("../x")),
            annotations: None,
            resources: Some(&resources),
            manager: Manager::Cgroupfs,
            owner: None,
            host: &host,
        };
        let error = CgroupPlan::new(&request).expect_err("three problems");
        assert_eq!(error.all_problems().len(), 3, "{error}");
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

//! The steps that make the root filesystem: mounts, masks, and the change of root.

use super::Input;
use super::create::Planner;
use super::idmap::{self, IdMapping};
use super::mount::{self, BindSource, Given, MountPlan, Planned, Source};
use super::mount_options;
use super::namespaces;
use super::op::{Op, Step};
use super::paths::{RootPath, c_path, c_string};
use crate::error::Result;
use crate::sys::mount::MountAttr;
use oci_spec::runtime::{Capability, Mount};
use std::collections::BTreeMap;
use std::ffi::CString;

/// Where a host path's tree is opened.
struct Opened {
    path: CString,
    recursive: bool,
    field: String,
}

/// Propagation, the root filesystem and every entry of `mounts`.
pub(super) fn attach(planner: &mut Planner) -> Result<()> {
    let Entries { trees, mut mounts } = entries(planner)?;
    let mut unopened = open(planner, trees, &mut mounts);
    let mut empty = Empty::default();
    let mut read_only = Vec::new();
    for (mut mount, field) in mounts {
        let directory = planner.plan.directories;
        let open = empty.mounted(&mut mount, directory).then(|| mount.target.clone());
        // Mount points, devices and what is copied up are made in it first.
        if mount.is_tmpfs() && mount.make_writable() {
            read_only.push((mount.target.clone(), field.clone()));
        }
        if let Source::Bind(BindSource::Tree(tree)) = mount.source
            && let Some(Opened { path, recursive, field }) = unopened.remove(&tree)
        {
            planner.push(Op::OpenTree { tree, path, recursive }, &field);
        }
        let links = std::mem::take(&mut mount.links);
        planner.push(Op::Mount(Box::new(mount)), &field);
        if let Some(path) = open {
            planner.push(Op::OpenDirectory { path, directory }, &field);
            planner.plan.directories += 1;
            for (name, target) in links {
                planner.push(Op::Link { target, directory, name, replace: false }, &field);
            }
        }
    }
    planner.dev = empty.mounts.into_iter().find(|(path, _)| path == "dev").map(|(_, place)| place);
    planner.read_only = read_only;
    forget_unused(planner);
    Ok(())
}

/// The mounts in the order of the configuration, and the host's trees that some of them are copies of,
/// the root filesystem's first.
struct Entries {
    trees: Vec<Opened>,
    mounts: Vec<(MountPlan, String)>,
}

fn entries(planner: &mut Planner) -> Result<Entries> {
    let label = planner.linux.mount_label().clone().filter(|label| !label.is_empty());
    planner.plan.mount_label = label.as_deref().map(c_string).transpose()?;
    let given = Given {
        bundle: &planner.bundle.path,
        host: planner.host,
        own_pid_namespace: planner.namespaces.has(namespaces::PID),
        new_cgroup_namespace: planner.namespaces.is_new(namespaces::CGROUP),
        cgroup: planner.cgroup,
        privileged: is_privileged(planner),
        label: label.as_deref(),
    };
    let mut entries = Entries { trees: vec![root(planner)?], mounts: Vec::new() };
    for (number, entry) in planner.spec.mounts().iter().flatten().enumerate() {
        let field = format!("mounts[{number}] ({})", entry.destination().display());
        let planned = mount::plan(entry, &given).and_then(|(planned, warning)| {
            planner.plan.warnings.extend(warning.map(|text| format!("{field}: {text}")));
            match IdMapping::plan(entry, planner)? {
                Some(mapping) => by_parent(planner, planned, mapping, &field).map(Planned::Ready),
                None => Ok(planned),
            }
        });
        entries.add(planned.map_err(|error| error.field(field.clone()))?, field);
    }
    Ok(entries)
}

/// Whether the process may change all mounts, also those of the host that the container is given.
fn is_privileged(planner: &Planner) -> bool {
    let sets = planner.process.capabilities().as_ref();
    let bounding = sets.and_then(|sets| sets.bounding().as_ref());
    !planner.namespaces.has(namespaces::USER)
        && !planner.host.in_user_namespace
        && bounding.is_some_and(|bounding| bounding.contains(&Capability::SysAdmin))
}

impl Entries {
    fn add(&mut self, planned: Planned, field: String) {
        match planned {
            Planned::Ready(mount) => self.mounts.push((mount, field)),
            Planned::Several(all) => {
                self.mounts.extend(all.into_iter().map(|mount| (mount, field.clone())));
            }
            Planned::Bind { mut mount, path, recursive } => {
                mount.source = Source::Bind(BindSource::Tree(self.trees.len()));
                self.trees.push(Opened { path, recursive, field: field.clone() });
                self.mounts.push((mount, field));
            }
        }
    }
}

/// What is id-mapped is opened, or made, by the parent in any case.
fn by_parent(
    planner: &mut Planner,
    planned: Planned,
    mapping: IdMapping,
    field: &str,
) -> Result<MountPlan> {
    match planned {
        Planned::Bind { mut mount, path, recursive } => {
            let (propagation, field) = (of_copies(planner), field.to_owned());
            let tree = Input::Tree { path, recursive, propagation, idmap: Some(mapping), field };
            mount.source = Source::Bind(BindSource::Input(planner.plan.input(tree)));
            Ok(mount)
        }
        Planned::Ready(mut mount) => {
            let filesystem = idmap::filesystem(&mount, mapping, field)?;
            mount.made_by_parent(planner.plan.input(filesystem));
            Ok(mount)
        }
        Planned::Several(_) => Err(idmap::unsupported()),
    }
}

/// A tmpfs in which nothing is made need not be open.
fn forget_unused(planner: &mut Planner) {
    let below = |step: &Step| match &step.op {
        Op::Mount(mount) => mount.fresh.as_ref().map(|(place, _)| *place),
        Op::Link { directory, .. } => Some(*directory),
        _ => None,
    };
    let mut used: Vec<usize> = planner.plan.steps.iter().filter_map(below).collect();
    used.extend(planner.dev);
    let is_used = |step: &Step| match &step.op {
        Op::OpenDirectory { directory, .. } => used.contains(directory),
        _ => true,
    };
    planner.plan.steps.retain(is_used);
}

fn root(planner: &Planner) -> Result<Opened> {
    let path = c_path(&planner.bundle.rootfs())?;
    Ok(Opened { path, recursive: true, field: "root.path".into() })
}

/// Opens and attaches the root filesystem's tree. In a user namespace other than the caller's, a
/// path of the host may be out of reach for the child: then the parent, if it has the rights, opens
/// all trees. What is given back is to be opened just before it is mounted, by place: a config may
/// have more bind mounts than a process may have open files. Only shared volumes are opened first
/// of all, since attaching the root ends the sharing of the mount that it is on.
fn open(
    planner: &mut Planner,
    trees: Vec<Opened>,
    mounts: &mut [(MountPlan, String)],
) -> BTreeMap<usize, Opened> {
    let by_parent = planner.namespaces.has(namespaces::USER)
        && planner.host.has(caps::Capability::CAP_SYS_ADMIN)
        && planner.host.owns_mounts;
    let shared = is_shared(planner);
    propagate(planner);
    let path = trees.first().map(|root| root.path.clone()).unwrap_or_default();
    let mut later = BTreeMap::new();
    let root = if by_parent {
        BindSource::Input(by_parent_opened(planner, trees, mounts))
    } else {
        planner.plan.trees = trees.len();
        for (tree, opened) in trees.into_iter().enumerate() {
            if shared || tree == 0 {
                let Opened { path, recursive, field } = opened;
                planner.push(Op::OpenTree { tree, path, recursive }, &field);
            } else {
                later.insert(tree, opened);
            }
        }
        BindSource::Tree(0)
    };
    let host = !planner.namespaces.has(namespaces::MOUNT);
    planner.push(Op::AttachRoot { source: root, path, private: shared, host }, "root.path");
    later
}

/// The place of the first among the inputs.
fn by_parent_opened(
    planner: &mut Planner,
    trees: Vec<Opened>,
    mounts: &mut [(MountPlan, String)],
) -> usize {
    let first = planner.plan.inputs.len();
    for (mount, _) in mounts {
        if let Source::Bind(BindSource::Tree(place)) = mount.source {
            mount.source = Source::Bind(BindSource::Input(first + place));
        }
    }
    let propagation = of_copies(planner);
    let input = |Opened { path, recursive, field }| Input::Tree {
        path,
        recursive,
        propagation,
        idmap: None,
        field,
    };
    planner.plan.inputs.extend(trees.into_iter().map(input));
    first
}

fn asked_propagation(planner: &Planner) -> Option<(u64, bool)> {
    let name = planner.linux.rootfs_propagation().as_deref().filter(|name| !name.is_empty());
    name.and_then(mount_options::propagation)
}

/// Whether mounts of the new namespace stay peers of the host's.
fn is_shared(planner: &Planner) -> bool {
    asked_propagation(planner).is_some_and(|(kind, _)| mount_options::is_shared(kind))
}

/// What happens to the host's mounts in the new namespace, before any is copied. The mounts of a
/// namespace that is joined are not ours to change.
fn propagate(planner: &mut Planner) {
    if planner.namespaces.is_new(namespaces::MOUNT) {
        let attr = mount_options::propagation_attr(of_the_hosts(planner));
        planner.push(Op::Propagation { attr, recursive: true }, "linux.rootfsPropagation");
    }
}

/// What is unbindable could not be copied: that it becomes at the end.
fn of_the_hosts(planner: &Planner) -> u64 {
    let asked = asked_propagation(planner).map(|(kind, _)| kind);
    let asked = asked.filter(|kind| !mount_options::is_unbindable(*kind));
    asked.unwrap_or(mount_options::DEFAULT_PROPAGATION.0)
}

/// The same for copies that the parent makes, out of the host's own namespace: there, what stays a
/// peer is a peer already.
fn of_copies(planner: &Planner) -> Option<MountAttr> {
    let kind = of_the_hosts(planner);
    (!mount_options::is_shared(kind)).then(|| mount_options::propagation_attr(kind))
}

/// The empty tmpfs mounts so far that nothing has been mounted over: where they are and the place
/// at which they are open. A mount point directly below one is made without looking for it first.
#[derive(Default)]
struct Empty {
    mounts: Vec<(String, usize)>,
    used: Vec<String>,
}

impl Empty {
    /// Notes a mount; whether it is to be opened at the place `next`.
    fn mounted(&mut self, mount: &mut MountPlan, next: usize) -> bool {
        let target = mount.target.lexical();
        let (parent, name) = target.rsplit_once('/').unwrap_or(("", &target));
        let below = self.mounts.iter().find(|(path, _)| path == parent);
        if let (Some((_, place)), false, Ok(name)) =
            (below, self.used.contains(&target), c_string(name))
        {
            mount.fresh = Some((*place, name));
        }
        // What is mounted over something hides it, and all that is below.
        let hidden = format!("{target}/");
        self.mounts.retain(|(path, _)| *path != target && !path.starts_with(&hidden));
        let empty = mount.is_empty_tmpfs() && !target.is_empty();
        if empty {
            self.mounts.push((target.clone(), next));
            let link = |(name, _): &(CString, _)| format!("{hidden}{}", name.to_string_lossy());
            self.used.extend(mount.links.iter().map(link));
        }
        self.used.push(target);
        empty
    }
}

/// Whether an entry of `mounts` puts the host's `/dev` into the container, which then is left alone.
pub(super) fn binds_dev(mount: &Mount) -> bool {
    let is_dev = RootPath::new(&mount.destination().to_string_lossy())
        .is_ok_and(|path| path.lexical() == "dev");
    let has_bind = |option: &String| option == "bind" || option == "rbind";
    is_dev
        && (mount.typ().as_deref() == Some("bind")
            || mount.options().iter().flatten().any(has_bind))
}

/// Masked and read-only paths, and tmpfs mounts that nothing more is to be made in.
pub(super) fn restrict(planner: &mut Planner) -> Result<()> {
    for (target, field) in std::mem::take(&mut planner.read_only) {
        planner.push(Op::Mount(Box::new(MountPlan::read_only(target))), &field);
    }
    let readonly = planner.linux.readonly_paths().clone().unwrap_or_default();
    for (number, path) in readonly.iter().enumerate() {
        planner.push(Op::ReadOnly(RootPath::new(path)?), &format!("linux.readonlyPaths[{number}]"));
    }
    let masked = planner.linux.masked_paths().clone().unwrap_or_default();
    for (number, path) in masked.iter().enumerate() {
        planner.push(Op::Mask(RootPath::new(path)?), &format!("linux.maskedPaths[{number}]"));
    }
    Ok(())
}

/// Where nothing is to be mounted, and there is no mount namespace: the directory is the root as it is.
pub(super) fn use_root(planner: &mut Planner) -> Result<()> {
    let path = c_path(&planner.bundle.rootfs())?;
    planner.push(Op::UseRoot(path), "root.path");
    Ok(())
}

/// The change of root. What changes the root's own mount comes last: until then things are made in it.
pub(super) fn finish(planner: &mut Planner, has_mounts: bool) {
    if has_mounts && planner.is_root_readonly() {
        planner.push(Op::ReadOnlyRoot, "root.readonly");
    }
    // In a mount namespace that others are in too, pivot_root would change their root as well.
    let pivot = planner.namespaces.is_new(namespaces::MOUNT) && !planner.options.no_pivot;
    planner
        .push(if pivot { Op::Pivot { shared: is_shared(planner) } } else { Op::ChrootToRoot }, "");
    // pivot_root refuses a shared root, so it becomes one only now. Private it is in any case.
    if has_mounts
        && let Some((kind, recursive)) = asked_propagation(planner)
        && kind != mount_options::private().propagation
    {
        let attr = mount_options::propagation_attr(kind);
        planner.push(Op::RootPropagation { attr, recursive }, "linux.rootfsPropagation");
    }
}

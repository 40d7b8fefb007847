//! What a container sees where its config mounts cgroups, on a host with cgroup v1.
//!
//! There each hierarchy is a file system of its own, so an entry of type `cgroup` is a tmpfs with a
//! directory for each, named as on the host, and a link for every controller that shares one. A
//! container in a new cgroup namespace mounts them anew: the kernel then shows its own cgroup as
//! the root. In any other namespace the same would show the whole host's (CVE-2023-25809), and the
//! container's own directory is bound instead.
//!
//! What is in a cgroup of its caller's, since it was refused one or none is wanted, sees that one: it is
//! not its to change, and so read-only.

use super::mount::{Filesystem, Given, MountPlan, Planned, Source, TargetKind, Told};
use super::mount_options::{self, MountOptions};
use super::paths::{RootPath, c_path, c_string};
use crate::cgroup::{Mounted, Place};
use crate::error::Result;
use crate::sys::mount::MountAttr;
use std::ffi::CString;
use std::path::PathBuf;

/// The tmpfs at `target`, with the links in it, and then the mounts below it.
pub(super) fn plan(target: &RootPath, options: &MountOptions, given: &Given) -> Result<Told> {
    // Each mount is told for itself what is said to the whole tree.
    let attr = both(&options.attr, &options.recursive_attr);
    let options = MountOptions { attr, recursive_attr: MountAttr::default(), ..options.clone() };
    let hierarchies = &given.host.hierarchies;
    let mut mounts = vec![tmpfs(target, &options, given)?];
    let views: Vec<_> =
        hierarchies.iter().map(|hierarchy| View::of(hierarchy, &options, given)).collect();
    let forced = !options.is_read_only() && views.iter().any(|view| view.own.is_none());
    for view in views {
        mounts.push(view.plan(target)?);
    }
    Ok((Planned::Several(mounts), forced.then(|| FORCED.to_owned())))
}

const FORCED: &str = "is read-only, since the container has no cgroup of its own";

/// What is said last counts.
fn both(first: &MountAttr, last: &MountAttr) -> MountAttr {
    MountAttr {
        attr_set: first.attr_set & !last.attr_clr | last.attr_set,
        attr_clr: first.attr_clr & !last.attr_set | last.attr_clr,
        ..*first
    }
}

fn tmpfs(target: &RootPath, options: &MountOptions, given: &Given) -> Result<MountPlan> {
    let context = given.label.map(str::to_owned);
    let mut options = MountOptions { context, ..options.clone() };
    options.data.insert(0, ("mode".to_owned(), Some("755".to_owned())));
    let source = Source::Filesystem(Filesystem::new("tmpfs", Some("cgroup"), &options)?);
    let kind = TargetKind::Directory;
    let mut mount = MountPlan::new(target.clone(), kind, source, "tmpfs".to_owned(), &options);
    for hierarchy in &given.host.hierarchies {
        mount.links.extend(links(hierarchy)?);
    }
    Ok(mount)
}

/// A link for each name that the directory does not have.
fn links(hierarchy: &Mounted) -> Result<Vec<(CString, CString)>> {
    use std::os::unix::ffi::OsStrExt;
    let directory = hierarchy.directory();
    let controllers = hierarchy.name.split(',').filter(|name| !name.is_empty());
    let others = controllers.filter(|name| !name.contains('=') && directory != *name);
    others.map(|name| Ok((c_string(name)?, c_string(directory.as_bytes())?))).collect()
}

/// One hierarchy, as the container will see it.
struct View<'a> {
    hierarchy: &'a Mounted,
    /// The container's own directory on the host.
    own: Option<PathBuf>,
    new_namespace: bool,
    options: MountOptions,
}

impl<'a> View<'a> {
    fn of(hierarchy: &'a Mounted, options: &MountOptions, given: &Given) -> Self {
        let own = given.cgroup.and_then(|place| directory(place, hierarchy));
        let mut options = MountOptions { data: Vec::new(), ..options.clone() };
        if own.is_none() {
            options.attr = both(&options.attr, &mount_options::read_only());
        }
        Self { hierarchy, own, new_namespace: given.new_cgroup_namespace, options }
    }

    fn plan(mut self, target: &RootPath) -> Result<MountPlan> {
        let path = format!("{target}/{}", self.hierarchy.directory().to_string_lossy());
        let target = RootPath::new(&path)?;
        let (source, name) = if self.new_namespace { self.filesystem()? } else { self.bind()? };
        Ok(MountPlan::new(target, TargetKind::Directory, source, name, &self.options))
    }

    /// If the kernel should not allow a mount of its own, what the caller is in is shown, read-only.
    fn filesystem(&mut self) -> Result<(Source, String)> {
        let fstype = if self.hierarchy.is_v2() { "cgroup2" } else { "cgroup" };
        self.options.data = parameters(&self.hierarchy.name);
        let filesystem = Filesystem::new(fstype, Some("cgroup"), &self.options)?;
        let fallback = Some(c_path(&self.hierarchy.own)?);
        Ok((Source::Filesystem(Filesystem { fallback, ..filesystem }), fstype.to_owned()))
    }

    /// What is mounted over it never reaches the host.
    fn bind(&mut self) -> Result<(Source, String)> {
        self.options.attr.propagation = mount_options::private().propagation;
        let path = self.own.as_ref().unwrap_or(&self.hierarchy.own);
        Ok((Source::Cgroup(c_path(path)?), path.display().to_string()))
    }
}

fn directory(place: &Place, hierarchy: &Mounted) -> Option<PathBuf> {
    match hierarchy.is_v2() {
        true => place.unified.clone(),
        false => place.v1.get(&hierarchy.name).cloned(),
    }
}

/// What cgroup v1 finds a hierarchy by: its controllers and its name, or that it has none of the first.
fn parameters(name: &str) -> Vec<(String, Option<String>)> {
    let parts = name.split(',').filter(|part| !part.is_empty());
    let none = name.starts_with("name=").then_some(("none".to_owned(), None));
    let parameter = |part: &str| match part.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (part.to_owned(), None),
    };
    none.into_iter().chain(parts.map(parameter)).collect()
}

#[cfg(test)]
mod tests;

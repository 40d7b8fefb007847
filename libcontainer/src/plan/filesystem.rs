//! The steps that make the root filesystem: mounts, masks, and the change of root.

use super::Input;
use super::create::Planner;
use super::mount::{self, BindSource, MountPlan, Planned, Source};
use super::mount_options;
use super::namespaces;
use super::op::{Op, Step};
use super::paths::{RootPath, c_path};
use crate::error::Result;
use oci_spec::runtime::Mount;
use std::ffi::CString;

/// Where a host path's tree is opened.
struct Opened {
    path: CString,
    recursive: bool,
    field: String,
}

/// Propagation, the root filesystem and every entry of `mounts`.
pub(super) fn attach(planner: &mut Planner) -> Result<()> {
    let bundle = planner.bundle.path.clone();
    let own_pid_namespace = planner.namespaces.has(namespaces::PID);
    let mut trees = vec![root(planner)?];
    let mut mounts = Vec::new();
    for (number, entry) in planner.spec.mounts().iter().flatten().enumerate() {
        let field = format!("mounts[{number}] ({})", entry.destination().display());
        let planned = mount::plan(entry, &bundle, planner.host, own_pid_namespace);
        let planned = planned.map_err(|error| error.field(field.clone()))?;
        mounts.push(match planned {
            Planned::Ready(mount) => (mount, field),
            Planned::Bind {
                mut mount,
                path,
                recursive,
            } => {
                mount.source = Source::Bind(BindSource::Tree(trees.len()));
                trees.push(Opened {
                    path,
                    recursive,
                    field: field.clone(),
                });
                (mount, field)
            }
        });
    }
    open(planner, trees, &mut mounts);
    mark_fresh(&mut mounts);
    let place = |(mount, field)| Step {
        op: Op::Mount(Box::new(mount)),
        field,
    };
    planner.plan.steps.extend(mounts.into_iter().map(place));
    Ok(())
}

fn root(planner: &Planner) -> Result<Opened> {
    let path = c_path(&planner.bundle.rootfs())?;
    Ok(Opened {
        path,
        recursive: true,
        field: "root.path".into(),
    })
}

/// In a user namespace other than the caller's, a path of the host may be out of reach for the
/// child: then the parent, if it has the rights, opens the trees.
fn open(planner: &mut Planner, trees: Vec<Opened>, mounts: &mut [(MountPlan, String)]) {
    let by_parent = planner.namespaces.has(namespaces::USER)
        && planner.host.has(caps::Capability::CAP_SYS_ADMIN);
    propagate(planner);
    if by_parent {
        let first = planner.plan.inputs.len();
        for (_, field_mount) in mounts.iter_mut().enumerate() {
            if let Source::Bind(BindSource::Tree(place)) = field_mount.0.source {
                field_mount.0.source = Source::Bind(BindSource::Input(first + place));
            }
        }
        let inputs = trees.into_iter().map(|tree| Input::Tree {
            path: tree.path,
            recursive: tree.recursive,
            field: tree.field,
        });
        planner.plan.inputs.extend(inputs);
        keep_to_ourselves(planner);
        planner.push(
            Op::AttachRoot {
                source: BindSource::Input(first),
            },
            "root.path",
        );
        return;
    }
    planner.plan.trees = trees.len();
    for (tree, opened) in trees.into_iter().enumerate() {
        let op = Op::OpenTree {
            tree,
            path: opened.path,
            recursive: opened.recursive,
        };
        planner.push(op, &opened.field);
    }
    keep_to_ourselves(planner);
    planner.push(
        Op::AttachRoot {
            source: BindSource::Tree(0),
        },
        "root.path",
    );
}

fn asked_propagation(planner: &Planner) -> Option<(u64, bool)> {
    let name = planner
        .linux
        .rootfs_propagation()
        .as_deref()
        .filter(|name| !name.is_empty());
    name.and_then(mount_options::propagation)
}

/// What happens to the host's mounts in the new namespace, before any is copied.
fn propagate(planner: &mut Planner) {
    let (kind, _) = asked_propagation(planner).unwrap_or(mount_options::DEFAULT_PROPAGATION);
    let kind = if mount_options::is_unbindable(kind) {
        mount_options::DEFAULT_PROPAGATION.0
    } else {
        kind
    };
    let attr = mount_options::propagation_attr(kind);
    planner.push(
        Op::Propagation {
            attr,
            recursive: true,
        },
        "linux.rootfsPropagation",
    );
}

/// What is mounted over `/` must not show on the host, even when the config asks for shared mounts.
fn keep_to_ourselves(planner: &mut Planner) {
    let (kind, _) = asked_propagation(planner).unwrap_or(mount_options::DEFAULT_PROPAGATION);
    if mount_options::is_shared(kind) {
        let attr = mount_options::private();
        planner.push(
            Op::Propagation {
                attr,
                recursive: false,
            },
            "linux.rootfsPropagation",
        );
    }
}

/// A mount point directly below a new, empty tmpfs is not looked for before it is made.
fn mark_fresh(mounts: &mut [(MountPlan, String)]) {
    let mut empty: Vec<String> = Vec::new();
    let mut used: Vec<String> = Vec::new();
    for (mount, _) in mounts {
        let target = mount.target.lexical();
        let parent = target
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent)
            .to_owned();
        mount.fresh =
            empty.contains(&parent) && !used.contains(&target) && mount.target.split().is_some();
        // A later mount may hide an earlier one and all that was made below it.
        empty.retain(|known| *known != target);
        if mount.is_empty_tmpfs() {
            empty.push(target.clone());
        }
        used.push(target);
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

/// Masked and read-only paths.
pub(super) fn restrict(planner: &mut Planner) -> Result<()> {
    let readonly = planner.linux.readonly_paths().clone().unwrap_or_default();
    for (number, path) in readonly.iter().enumerate() {
        planner.push(
            Op::ReadOnly(RootPath::new(path)?),
            &format!("linux.readonlyPaths[{number}]"),
        );
    }
    let masked = planner.linux.masked_paths().clone().unwrap_or_default();
    for (number, path) in masked.iter().enumerate() {
        planner.push(
            Op::Mask(RootPath::new(path)?),
            &format!("linux.maskedPaths[{number}]"),
        );
    }
    Ok(())
}

/// Without a mount namespace nothing is mounted: the directory is the root as it is.
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
    if has_mounts && let Some((kind, _)) = asked_propagation(planner) {
        planner.push(
            Op::RootPropagation(mount_options::propagation_attr(kind)),
            "linux.rootfsPropagation",
        );
    }
    // In a mount namespace that others are in too, pivot_root would change their root as well.
    let pivot = planner.namespaces.is_new(namespaces::MOUNT) && !planner.options.no_pivot;
    planner.push(if pivot { Op::Pivot } else { Op::ChrootToRoot }, "");
}

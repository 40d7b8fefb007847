//! Id-mapped mounts: with what they are mapped, and who does it.
//!
//! mount_setattr(2) maps a mount only as long as nobody has seen it, and only for who has
//! CAP_SYS_ADMIN over the user namespace that its file system belongs to. What is on the host belongs
//! to the host's, over which a container in a namespace of its own has no rights. So all that is
//! id-mapped is opened, or made, and mapped by the parent, and the child attaches it.

use super::Input;
use super::create::Planner;
use super::identity::IdMaps;
use super::mount::{Filesystem, MountPlan, Source};
use super::namespaces;
use crate::config::{MountIds, MountMappings};
use crate::error::{Error, ErrorKind, Result};
use oci_spec::runtime::Mount;
use std::fmt;

/// The user namespace whose maps a mount is given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Ids {
    /// The container's, which is a new one: there as soon as its maps are written.
    Containers,
    /// The container's, which is this input.
    Joined(usize),
    /// One that is made for these maps, and shared by all mounts that have the same.
    Own(IdMaps),
}

/// What a mount is to be mapped with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct IdMapping {
    pub(crate) ids: Ids,
    /// The mounts below it, too.
    pub(crate) recursive: bool,
}

/// File systems that the container makes in its own user namespace: the ids in them are the
/// container's from the start, so mapping them to those changes nothing.
const OF_THE_CONTAINER: &[&str] =
    &["cgroup", "cgroup2", "devpts", "mqueue", "overlay", "proc", "ramfs", "sysfs", "tmpfs"];

impl IdMapping {
    /// What an entry of `mounts` asks for, if it asks for something.
    pub(super) fn plan(mount: &Mount, planner: &Planner) -> Result<Option<Self>> {
        let asked = MountIds::of(mount, Some(&planner.linux));
        let Some(asked) = asked.map_err(|text| Error::new(ErrorKind::InvalidConfig, text))? else {
            return Ok(None);
        };
        let own_namespace = planner.namespaces.has(namespaces::USER);
        let is_containers = match &asked.mappings {
            MountMappings::Containers => true,
            MountMappings::Given { same, .. } => *same,
        };
        let options = || mount.options().iter().flatten();
        let binds = options().any(|option| option == "bind" || option == "rbind");
        let fstype = mount.typ().as_deref().unwrap_or_default();
        if own_namespace && is_containers && !binds && OF_THE_CONTAINER.contains(&fstype) {
            return Ok(None);
        }
        if !planner.host.has(caps::Capability::CAP_SYS_ADMIN) || !planner.host.owns_mounts {
            return Err(Error::new(ErrorKind::Unsupported, NO_RIGHTS));
        }
        let ids = match asked.mappings {
            MountMappings::Given { same: true, .. }
                if planner.namespaces.is_new(namespaces::USER) =>
            {
                Ids::Containers
            }
            // What is joined may be mapped in another way than linux.uidMappings says.
            MountMappings::Given { uids, gids, .. } => {
                Ids::Own(IdMaps::new(Some(&uids), Some(&gids)))
            }
            MountMappings::Containers => containers(planner),
        };
        Ok(Some(Self { ids, recursive: asked.recursive }))
    }
}

const NO_RIGHTS: &str = "an id mapping takes CAP_SYS_ADMIN over the user namespace that the file \
    system belongs to, which the caller lacks; run as root, or leave the mapping out";

fn containers(planner: &Planner) -> Ids {
    let is_user =
        |input: &Input| matches!(input, Input::Namespace { kind, .. } if *kind == namespaces::USER);
    planner.plan.inputs.iter().position(is_user).map_or(Ids::Containers, Ids::Joined)
}

/// A new file system is made by the parent, so that it belongs to the caller's user namespace.
pub(super) fn filesystem(mount: &MountPlan, idmap: IdMapping, field: &str) -> Result<Input> {
    let Source::Filesystem(Filesystem { fstype, parameters, only_classic, .. }) = &mount.source
    else {
        return Err(unsupported());
    };
    if *only_classic {
        return Err(Error::new(ErrorKind::Unsupported, NOT_DETACHED));
    }
    let (fstype, parameters) = (fstype.clone(), parameters.clone());
    Ok(Input::Filesystem { fstype, parameters, idmap, field: field.to_owned() })
}

const NOT_DETACHED: &str = "a new file system that is id-mapped takes no option of more than 255 \
    bytes, and neither iversion nor silent; take the option or the mapping out";

pub(super) fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "an id mapping is for binds and new file systems")
}

impl fmt::Display for IdMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.recursive {
            ", id-mapped recursively by "
        } else {
            ", id-mapped by "
        })?;
        match &self.ids {
            Ids::Containers | Ids::Joined(_) => f.write_str("the container's user namespace"),
            Ids::Own(maps) => maps.fmt(f),
        }
    }
}

//! Id mappings of a [mount](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#linux-mount-options).

use oci_spec::runtime::{Linux, LinuxIdMapping, Mount};

/// What a mount asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::config) enum MountMappings {
    /// None.
    None,
    /// Those of the container's user namespace.
    Containers,
    /// Others.
    Other,
}

impl MountMappings {
    pub(in crate::config) fn of(mount: &Mount, linux: Option<&Linux>) -> Self {
        let asked = [list(mount.uid_mappings()), list(mount.gid_mappings())];
        let own = linux.map(|linux| [list(linux.uid_mappings()), list(linux.gid_mappings())]);
        match asked {
            [[], []] => Self::None,
            asked if Some(asked) == own => Self::Containers,
            _ => Self::Other,
        }
    }
}

fn list(mappings: &Option<Vec<LinuxIdMapping>>) -> &[LinuxIdMapping] {
    mappings.as_deref().unwrap_or_default()
}

//! What the host offers: how `/sys/fs/cgroup` is laid out, where we are in it, and whether we are
//! anybody there.

use super::mounted::Mounted;
use super::path;
use super::place::Place;
use super::systemd::Scope;
use crate::error::{Error, Result};
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, TMPFS_MAGIC, statfs};
use nix::sys::statvfs::FsFlags;
use nix::unistd::{AccessFlags, faccessat};
use std::fmt;
use std::path::{Path, PathBuf};

/// What is mounted at `/sys/fs/cgroup`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Layout {
    /// cgroup v2 and nothing else.
    Unified,
    /// cgroup v1 holds the controllers; v2, at `/sys/fs/cgroup/unified`, only tracks processes.
    Hybrid,
    /// cgroup v1 only, or v2 read-only beside it.
    Legacy,
    /// No cgroup file system.
    Absent,
}

impl Layout {
    /// Looks at the host: one statfs(2) on a pure v2 host, two on others.
    pub fn detect() -> Self {
        let hybrid = || {
            let stat = statfs("/sys/fs/cgroup/unified").ok();
            // What cannot be written to takes no container, and would take v1 from it.
            let usable = stat.filter(|stat| !stat.flags().contains(FsFlags::ST_RDONLY));
            usable.is_some_and(|stat| stat.filesystem_type() == CGROUP2_SUPER_MAGIC)
        };
        match statfs("/sys/fs/cgroup").map(|stat| stat.filesystem_type()) {
            Ok(CGROUP2_SUPER_MAGIC) => Self::Unified,
            Ok(TMPFS_MAGIC) if hybrid() => Self::Hybrid,
            Ok(TMPFS_MAGIC) => Self::Legacy,
            _ => Self::Absent,
        }
    }

    /// Where the v2 hierarchy is mounted, if it is.
    pub fn root(self) -> Option<&'static Path> {
        match self {
            Self::Unified => Some(Path::new("/sys/fs/cgroup")),
            Self::Hybrid => Some(Path::new("/sys/fs/cgroup/unified")),
            Self::Legacy | Self::Absent => None,
        }
    }

    /// Whether there are hierarchies of cgroup v1.
    pub(crate) fn has_v1(self) -> bool {
        matches!(self, Self::Hybrid | Self::Legacy)
    }

    /// Whether the controllers are ours to use.
    pub(super) fn has_controllers(self) -> bool {
        self == Self::Unified
    }
}

/// The facts of the host that a plan depends on.
#[derive(Clone, Debug)]
pub struct Host {
    /// How cgroups are mounted.
    pub layout: Layout,
    /// The caller's own cgroup, from the root of the v2 hierarchy; `None` where it was not needed or
    /// there is no such hierarchy.
    pub own: Option<PathBuf>,
    /// Whether the caller is anyone but root of the initial user namespace. It may then lack the
    /// right to make a cgroup, to be given a controller, or to load a device filter, and its
    /// containers start without.
    pub rootless: bool,
    /// The hierarchies of cgroup v1 that can be written to.
    pub(super) v1: Vec<Mounted>,
}

impl Host {
    /// Whether there is anything that limits.
    pub(super) fn has_controllers(&self) -> bool {
        self.layout.has_controllers() || !self.v1.is_empty()
    }

    /// The directories that a scope of systemd's is: the same path in every hierarchy.
    pub(super) fn place_of(&self, path: &Path, scope: Option<Scope>) -> Place {
        let path = path.strip_prefix("/").unwrap_or(path);
        let v1 = self.v1.iter().map(|one| (one.name.clone(), one.mount.join(path))).collect();
        Place { unified: self.layout.root().map(|root| root.join(path)), v1, scope }
    }

    /// A process may be put into a cgroup only by someone who may write to `cgroup.procs` of the
    /// nearest cgroup above both; the file where an ordinary user may not.
    pub(super) fn entry_denied(&self, directory: &Path) -> Option<PathBuf> {
        let root = self.layout.root()?;
        let own = self.own.as_ref().filter(|_| self.rootless)?;
        let own = root.join(own.strip_prefix("/").unwrap_or(own));
        let file = path::common_ancestor(&own, directory).join("cgroup.procs");
        let allowed = faccessat(AT_FDCWD, &file, AccessFlags::W_OK, AtFlags::AT_EACCESS);
        allowed.is_err().then_some(file)
    }

    /// Looks at the host. `/proc/self/cgroup` is read only if the answer matters: for a relative or
    /// missing `linux.cgroupsPath`, and to see whether an ordinary user may enter what it made.
    pub fn detect(cgroups_path: Option<&Path>, rootless: bool) -> Result<Self> {
        Self::with_layout(Layout::detect(), cgroups_path, rootless)
    }

    /// The same where the layout is known.
    pub fn with_layout(
        layout: Layout,
        cgroups_path: Option<&Path>,
        rootless: bool,
    ) -> Result<Self> {
        Self::with_mounted(layout, &Mounted::detect(layout)?, cgroups_path, rootless)
    }

    /// The same where all that is mounted is known.
    pub(super) fn with_mounted(
        layout: Layout,
        mounted: &[Mounted],
        cgroups_path: Option<&Path>,
        rootless: bool,
    ) -> Result<Self> {
        let wanted = layout.root().is_some() && (rootless || path::starts_from_own(cgroups_path));
        let own = if wanted { Some(own_cgroup()?) } else { None };
        let v1 = mounted.iter().filter(|one| !one.is_v2() && !one.read_only).cloned().collect();
        Ok(Self { layout, own, rootless, v1 })
    }
}

fn own_cgroup() -> Result<PathBuf> {
    Ok(cgroup_of("self")?.unwrap_or_else(|| PathBuf::from("/")))
}

/// The cgroup that a process is in, from the root of the v2 hierarchy; `None` if that cannot be seen
/// from here.
pub(super) fn cgroup_of(pid: impl fmt::Display) -> Result<Option<PathBuf>> {
    let path = format!("/proc/{pid}/cgroup");
    let table =
        crate::procfs::read(&path).map_err(|error| Error::system(format!("read {path}"), error))?;
    Ok(parse_own(&table))
}

/// The v2 line of `/proc/self/cgroup`. A path with `..` is that of a process outside of its own
/// cgroup namespace's root: nothing that it can see is above it, so it counts as the root.
fn parse_own(table: &str) -> Option<PathBuf> {
    let path = table.lines().find_map(|line| line.strip_prefix("0::"))?;
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    path::is_plain(Path::new(path)).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_cgroup_is_the_line_of_hierarchy_zero() {
        let hybrid = "9:name=systemd:/a\n4:memory:/b\n0::/user.slice/session-1.scope\n";
        assert_eq!(parse_own(hybrid), Some(PathBuf::from("/user.slice/session-1.scope")));
        assert_eq!(parse_own("0::/\n"), Some(PathBuf::from("/")));
        assert_eq!(parse_own("0::/gone (deleted)\n"), Some(PathBuf::from("/gone")));
    }

    #[test]
    fn own_cgroup_outside_of_the_namespace_or_of_v2_is_unknown() {
        assert_eq!(parse_own("0::/../../x\n"), None);
        assert_eq!(parse_own("4:memory:/b\n"), None);
    }

    #[test]
    fn layout_agrees_with_the_mount_it_names() {
        match Layout::detect().root() {
            Some(root) => assert!(root.join("cgroup.controllers").exists()),
            None => assert!(!Path::new("/sys/fs/cgroup/cgroup.controllers").exists()),
        }
    }
}

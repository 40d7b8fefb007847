//! The cgroup file systems that are mounted one beside the other at `/sys/fs/cgroup`, and where a
//! container's directory in each is. Pure v2 is one file system, and needs no list.
//!
//! `/proc/self/cgroup` names them and the caller's own place; statfs(2) tells whether one is where
//! every host has it. A hierarchy that is not there is left out; one that is read-only can be looked
//! at, and no more.

use super::host::Layout;
use super::path;
use super::v1::hierarchies;
use crate::error::{Error, Problem, Result};
use crate::procfs;
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, FsType, statfs};
use nix::sys::statvfs::FsFlags;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// One of the hierarchies of a host that has several.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Mounted {
    /// As `/proc/self/cgroup` has it: `memory`, `cpu,cpuacct`, `name=systemd`; empty for v2.
    pub name: String,
    /// Where it is mounted on the host.
    pub mount: PathBuf,
    /// The host's directory of the cgroup that the caller is in.
    pub own: PathBuf,
    /// Whether nobody can make a cgroup in it.
    pub read_only: bool,
}

impl Mounted {
    /// The hierarchy `name`, mounted at `mount`, in which the caller is in `own`, from its root.
    pub fn new(name: &str, mount: impl Into<PathBuf>, own: impl AsRef<Path>) -> Self {
        let mount = mount.into();
        let names = own.as_ref().components().filter(|part| matches!(part, Component::Normal(_)));
        let own = mount.components().chain(names).collect();
        Self { name: name.to_owned(), mount, own, read_only: false }
    }

    /// All that there are, v1's first; none on a host with cgroup v2 alone.
    ///
    /// # Errors
    ///
    /// When `/proc/self/cgroup` cannot be read.
    pub(crate) fn detect(layout: Layout) -> Result<Vec<Self>> {
        if !layout.has_v1() {
            return Ok(Vec::new());
        }
        let table = procfs::read("/proc/self/cgroup")
            .map_err(|error| Error::system("read /proc/self/cgroup", error))?;
        let v1 = hierarchies::parse(&table).filter_map(|(name, own)| {
            let mut places = hierarchies::directories(name).into_iter();
            let found = places.find_map(|path| Some((is(&path, CGROUP_SUPER_MAGIC)?, path)));
            let (read_only, mount) = found?;
            let own = hierarchies::visible(&mount, own);
            Some(Self { read_only, ..Self::new(name, mount, own) })
        });
        let own = table.lines().find_map(|line| line.strip_prefix("0::"));
        let v2 = layout.root().zip(own).filter(|(root, _)| is(root, CGROUP2_SUPER_MAGIC).is_some());
        let v2 = v2.map(|(root, own)| Self::new("", root, hierarchies::visible(root, own)));
        Ok(v1.chain(v2).collect())
    }

    /// Whether a controller's files are here.
    pub(super) fn has(&self, controller: &str) -> bool {
        self.name.split(',').any(|name| name == controller)
    }

    /// The directory of the container `id` in a hierarchy of v1, by runc's rule: an absolute
    /// `linux.cgroupsPath` begins at the root, a relative or missing one *below* the caller's own
    /// cgroup. (Not beside, as in v2: a cgroup of v1 may hold processes and cgroups alike, and so the
    /// caller's limits hold for its containers.)
    pub(super) fn place_of(
        &self,
        cgroups_path: Option<&Path>,
        id: &str,
    ) -> std::result::Result<PathBuf, Problem> {
        let own = Path::new("/").join(self.own.strip_prefix(&self.mount).unwrap_or(Path::new("")));
        Ok(self.mount.join(path::resolve_below(cgroups_path, id, Some(&own))?))
    }

    /// The name of the directory that it is mounted at.
    pub(crate) fn directory(&self) -> &OsStr {
        self.mount.file_name().unwrap_or_default()
    }

    pub(crate) fn is_v2(&self) -> bool {
        self.name.is_empty()
    }
}

/// Whether the file system of that kind at `path` is read-only; `None` if there is another or none.
fn is(path: &Path, magic: FsType) -> Option<bool> {
    let stat = statfs(path).ok().filter(|stat| stat.filesystem_type() == magic)?;
    Some(stat.flags().contains(FsFlags::ST_RDONLY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cgroup_is_a_directory_of_the_host() {
        let memory = Mounted::new("memory", "/sys/fs/cgroup/memory", "/user.slice");
        assert_eq!(memory.own, Path::new("/sys/fs/cgroup/memory/user.slice"));
        assert_eq!(memory.directory(), "memory");
        let root = Mounted::new("", "/sys/fs/cgroup/unified", "/");
        assert_eq!(root.own.to_str(), Some("/sys/fs/cgroup/unified"));
        assert!(root.is_v2() && !memory.is_v2());
    }

    #[test]
    fn what_is_found_is_there() {
        let layout = Layout::detect();
        let found = Mounted::detect(layout).expect("/proc/self/cgroup");
        assert!(layout.has_v1() || found.is_empty());
        for one in found {
            let procs = std::fs::read_to_string(one.own.join("cgroup.procs")).expect("own cgroup");
            let pid = std::process::id().to_string();
            assert!(procs.lines().any(|line| line == pid), "{one:?}");
        }
    }
}

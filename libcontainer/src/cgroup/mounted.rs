//! What of the cgroup file systems a container can be shown: those that are mounted one beside the
//! other at `/sys/fs/cgroup`. Pure v2 is one file system, and needs no list.

use super::host::Layout;
use super::v1::hierarchies;
use crate::error::{Error, Result};
use crate::procfs;
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, FsType, statfs};
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
}

impl Mounted {
    /// The hierarchy `name`, mounted at `mount`, in which the caller is in `own`, from its root.
    pub fn new(name: &str, mount: impl Into<PathBuf>, own: impl AsRef<Path>) -> Self {
        let mount = mount.into();
        let names = own.as_ref().components().filter(|part| matches!(part, Component::Normal(_)));
        let own = mount.components().chain(names).collect();
        Self { name: name.to_owned(), mount, own }
    }

    /// All that there are, v1's first; none on a host with cgroup v2 alone. Other than for
    /// [`hierarchies::detect`], one that is read-only counts: it can be looked at.
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
            let mount = places.find(|path| is(path, CGROUP_SUPER_MAGIC))?;
            Some(Self::new(name, &mount, hierarchies::visible(&mount, own)))
        });
        let own = table.lines().find_map(|line| line.strip_prefix("0::"));
        let v2 = layout.root().zip(own).filter(|(root, _)| is(root, CGROUP2_SUPER_MAGIC));
        let v2 = v2.map(|(root, own)| Self::new("", root, hierarchies::visible(root, own)));
        Ok(v1.chain(v2).collect())
    }

    /// The name of the directory that it is mounted at.
    pub(crate) fn directory(&self) -> &OsStr {
        self.mount.file_name().unwrap_or_default()
    }

    pub(crate) fn is_v2(&self) -> bool {
        self.name.is_empty()
    }
}

fn is(path: &Path, magic: FsType) -> bool {
    statfs(path).is_ok_and(|stat| stat.filesystem_type() == magic)
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

//! Where a container's cgroup is: what is stored, so that it is found again.

use super::handle::Cgroup;
use super::host::Host;
use super::path::is_plain;
use super::systemd::Scope;
use super::v1::Tree;
use crate::procfs;
use nix::fcntl::AT_FDCWD;
use nix::unistd::{UnlinkatFlags, unlinkat};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The directories of one container's cgroup on the host.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Place {
    /// Its directory of cgroup v2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unified: Option<PathBuf>,
    /// Its directory in each hierarchy of cgroup v1, by the hierarchy's name in `/proc/self/cgroup`:
    /// the controllers, joined by commas, or `name=systemd`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub v1: BTreeMap<String, PathBuf>,
    /// The scope of systemd's that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<Scope>,
}

impl Place {
    /// Whether it is stopped now, or told to be: `cgroup.freeze` of cgroup v2, otherwise
    /// `freezer.self_freezing`.
    pub fn is_frozen(&self) -> bool {
        let freezer = || self.freezer().map(|(_, path)| path.join("freezer.self_freezing"));
        let file = self.unified.as_ref().map(|path| path.join("cgroup.freeze")).or_else(freezer);
        let text = file.and_then(|file| procfs::read(file).ok());
        text.is_some_and(|text| text.starts_with('1'))
    }

    /// Removes what is empty; whether nothing is left then. One call for each directory, which is
    /// all that a container that has ended takes.
    pub(crate) fn remove_if_empty(&self) -> bool {
        let gone = |path: &PathBuf| {
            let removed =
                is_plain(path).then(|| unlinkat(AT_FDCWD, path, UnlinkatFlags::RemoveDir));
            matches!(removed, Some(Ok(()) | Err(nix::errno::Errno::ENOENT)))
        };
        let left = self.directories().filter(|path| !gone(path)).count();
        left == 0
    }

    /// Lets those die who were sent SIGKILL, which the freezer of cgroup v1 keeps from whom it has
    /// stopped; be it for `pause`, or for the container itself. Where that cannot be done they stay.
    pub(crate) fn let_die(&self) {
        let Some((name, path)) = self.freezer() else { return };
        let freezer = BTreeMap::from([(name.clone(), path.clone())]);
        if let Ok(Some(tree)) = Tree::open(&freezer) {
            let _ = tree.thaw_all();
        }
    }

    /// Its directory in the hierarchy of v1's freezer, and the name of that.
    pub(crate) fn freezer(&self) -> Option<(&String, &PathBuf)> {
        self.v1.iter().find(|(name, _)| name.split(',').any(|name| name == "freezer"))
    }

    /// Whether only systemd may let the first process in, or others, for all that is known before
    /// they are there.
    pub(crate) fn may_need_systemd(&self) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.user)
    }

    /// Has systemd forget the scope, which ends by itself when nobody is in it any more. That this
    /// cannot be done is only warned of.
    pub(crate) fn forget_scope(&self) {
        if let Some(Err(error)) = self.scope.as_ref().map(Scope::stop) {
            log::warn!("{error}");
        }
    }

    /// Has systemd forget the scope unless a process is in it: then it is another container's of
    /// that name.
    pub(crate) fn forget_scope_if_unused(&self) {
        let stopped = self.scope.as_ref().map(|scope| scope.stop_unless(is_used));
        if let Some(Err(error)) = stopped {
            log::warn!("{error}");
        }
    }

    /// The same, further below.
    pub(super) fn below(&self, names: &Path) -> Self {
        let join = |path: &PathBuf| path.join(names);
        Self {
            unified: self.unified.as_ref().map(join),
            v1: self.v1.iter().map(|(name, path)| (name.clone(), join(path))).collect(),
            scope: self.scope.clone(),
        }
    }

    /// All of them.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &PathBuf> {
        self.unified.iter().chain(self.v1.values())
    }
}

/// Whether a process stays in the cgroup of systemd's at `path`; one that is ending gets its time.
fn is_used(path: &Path) -> bool {
    const TRIES: usize = 50;
    let Ok(host) = Host::detect(None, false) else { return true };
    let place = host.place_of(path, None);
    let processes = || Cgroup::open(&place)?.map_or(Ok(Vec::new()), |cgroup| cgroup.processes());
    for _ in 0..TRIES {
        if processes().is_ok_and(|list| list.is_empty()) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.scope.iter().map(|scope| scope.unit.clone());
        let paths = self.directories().map(|path| path.display().to_string());
        f.write_str(&scope.chain(paths).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read() {
        let v1 = [("cpu,cpuacct".to_owned(), PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/a"))];
        let place = Place { unified: Some("/sys/fs/cgroup/a".into()), v1: v1.into(), scope: None };
        let text = serde_json::to_string(&place).expect("written");
        assert_eq!(serde_json::from_str::<Place>(&text).expect("read"), place);
        assert_eq!(serde_json::to_string(&Place::default()).expect("written"), "{}");
    }

    #[test]
    fn nothing_but_plain_paths_is_removed() {
        let climbing = PathBuf::from("/sys/fs/cgroup/../../../nowhere");
        assert!(!Place { unified: Some(climbing), ..Place::default() }.remove_if_empty());
        let gone = PathBuf::from("/sys/fs/cgroup/skep-no-such-cgroup");
        assert!(Place { unified: Some(gone), ..Place::default() }.remove_if_empty());
    }
}

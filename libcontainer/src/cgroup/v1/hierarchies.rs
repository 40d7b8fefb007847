//! The hierarchies of cgroup v1 by name: what `/proc/self/cgroup` says of them, where they may be
//! mounted, and which of them takes a write.

use super::super::mounted::Mounted;
use super::super::path;
use super::super::unenforced::{Reason, Unenforced};
use super::super::write::Write;
use crate::procfs;
use std::path::{Path, PathBuf};

/// Where hierarchies are mounted, each in a directory named after its controllers.
const MOUNTS: &str = "/sys/fs/cgroup";

/// What of `writes` a controller of `hierarchies` takes, and what none does.
pub(in super::super) fn split(
    writes: Vec<Write>,
    hierarchies: &[Mounted],
) -> (Vec<Write>, Vec<Unenforced>) {
    let there = |write: &Write| hierarchies.iter().any(|one| one.has(write.controller()));
    let (taken, left): (Vec<Write>, Vec<Write>) = writes.into_iter().partition(there);
    let excuse = |write: Write| {
        let reason = Reason::NotMounted(write.controller().to_owned());
        Unenforced::new(write.field, reason)
    };
    (taken, left.into_iter().map(excuse).collect())
}

/// Name and own path from lines like `4:cpu,cpuacct:/own/path`; v2's line has no name.
pub(in super::super) fn parse(table: &str) -> impl Iterator<Item = (&str, &str)> {
    table.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (name, own) = (parts.next()?, parts.next()?);
        (!name.is_empty()).then_some((name, own))
    })
}

/// Where it may be mounted: under all of its names, or, where that has another order, under one.
pub(in super::super) fn directories(name: &str) -> Vec<PathBuf> {
    let below = |name: &str| Path::new(MOUNTS).join(name);
    match name.strip_prefix("name=") {
        // A name is the choice of whoever mounted it, and may be anything but a directory's.
        Some(name) if name.contains('/') || name.starts_with('.') => Vec::new(),
        Some(name) => vec![below(name)],
        None => std::iter::once(name).chain(name.split(',')).map(below).collect(),
    }
}

/// The caller's own cgroup as the mount shows it. In a container without a cgroup namespace the
/// kernel tells it from the host's root, while what is mounted is the container's part alone; only
/// then is the mount table read.
pub(in super::super) fn visible(mount: &Path, own: &str) -> PathBuf {
    let own = Path::new(own);
    if !path::is_plain(own) {
        return PathBuf::from("/");
    }
    if mount.join(own.strip_prefix("/").unwrap_or(own)).is_dir() {
        return own.to_path_buf();
    }
    let table = procfs::read("/proc/self/mountinfo").unwrap_or_default();
    below_root(own, root_of(&table, mount))
}

/// The part of the hierarchy that is mounted at `mount`: fields 4 and 5 of proc_pid_mountinfo(5).
/// What is mounted last is on top.
fn root_of<'a>(table: &'a str, mount: &Path) -> Option<&'a Path> {
    let row = |line: &'a str| {
        let mut fields = line.split(' ').skip(3);
        Some((fields.next()?, fields.next()?))
    };
    let mut rows = table.lines().rev().filter_map(row);
    rows.find(|(_, at)| Path::new(at) == mount).map(|(root, _)| Path::new(root))
}

/// What cannot be seen counts as the root.
fn below_root(own: &Path, root: Option<&Path>) -> PathBuf {
    let below = root.and_then(|root| own.strip_prefix(root).ok());
    Path::new("/").join(below.unwrap_or(Path::new("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISTRO: &str = "12:cpu,cpuacct:/user.slice\n4:memory:/a:b/c\n\
        1:name=systemd:/user.slice/session-1.scope\n0::/user.slice\n";

    fn hierarchy(name: &str, own: &str) -> Mounted {
        Mounted::new(name, Path::new("/sys/fs/cgroup").join(name), own)
    }

    #[test]
    fn every_hierarchy_but_v2_is_named_with_the_own_path() {
        let expected = [
            ("cpu,cpuacct", "/user.slice"),
            ("memory", "/a:b/c"),
            ("name=systemd", "/user.slice/session-1.scope"),
        ];
        assert_eq!(parse(DISTRO).collect::<Vec<_>>(), expected);
        assert_eq!(parse("0::/\n\nnonsense\n").count(), 0);
    }

    #[test]
    fn mounts_have_the_names_of_controllers() {
        let paths = |name| {
            let text = |path: PathBuf| path.display().to_string();
            directories(name).into_iter().map(text).collect::<Vec<_>>()
        };
        let both = ["/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpuacct"];
        assert_eq!(paths("cpu,cpuacct"), both);
        assert_eq!(paths("name=systemd"), ["/sys/fs/cgroup/systemd"]);
        assert!(paths("name=../../tmp").is_empty() && paths("name=..").is_empty());
    }

    #[test]
    fn controllers_are_whole_names() {
        let both = hierarchy("cpu,cpuacct", "/");
        assert!(both.has("cpu") && both.has("cpuacct"));
        assert!(!both.has("cpuset") && !both.has("acct") && !both.has("cpu,cpuacct"));
        assert!(!hierarchy("name=cpu", "/").has("cpu"));
    }

    #[test]
    fn relative_paths_begin_below_the_own_cgroup() {
        let one = hierarchy("memory", "/user.slice");
        for (asked, expected) in [
            (Some("/a/b"), "/sys/fs/cgroup/memory/a/b"),
            (Some("a/b"), "/sys/fs/cgroup/memory/user.slice/a/b"),
            (Some(""), "/sys/fs/cgroup/memory/user.slice/id"),
            (None, "/sys/fs/cgroup/memory/user.slice/id"),
        ] {
            let directory = one.place_of(asked.map(Path::new), "id").expect("path");
            assert_eq!(directory, Path::new(expected));
        }
        for asked in ["/", "/a/../b", "..", "."] {
            let problem = one.place_of(Some(Path::new(asked)), "id").expect_err(asked);
            assert_eq!(problem.field, "linux.cgroupsPath");
        }
    }

    #[test]
    fn in_a_container_the_own_path_begins_at_what_is_mounted() {
        let table = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
            34 31 0:31 /docker/1 /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        let cpu = Path::new("/sys/fs/cgroup/cpu");
        let root = root_of(table, cpu);
        assert_eq!(root, Some(Path::new("/docker/1")));
        for (own, expected) in
            [("/docker/1/a", "/a"), ("/docker/1", "/"), ("/docker/11/a", "/"), ("/other", "/")]
        {
            assert_eq!(below_root(Path::new(own), root), Path::new(expected), "{own}");
        }
        assert_eq!(root_of(table, Path::new("/sys/fs/cgroup/memory")), None);
        assert_eq!(below_root(Path::new("/x"), None), Path::new("/"));
    }

    #[test]
    fn outside_of_the_cgroup_namespace_counts_as_the_root() {
        assert_eq!(visible(Path::new("/sys/fs/cgroup/cpu"), "/../x"), Path::new("/"));
    }

    #[test]
    fn what_no_hierarchy_takes_is_named() {
        let writes = vec![
            Write::new("linux.resources.cpu.shares", "cpu.shares", "2"),
            Write::new("linux.resources.hugepageLimits[0]", "hugetlb.2MB.limit_in_bytes", "0"),
        ];
        let (taken, left) = split(writes, &[hierarchy("cpu,cpuacct", "/")]);
        assert_eq!(taken.len(), 1);
        let expected = Unenforced::new(
            "linux.resources.hugepageLimits[0]",
            Reason::NotMounted("hugetlb".into()),
        );
        assert_eq!(left, [expected]);
    }
}

//! Turning controllers on for a cgroup that has just been made.
//!
//! A cgroup has the files of a controller if every cgroup above it lists the controller in
//! `cgroup.subtree_control`. Engines and systemd have usually seen to that, so the new cgroup is asked
//! first, then the root, and only for what is missing here and to be had there is the way down walked.
//! Controllers are only ever added: what others have turned on stays as it is.
//!
//! A cgroup with processes of its own refuses to give its children memory or io; cpu and pids it would
//! give, and become threaded by it, with everything below, where no container can live. So there
//! neither is tried.
//!
//! Besides those that the limits need, the ones that engines read numbers from are turned on where
//! they are to be had: no limit, no error.

use super::super::file::{read_file, write_file};
use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// What `stats`, Docker and Kubernetes show for every container.
const FOR_STATISTICS: &[&str] = &["cpu", "io", "memory", "pids"];

/// Why a controller is missing: the file that it would have had to be written to and the kernel's
/// answer; `None` if the hierarchy does not have it at all.
pub(in super::super) type Missing = BTreeMap<String, Option<(PathBuf, Errno)>>;

/// Turns on `needed`, as far as possible, for the cgroup `directory` below `root`, and tells which
/// of them it still lacks.
pub(in super::super) fn enable(
    root: &Path,
    directory: &Path,
    cgroup: BorrowedFd<'_>,
    needed: &[&str],
) -> nix::Result<Missing> {
    let present = list(cgroup, "cgroup.controllers")?;
    let absent = |name: &&&str| !present.iter().any(|have| have == **name);
    let all = needed.iter().chain(FOR_STATISTICS);
    let mut absent: Vec<&str> = all.filter(absent).copied().collect();
    absent.sort_unstable();
    absent.dedup();
    if absent.is_empty() {
        return Ok(Missing::new());
    }
    let available = list(AT_FDCWD, &root.join("cgroup.controllers"))?;
    let wanted: Vec<&str> =
        absent.iter().copied().filter(|name| available.iter().any(|have| have == name)).collect();
    if !wanted.is_empty() && is_threaded(&read_file(cgroup, "cgroup.type")?) {
        return Err(Errno::EOPNOTSUPP);
    }
    let refused = if wanted.is_empty() { BTreeMap::new() } else { walk(root, directory, wanted)? };
    if !absent.iter().any(|name| needed.contains(name)) {
        return Ok(Missing::new());
    }
    let present = list(cgroup, "cgroup.controllers")?;
    let still = needed.iter().filter(|name| !present.iter().any(|have| have == **name));
    Ok(still.map(|name| (name.to_string(), refused.get(*name).cloned())).collect())
}

/// Whether a cgroup of this `cgroup.type` takes no process, or only threads of processes above it.
/// One that is empty may lack memory and io for no other reason, so it is looked at when they do.
fn is_threaded(kind: &str) -> bool {
    matches!(kind.trim(), "domain invalid" | "threaded")
}

/// Adds `wanted` to every `cgroup.subtree_control` from `root` to the parent of `directory`; the
/// first refusal of each.
fn walk(
    root: &Path,
    directory: &Path,
    mut wanted: Vec<&str>,
) -> nix::Result<BTreeMap<String, (PathBuf, Errno)>> {
    let mut refused = BTreeMap::new();
    let parents = directory.ancestors().skip(1).take_while(|parent| parent.starts_with(root));
    for parent in parents.collect::<Vec<_>>().into_iter().rev() {
        for (name, errno) in add(parent, &wanted)? {
            wanted.retain(|one| *one != name);
            refused.insert(name, (parent.join("cgroup.subtree_control"), errno));
        }
    }
    Ok(refused)
}

/// Adds controllers one by one, since the kernel takes all of a write or nothing; those refused.
fn add(directory: &Path, wanted: &[&str]) -> nix::Result<Vec<(String, Errno)>> {
    let directory = open_directory(directory)?;
    let enabled = list(directory.as_fd(), "cgroup.subtree_control")?;
    let absent: Vec<&&str> =
        wanted.iter().filter(|name| !enabled.iter().any(|have| have == **name)).collect();
    if absent.is_empty() {
        return Ok(Vec::new());
    }
    let held = obstacle(directory.as_fd())?;
    let turn_on = |name: &str| match held {
        Some(errno) => Err(errno),
        None => write_file(directory.as_fd(), "cgroup.subtree_control", &format!("+{name}")),
    };
    let refused = absent
        .into_iter()
        .filter_map(|name| turn_on(name).err().map(|errno| (name.to_string(), errno)));
    Ok(refused.collect())
}

/// Why a cgroup cannot give controllers to a domain below it, as the kernel would put it. The root of
/// all, which has no type, always can; the root of a cgroup namespace is like any other.
fn obstacle(directory: BorrowedFd<'_>) -> nix::Result<Option<Errno>> {
    match read_file(directory, "cgroup.type") {
        Err(Errno::ENOENT) => return Ok(None),
        text if text.as_deref().map(str::trim) == Ok("domain") => {}
        text => return text.map(|_| Some(Errno::EOPNOTSUPP)),
    }
    let processes = read_file(directory, "cgroup.procs")?;
    Ok((!processes.is_empty()).then_some(Errno::EBUSY))
}

fn open_directory(path: &Path) -> nix::Result<std::os::fd::OwnedFd> {
    open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

fn list(directory: BorrowedFd<'_>, file: &(impl NixPath + ?Sized)) -> nix::Result<Vec<String>> {
    let text = read_file(directory, file)?;
    Ok(text.split_whitespace().map(String::from).collect())
}

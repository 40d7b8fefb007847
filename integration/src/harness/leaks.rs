//! What a case may have left behind, seen from outside the containers: mounts, states, cgroups,
//! processes. First it is looked for, which judges the runtime; then it is removed, which spares the
//! next case.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};

use super::procs;

/// Everything left behind by a case, each as a short text.
pub(crate) fn find(dir: &Path, state_roots: &[PathBuf], id_prefix: &str) -> Vec<String> {
    let mut found = of_container(dir, state_roots, id_prefix);
    found.extend(processes());
    found
}

/// What is left of a container (or of all whose ids start so), processes aside.
pub(crate) fn of_container(dir: &Path, state_roots: &[PathBuf], id: &str) -> Vec<String> {
    let mut found: Vec<String> =
        mounts(dir).iter().map(|path| format!("mount {}", path.display())).collect();
    found.extend(cgroups(id).iter().map(|path| format!("cgroup {}", path.display())));
    found.extend(state_roots.iter().flat_map(|root| states(root, id)));
    found
}

/// Mount points of this namespace at or below `dir`, deepest first.
fn mounts(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut found: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|path| PathBuf::from(path.replace("\\040", " ")))
        .filter(|path| path.starts_with(dir))
        .collect();
    found.reverse();
    found
}

/// Cgroup directories of any hierarchy named after a container of this case.
pub(crate) fn cgroups(id_prefix: &str) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut found = Vec::new();
    for line in table.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(path), Some(kind)) = (fields.next(), fields.next()) else {
            continue;
        };
        if kind == "cgroup" || kind == "cgroup2" {
            collect_cgroups(Path::new(path), id_prefix, 0, &mut found);
        }
    }
    found
}

fn collect_cgroups(dir: &Path, id_prefix: &str, depth: usize, found: &mut Vec<PathBuf>) {
    // Deeper than any engine nests; a bound in case somebody mounts a hierarchy into itself.
    const DEEPEST: usize = 12;
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        if depth == DEEPEST || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        collect_cgroups(&entry.path(), id_prefix, depth + 1, found);
        if entry.file_name().to_string_lossy().contains(id_prefix) {
            found.push(entry.path());
        }
    }
}

fn states(root: &Path, id_prefix: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains(id_prefix))
        .map(|entry| format!("state {}", entry.path().display()))
        .collect()
}

/// Processes that this one started or adopted; those that are just ending get a second.
fn processes() -> Vec<String> {
    let own = std::process::id() as i32;
    let end = Instant::now() + Duration::from_secs(1);
    loop {
        procs::reap();
        let left = procs::below(own);
        if left.is_empty() || Instant::now() > end {
            return left
                .iter()
                .map(|each| format!("process {} ({})", each.pid, each.name))
                .collect();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Removes what is left of a case, whatever state it is in.
pub(crate) fn remove(dir: &Path, id_prefix: &str) {
    let cgroups = cgroups(id_prefix);
    // Who is frozen in one hierarchy of v1 keeps all others.
    cgroups.iter().for_each(|path| thaw(path));
    cgroups.iter().for_each(|path| empty_cgroup(path));
    remove_directory(dir);
}

/// Removes a directory, and first what is mounted there.
pub(crate) fn remove_directory(dir: &Path) {
    for path in mounts(dir) {
        let _busy = umount2(&path, MntFlags::MNT_DETACH);
    }
    if fs::remove_dir_all(dir).is_err() {
        remove_as_mapped_root(dir);
    }
}

fn thaw(path: &Path) {
    for (file, value) in [("cgroup.freeze", "0"), ("freezer.state", "THAWED")] {
        // Never made: what has the name of a cgroup need not be one.
        let opened = fs::OpenOptions::new().write(true).open(path.join(file));
        let _thawed = opened.and_then(|mut file| file.write_all(value.as_bytes()));
    }
}

fn empty_cgroup(path: &Path) {
    for pid in fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default().lines() {
        if let Ok(pid) = pid.parse() {
            let _gone = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
    }
    for _ in 0..20 {
        if fs::remove_dir(path).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Files of an ordinary user's containers may belong to his subordinate ids.
fn remove_as_mapped_root(dir: &Path) {
    let _best_effort = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--map-auto", "rm", "-rf"])
        .arg(dir)
        .stderr(std::process::Stdio::null())
        .status();
}

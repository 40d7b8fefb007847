//! What is left when all containers are removed and the engine has ended: nothing may be.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::procs;
use crate::result::Res;

/// Something that is left may just be ending.
const PATIENCE: Duration = Duration::from_secs(5);

/// Cgroups that engines and runtimes keep when no container is left: parents, not containers.
const KEPT: &[&str] =
    &["docker", "buildkit", "default", "k8s.io", "libpod_parent", "conmon", "self"];

pub(crate) fn nothing(states: &[&str]) -> Res {
    let end = Instant::now() + PATIENCE;
    loop {
        procs::reap_adopted();
        let left = find(states);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(left.join(", "));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn find(states: &[&str]) -> Vec<String> {
    let mut left: Vec<String> = procs::below(std::process::id() as i32)
        .into_iter()
        .map(|each| format!("process {} ({})", each.pid, each.name))
        .collect();
    cgroups(Path::new("/sys/fs/cgroup"), &mut left);
    for dir in states {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        // What begins with a dot is crun's own, for all containers.
        let entries = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        left.extend(entries.map(|entry| format!("state {}", entry.path().display())));
    }
    left.extend(mounts());
    left
}

fn cgroups(dir: &Path, left: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        cgroups(&path, left);
        let name = entry.file_name();
        let is_root = path.parent() == Some(Path::new("/sys/fs/cgroup"))
            && path.join("cgroup.procs").exists()
            && path.join("notify_on_release").exists();
        let of_systemd =
            Path::new("/run/systemd/private").exists() && !has_id(&name.to_string_lossy());
        if !is_root
            && !is_forgotten_pod(&path)
            && !of_systemd
            && !KEPT.iter().any(|kept| name == *kept)
        {
            left.push(format!("cgroup {}", path.display()));
        }
    }
}

/// The machine's own are beside those of containers, whose names have an id.
fn has_id(name: &str) -> bool {
    name.split(|each: char| !each.is_ascii_hexdigit()).any(|part| part.len() >= 32)
}

/// What a mount has in its path that an engine made for a container.
const IN_USE: &[&str] = &["/merged", "/netns/", "/io.containerd.runtime.", "/io.containerd.grpc."];

/// Podman removes the groups of its pods from the hierarchies that it knows, and v1's without a controller
/// is not one of these.
fn is_forgotten_pod(path: &Path) -> bool {
    let name = path.strip_prefix("/sys/fs/cgroup/systemd/libpod_parent").unwrap_or(Path::new(""));
    let name = name.to_string_lossy();
    let empty = fs::read_to_string(path.join("cgroup.procs")).is_ok_and(|pids| pids.is_empty());
    empty && name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Container's roots and network namespaces that are still mounted.
fn mounts() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // Docker's name for the host's own network namespace.
    let own = |path: &str| path.ends_with("/netns/default");
    let of_container = |path: &&str| IN_USE.iter().any(|part| path.contains(part)) && !own(path);
    table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(of_container)
        .map(|path| format!("mount {path}"))
        .collect()
}

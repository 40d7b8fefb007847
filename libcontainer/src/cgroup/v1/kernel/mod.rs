//! Limits seen to bite, on a kernel with cgroup v1.
//!
//! Every test works below a directory of its own in each hierarchy, `skep-test-PID-NAME`, and takes it
//! away again. Where there is no cgroup v1, or no right to it, a test prints `SKIP` and why.

mod directories;
mod ending;
mod limits;

use super::super::apply::apply;
use super::super::host::Host;
use super::super::mounted::Mounted;
use super::Tree;
use super::limits as v1_limits;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

fn is_frozen(tree: &Tree) -> bool {
    tree.with("freezer").expect("a freezer").is_frozen().expect("is it frozen")
}

/// A directory for one test in every hierarchy.
struct Place {
    name: String,
    hierarchies: Vec<Mounted>,
}

impl Place {
    /// `None`, with a word about it, where the test cannot run.
    fn new(test: &str, controllers: &[&str]) -> Option<Self> {
        let hierarchies = Host::detect(Some(Path::new("/x")), false).expect("/proc/self/cgroup").v1;
        let name = format!("skep-test-{}-{test}", std::process::id());
        for controller in controllers {
            let Some(one) = hierarchies.iter().find(|one| one.has(controller)) else {
                return skip(test, &format!("no cgroup v1 controller {controller}"));
            };
            let directory = one.mount.join(&name);
            if let Err(error) = fs::create_dir(&directory) {
                return skip(test, &format!("cannot make {}: {error}", directory.display()));
            }
        }
        Some(Self { name, hierarchies })
    }

    /// Of the hierarchies with `controllers`, or of all.
    fn paths(&self, below: &str, controllers: &[&str]) -> BTreeMap<String, PathBuf> {
        let wanted =
            |one: &&Mounted| controllers.is_empty() || controllers.iter().any(|name| one.has(name));
        let path = Path::new("/").join(&self.name).join(below);
        let pair =
            |one: &Mounted| (one.name.clone(), one.place_of(Some(&path), "").expect("a path"));
        self.hierarchies.iter().filter(wanted).map(pair).collect()
    }

    fn tree(&self, below: &str, controllers: &[&str]) -> Tree {
        let made = Tree::make(&self.paths(below, controllers), false).expect("make");
        assert!(made.refused.is_empty(), "{made:?}");
        made.tree.expect("a tree")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(Some(tree)) = Tree::open(&self.paths("", &[])) {
            let _ = tree.kill_all();
            let _ = tree.remove();
        }
    }
}

fn skip<T>(test: &str, why: &str) -> Option<T> {
    eprintln!("SKIP {test}: {why}");
    None
}

fn set(tree: &Tree, resources: &str) -> crate::error::Result<()> {
    let limits = v1_limits::of(&serde_json::from_str(resources).expect("resources"));
    assert_eq!(limits.problems, []);
    apply(&limits.writes, |write| tree.target(write)).map(drop)
}

fn refused(tree: &Tree, resources: &str) -> String {
    set(tree, resources).expect_err(resources).to_string()
}

/// A shell that enters every directory of the tree before it runs `script`.
fn shell(tree: &Tree, script: &str) -> Command {
    let enter = |path: PathBuf| format!("echo 0 > {}/cgroup.procs || exit 99\n", path.display());
    let enter: String = tree.paths().into_values().map(enter).collect();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &(enter + script)]).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn status(tree: &Tree, script: &str) -> ExitStatus {
    shell(tree, script).stdout(Stdio::null()).status().expect("sh")
}

/// Processes that stay until they are killed; `count` of them.
fn run(tree: &Tree, script: &str, count: usize) -> Child {
    let child = shell(tree, script).stdout(Stdio::null()).spawn().expect("sh");
    wait_for(|| tree.processes().expect("processes").len() >= count);
    child
}

fn wait_for(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "waited for twenty seconds");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn file(tree: &Tree, name: &str) -> PathBuf {
    let controller = name.split('.').next().expect("a controller");
    tree.with(controller).expect(name).path.join(name)
}

fn read(tree: &Tree, name: &str) -> String {
    fs::read_to_string(file(tree, name)).expect(name).trim().to_owned()
}

fn number(tree: &Tree, name: &str) -> u64 {
    read(tree, name).parse().expect(name)
}

fn reap(mut child: Child, tree: Tree) {
    tree.kill_all().expect("kill");
    gone(&mut child);
    tree.remove().expect("remove");
}

fn gone(child: &mut Child) {
    wait_for(|| child.try_wait().expect("wait").is_some());
}

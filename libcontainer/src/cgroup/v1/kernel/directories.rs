//! Directories made, taken over, entered, found again and removed.

use super::*;
use crate::error::ErrorKind;
use std::os::fd::OwnedFd;

#[test]
fn a_tree_is_made_filled_found_again_and_removed() {
    let Some(place) = Place::new("made", &["cpuset", "pids"]) else { return };
    let tree = place.tree("a/b", &[]);
    assert_eq!(tree.paths().len(), place.hierarchies.len());
    assert!(!read(&tree, "cpuset.cpus").is_empty() && !read(&tree, "cpuset.mems").is_empty());
    let above = place.tree("a", &["cpuset"]);
    assert_eq!(read(&above, "cpuset.cpus"), read(&tree, "cpuset.cpus"));
    let opened = Tree::open(&tree.paths()).expect("open").expect("is there");
    assert_eq!(opened.paths(), tree.paths());
    tree.remove().expect("remove");
    assert!(opened.paths().values().all(|path| !path.exists()));
    assert!(Tree::open(&opened.paths()).expect("open").is_none());
    opened.kill_all().expect("nobody is there");
    opened.remove().expect("is gone");
}

#[test]
fn doors_let_in_whoever_writes_to_them() {
    let Some(place) = Place::new("doors", &["pids", "memory"]) else { return };
    let tree = place.tree("c", &["memory", "pids"]);
    let [memory, pids]: [OwnedFd; 2] =
        tree.doors().expect("doors").try_into().expect("two hierarchies");
    let script = "echo 0; echo 0 >&2; exec 1>&- 2>&-; exec sleep 300";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(memory).stderr(pids);
    let child = command.spawn().expect("sh");
    drop(command);
    let pid = i32::try_from(child.id()).expect("a pid");
    wait_for(|| tree.processes().expect("processes") == [pid]);
    let table = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("cgroup");
    for name in ["memory", "pids"] {
        let line = format!(":{name}:/{}/c", place.name);
        assert!(table.lines().any(|one| one.ends_with(&line)), "{table}");
    }
    reap(child, tree);
}

#[test]
fn what_is_in_use_is_refused_and_what_was_made_is_taken_back() {
    let Some(place) = Place::new("used", &["pids", "freezer", "memory"]) else { return };
    let tree = place.tree("c", &["pids"]);
    let child = run(&tree, "exec sleep 300", 1);
    let error = Tree::make(&place.paths("c", &["memory", "pids"]), false).expect_err("in use");
    assert!(error.to_string().contains("holds 1 processes already"), "{error}");
    assert_eq!(error.config_field(), Some("linux.cgroupsPath"));
    assert!(place.paths("c", &["memory"]).values().all(|path| !path.exists()));
    reap(child, tree);

    let frozen = place.tree("f", &["freezer"]);
    frozen.freeze().expect("freeze");
    let error = Tree::make(&place.paths("f", &["freezer"]), false).expect_err("frozen").to_string();
    assert!(error.contains("is frozen"), "{error}");
    frozen.thaw().expect("thaw");
    let again = place.tree("f", &["freezer"]);
    assert_eq!(again.paths(), frozen.paths());

    let mut nowhere = place.paths("new/c", &["memory", "pids"]);
    nowhere.insert("z".into(), "/proc/skep-no-such/x".into());
    Tree::make(&nowhere, false).expect_err("no directory can be made there");
    assert!(place.paths("new", &["memory", "pids"]).values().all(|path| !path.exists()));
}

#[test]
fn what_is_no_cgroup_is_refused() {
    for path in ["relative", "/sys/fs/cgroup/../x", "/tmp", "/proc"] {
        let paths = BTreeMap::from([("pids".to_owned(), PathBuf::from(path))]);
        let error = Tree::open(&paths).expect_err(path);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{path}");
    }
}

#[test]
fn what_is_still_used_is_named() {
    let Some(place) = Place::new("still", &["pids"]) else { return };
    let tree = place.tree("c", &["pids"]);
    let mut child = run(&tree, "exec sleep 300", 1);
    let error = tree.remove_within(Duration::from_millis(50)).expect_err("used");
    let named = format!("processes in it: [{}]", child.id());
    assert!(error.to_string().contains(&named), "{error}");
    child.kill().expect("kill");
    gone(&mut child);
    tree.remove().expect("remove");
}

//! Stopping and ending processes.

use super::*;
use crate::error::ErrorKind;

#[test]
fn a_frozen_process_does_not_advance() {
    let Some(place) = Place::new("frozen", &["freezer", "cpuacct"]) else { return };
    let tree = place.tree("c", &["freezer", "cpuacct"]);
    let child = run(&tree, "while :; do :; done", 1);
    assert!(!is_frozen(&tree));
    tree.freeze().expect("freeze");
    assert!(is_frozen(&tree));
    let before = number(&tree, "cpuacct.usage");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(number(&tree, "cpuacct.usage"), before);
    tree.thaw().expect("thaw");
    assert!(!is_frozen(&tree));
    wait_for(|| number(&tree, "cpuacct.usage") > before);
    tree.freeze().expect("freeze");
    reap(child, tree);
}

#[test]
fn what_forks_is_frozen_and_killed() {
    let Some(place) = Place::new("forks-on", &["freezer", "pids"]) else { return };
    let tree = place.tree("c", &["freezer", "pids"]);
    let forks = "f() { while :; do /bin/true; done; }; f & f & f & f & f & f & wait";
    let child = run(&tree, forks, 7);
    for _ in 0..20 {
        tree.freeze().expect("freeze");
        assert_eq!(read(&tree, "freezer.state"), "FROZEN");
        let pids = tree.processes().expect("processes");
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(tree.processes().expect("processes"), pids);
        tree.thaw().expect("thaw");
    }
    tree.kill_all().expect("kill");
    wait_for(|| tree.processes().expect("processes").is_empty());
    reap(child, tree);
}

/// Whoever is in a list of it is gone before a signal comes.
#[test]
fn what_forks_and_exits_all_the_time_is_killed() {
    let Some(place) = Place::new("comet", &["freezer"]) else { return };
    let tree = place.tree("c", &["freezer"]);
    let mut child = run(&tree, "f() { f & }; f", 1);
    gone(&mut child);
    assert!(!tree.processes().expect("processes").is_empty());
    tree.kill_all().expect("kill");
    wait_for(|| tree.processes().expect("processes").is_empty());
    tree.remove().expect("remove");
}

#[test]
fn without_a_freezer_all_are_killed_as_well() {
    let Some(place) = Place::new("nofreezer", &["pids", "memory"]) else { return };
    let tree = place.tree("c", &["pids", "memory"]);
    let error = tree.freeze().expect_err("no freezer");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let child = run(&tree, "sleep 300 & sleep 300 & sleep 300 & wait", 4);
    reap(child, tree);
}

#[test]
fn cgroups_that_a_container_made_go_with_it() {
    let names = ["freezer", "pids", "memory"];
    let Some(place) = Place::new("below", &names) else { return };
    let tree = place.tree("c", &names);
    let below = place.tree("c/own/deep", &names);
    let other = place.tree("c/other", &["pids"]);
    let mut children =
        [run(&tree, "exec sleep 300", 1), run(&below, "exec sleep 300 & exec sleep 300", 2)];
    let pids = tree.processes().expect("processes");
    assert_eq!(pids.len(), 3, "{pids:?}");
    drop(other);
    tree.freeze().expect("freeze");
    assert!(!is_frozen(&below));
    tree.kill_all().expect("kill");
    let paths = tree.paths();
    tree.remove().expect("remove");
    assert!(paths.values().all(|path| !path.exists()));
    children.iter_mut().for_each(gone);
}

#[test]
fn who_is_stopped_dies_all_the_same() {
    let Some(place) = Place::new("stopped", &["freezer"]) else { return };
    let tree = place.tree("c", &[]);
    let inner = place.tree("c/x", &[]);
    let (mut outer_child, mut inner_child) =
        (run(&tree, "exec sleep 1000", 1), run(&inner, "exec sleep 1000", 1));
    inner.freeze().expect("freeze");
    for child in [&mut outer_child, &mut inner_child] {
        child.kill().expect("SIGKILL");
    }
    gone(&mut outer_child);
    std::thread::sleep(Duration::from_millis(50));
    assert!(inner_child.try_wait().expect("wait").is_none(), "v1 keeps it from dying");
    let paths = place.paths("c", &[]);
    let stored = super::super::super::Place { v1: paths, ..Default::default() };
    stored.let_die();
    gone(&mut inner_child);
    // kill_all by itself does the same.
    let child = run(&inner, "exec sleep 1000", 1);
    inner.freeze().expect("freeze");
    tree.kill_all().expect("kill");
    reap(child, tree);
}

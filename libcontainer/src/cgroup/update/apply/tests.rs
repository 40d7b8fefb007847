//! The engine on cgroups of the kernel's, whichever version has them here.

use super::*;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// A cgroup directory of the kernel's, gone at the end.
struct Place {
    path: PathBuf,
    dir: File,
}

impl Place {
    /// In one of `roots`; `None`, with a word about it, where there is none that may be used.
    fn new(test: &str, roots: &[&str], file: &str) -> Option<Self> {
        let name = format!("skep-test-{}-{test}", std::process::id());
        for root in roots {
            let path = Path::new(root).join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let place = Self { dir: File::open(&path).expect("open"), path };
            if place.path.join(file).exists() {
                return Some(place);
            }
        }
        eprintln!("SKIP {test}: no cgroup with {file} to be had");
        None
    }

    fn apply(&self, writes: &[(&str, &str)]) -> Result<()> {
        let write = |(file, value): &(&str, &str)| Write::new(&format!("f.{file}"), file, *value);
        let writes: Vec<Write> = writes.iter().map(write).collect();
        let target = |_: &Write| Some(Target { dir: self.dir.as_fd(), path: &self.path });
        apply(&writes, target, || Ok(())).map(drop)
    }

    fn set(&self, writes: &[(&str, &str)]) {
        self.apply(writes).expect("taken");
    }

    fn holds(&self, file: &str) -> String {
        fs::read_to_string(self.path.join(file)).expect(file).trim().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

const UNIFIED: &[&str] = &["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
const CPU: &[&str] = &["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"];
const MEMORY: &[&str] = &["/sys/fs/cgroup/memory"];

#[test]
fn a_refused_value_leaves_all_others_as_they_were() {
    let Some(place) = Place::new("refused", UNIFIED, "cgroup.max.depth") else { return };
    place.set(&[("cgroup.max.depth", "7")]);
    let writes =
        [("cgroup.max.depth", "9"), ("cgroup.max.descendants", "-5"), ("cgroup.max.depth", "8")];
    let error = place.apply(&writes).expect_err("refused");
    assert_eq!(place.holds("cgroup.max.depth"), "7");
    assert_eq!(place.holds("cgroup.max.descendants"), "max");
    assert_eq!(error.config_field(), Some("f.cgroup.max.descendants"));
    let file = place.path.join("cgroup.max.descendants");
    let text = format!(
        "f.cgroup.max.descendants: write \"-5\" to {} (nothing was changed): \
         Math result not representable (ERANGE)",
        file.display()
    );
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_missing_file_is_found_before_anything_is_written() {
    let Some(place) = Place::new("missing", UNIFIED, "cgroup.max.depth") else { return };
    let writes = [("cgroup.max.depth", "9"), ("cgroup.nosuch", "1")];
    let error = place.apply(&writes).expect_err("no such file");
    assert_eq!(error.errno(), Some(libc::ENOENT));
    assert_eq!(place.holds("cgroup.max.depth"), "max");
    let fine = Write::new("f", "cgroup.nosuch", "1").if_missing(IfMissing::Fine);
    let target = |_: &Write| Some(Target { dir: place.dir.as_fd(), path: &place.path });
    apply(&[fine], target, || Ok(())).expect("that is fine");
    let error =
        apply(&[Write::new("f", "pids.max", "1")], |_| None, || Ok(())).expect_err("no directory");
    assert_eq!(error.to_string(), "f: this container is in no cgroup of controller pids");
}

#[test]
fn the_last_write_to_a_file_wins() {
    let Some(place) = Place::new("last", UNIFIED, "cgroup.max.depth") else { return };
    place.set(&[("cgroup.max.depth", "9"), ("cgroup.max.depth", "3")]);
    assert_eq!(place.holds("cgroup.max.depth"), "3");
}

/// Version 1 refuses a burst above the quota, and a quota below the burst.
#[test]
fn values_that_wait_for_each_other_find_their_order() {
    let Some(place) = Place::new("order", CPU, "cpu.cfs_burst_us") else { return };
    let (quota, burst) = ("cpu.cfs_quota_us", "cpu.cfs_burst_us");
    place.set(&[(burst, "40000"), (quota, "50000")]);
    place.set(&[(quota, "20000"), (burst, "10000")]);
    place.set(&[(burst, "60000"), (quota, "70000")]);
    assert_eq!((place.holds(quota), place.holds(burst)), ("70000".into(), "60000".into()));
    let error = place.apply(&[(quota, "30000"), (burst, "30001"), ("cpu.shares", "77")]);
    assert_eq!(error.expect_err("burst above quota").errno(), Some(libc::EINVAL));
    assert_eq!((place.holds(quota), place.holds(burst)), ("70000".into(), "60000".into()));
    assert_eq!(place.holds("cpu.shares"), "1024", "written and put back");
}

/// The limit of memory and swap together is never below that of memory alone.
#[test]
fn memory_and_swap_are_raised_and_lowered() {
    let (memory, both) = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
    let Some(place) = Place::new("memsw", MEMORY, both) else { return };
    let values = || (place.holds(memory), place.holds(both));
    for (limit, total) in [("4194304", "8388608"), ("16777216", "33554432"), ("4096", "8192")] {
        for pair in [[(memory, limit), (both, total)], [(both, total), (memory, limit)]] {
            place.set(&pair);
            assert_eq!(values(), (limit.into(), total.into()));
        }
    }
    place.apply(&[(memory, "16384"), (both, "12288")]).expect_err("swap below memory");
    assert_eq!(values(), ("4096".into(), "8192".into()));
}

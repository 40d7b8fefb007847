//! The samples in `samples/` are a cgroup's files, each behind a line with its name, as a kernel had
//! them, and at the end what `runc events --stats` (1.3.6) printed as `data` at that moment: on Linux
//! 6.1 with limits, and on 6.18 in a hierarchy without controllers. What is expected of v1 was written
//! by hand after runc's source.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use libcontainer::cgroup::stats;
use serde_json::{Value, json};

use super::*;

const V2: &str = include_str!("samples/v2");
const V2_WITHOUT_CONTROLLERS: &str = include_str!("samples/v2-without-controllers");
const V1: &str = include_str!("samples/v1");

/// A directory with the files of a sample, which the readers take for a cgroup's.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(name: &str, files: &BTreeMap<&str, String>) -> Self {
        let path = std::env::temp_dir().join(format!("skep-events-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }

    fn read(&self) -> stats::Stats {
        stats::v2::read(File::open(&self.0).unwrap().as_fd()).unwrap()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The files of a sample, and what runc made of them.
fn sample(text: &str) -> (BTreeMap<&str, String>, &str) {
    let mut files = BTreeMap::new();
    let (text, runc) = text.split_once("== runc\n").unwrap();
    for part in text.split("== ").skip(1) {
        let (name, text) = part.split_once('\n').unwrap();
        files.insert(name, text.to_owned());
    }
    (files, runc.trim_end())
}

fn written(stats: &stats::Stats) -> String {
    serde_json::to_string(&Stats::from(stats)).unwrap()
}

fn value(stats: &stats::Stats) -> Value {
    serde_json::from_str(&written(stats)).unwrap()
}

#[test]
fn with_limits_it_is_what_runc_prints() {
    let (files, runc) = sample(V2);
    assert_eq!(written(&Cgroup::new("v2", &files).read()), runc);
}

#[test]
fn without_controllers_it_is_what_runc_prints() {
    let (files, runc) = sample(V2_WITHOUT_CONTROLLERS);
    assert_eq!(written(&Cgroup::new("bare", &files).read()), runc);
}

#[test]
fn v1_is_put_as_runc_puts_it() {
    let (files, expected) = sample(V1);
    let dir = Cgroup::new("v1", &files);
    let hierarchies =
        ["blkio", "cpu,cpuacct", "cpuset", "hugetlb", "memory", "pids", "freezer", "name=systemd"];
    let dirs = hierarchies.map(|name| (name.to_owned(), dir.0.clone())).into();
    let stats = stats::v1::read(&dirs).unwrap();
    assert_eq!(value(&stats), serde_json::from_str::<Value>(expected).unwrap());
    assert_eq!(stats.memory.unwrap().events.oom_kill, 3);
}

/// A hybrid host: v1 has controllers, v2 the pressure.
#[test]
fn v1_counts_where_both_do() {
    let (v1, _) = sample(V1);
    let (v2, _) = sample(V2_WITHOUT_CONTROLLERS);
    let (v1, v2) = (Cgroup::new("hybrid-v1", &v1), Cgroup::new("hybrid-v2", &v2));
    let dirs = ["memory", "pids"].map(|name| (name.to_owned(), v1.0.clone())).into();
    let stats = stats::read(Some(File::open(&v2.0).unwrap().as_fd()), &dirs).unwrap();
    let data = value(&stats);
    assert_eq!(data["pids"], json!({"current": 2, "limit": 77}));
    assert_eq!(data["memory"]["usage"]["usage"], 9_555_968);
    assert_eq!(data["memory"]["psi"]["some"]["total"], 0);
    assert_eq!(data["cpu"]["usage"]["total"], 15_293_000, "v2 counts time where v1 does not");
}

#[test]
fn nothing_at_all_is_zeroes() {
    let no_such = BTreeMap::from([("memory".to_owned(), Path::new("/no/such/cgroup").into())]);
    let stats = stats::v1::read(&no_such).unwrap();
    assert_eq!(stats, stats::Stats::default());
    let data = value(&stats);
    assert_eq!(data["memory"]["usage"], json!({"limit": 0, "failcnt": 0}));
    assert_eq!(
        (&data["pids"], &data["blkio"], &data["hugetlb"]),
        (&json!({}), &json!({}), &json!({}))
    );
    assert_eq!(data["network_interfaces"], Value::Null);
}

/// One file changed or added in the sample with limits.
fn changed(name: &str, changes: &[(&'static str, &str)]) -> Value {
    let (mut files, _) = sample(V2);
    files.extend(changes.iter().map(|(name, text)| (*name, (*text).to_owned())));
    value(&Cgroup::new(name, &files).read())
}

#[test]
fn no_limit_is_as_runc_has_it() {
    let unlimited = [("memory.max", "max\n"), ("memory.swap.max", "max\n"), ("pids.max", "max\n")];
    let data = changed("unlimited", &unlimited);
    assert_eq!(data["memory"]["usage"]["limit"], u64::MAX);
    assert_eq!(data["memory"]["swap"]["limit"], u64::MAX);
    assert_eq!(data["pids"], json!({"current": 1}));
    // Memory without a limit and swap with one: there is no limit of both together.
    let data = changed("half", &[("memory.max", "max\n"), ("memory.swap.max", "4096\n")]);
    assert_eq!(data["memory"]["swap"]["limit"], u64::MAX);
}

#[test]
fn swap_has_memory_in_it() {
    let data =
        changed("swap", &[("memory.swap.current", "4096\n"), ("memory.swap.peak", "8192\n")]);
    assert_eq!(
        data["memory"]["swap"],
        json!({"limit": 134_217_728, "usage": 233_472, "failcnt": 0})
    );
}

#[test]
fn block_devices_and_huge_pages() {
    let data = changed(
        "io",
        &[
            ("io.stat", "98:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"),
            ("hugetlb.2MB.current", "2097152\n"),
            ("hugetlb.2MB.max", "max\n"),
            ("hugetlb.2MB.events", "max 3\n"),
            ("hugetlb.2MB.rsvd.current", "4194304\n"),
            ("hugetlb.2MB.rsvd.max", "max\n"),
            ("hugetlb.1GB.current", "0\n"),
        ],
    );
    let bytes = json!([{"major": 98, "op": "Read", "value": 4096}, {"major": 98, "op": "Write"}]);
    assert_eq!(data["blkio"]["ioServiceBytesRecursive"], bytes);
    let operations = json!([{"major": 98, "op": "Read", "value": 1}, {"major": 98, "op": "Write"}]);
    assert_eq!(data["blkio"]["ioServicedRecursive"], operations);
    let pages = json!({"2MB": {"usage": 4_194_304, "failcnt": 3}, "1GB": {"failcnt": 0}});
    assert_eq!(data["hugetlb"], pages);
}

#[test]
fn shares_keep_their_fraction() {
    let line = "avg10=1.71 avg60=0.50 avg300=100.00 total=7";
    let data = changed("psi", &[("memory.pressure", &format!("some {line}\nfull {line}\n"))]);
    let stall = json!({"avg10": 1.71, "avg60": 0.5, "avg300": 100, "total": 7});
    assert_eq!(data["memory"]["psi"], json!({"some": stall, "full": stall}));
}

//! Limits and device rules.

use super::super::devices::DeviceList;
use super::*;
use std::os::unix::fs::MetadataExt;

#[test]
fn too_much_memory_is_an_oom_kill() {
    let Some(place) = Place::new("oom", &["memory"]) else { return };
    let tree = place.tree("c", &["memory"]);
    set(&tree, r#"{"memory":{"limit":16777216,"swap":16777216}}"#).expect("limits");
    assert!(status(&tree, "exec head -c 1000 /dev/zero").success());
    assert!(!status(&tree, "exec tail /dev/zero").success());
    assert!(read(&tree, "memory.oom_control").lines().any(|line| line == "oom_kill 1"));
    tree.remove().expect("remove");
}

#[test]
fn a_fork_too_many_is_refused() {
    let Some(place) = Place::new("forks", &["pids"]) else { return };
    let tree = place.tree("c", &["pids"]);
    set(&tree, r#"{"pids":{"limit":2}}"#).expect("limit");
    assert!(status(&tree, "sleep 0").success());
    assert!(!status(&tree, "sleep 5 & sleep 0").success());
    assert_ne!(read(&tree, "pids.events"), "max 0");
    set(&tree, r#"{"pids":{"limit":-1}}"#).expect("no limit");
    assert!(status(&tree, "sleep 0 & sleep 0").success());
}

#[test]
fn a_quota_is_held() {
    let Some(place) = Place::new("quota", &["cpu", "cpuacct"]) else { return };
    let tree = place.tree("c", &["cpu", "cpuacct"]);
    set(&tree, r#"{"cpu":{"quota":10000,"period":100000,"shares":512}}"#).expect("limits");
    assert_eq!(read(&tree, "cpu.shares"), "512");
    let child = run(&tree, "while :; do :; done", 1);
    let (before, start) = (number(&tree, "cpuacct.usage"), Instant::now());
    std::thread::sleep(Duration::from_secs(1));
    let used = number(&tree, "cpuacct.usage") - before;
    let share = used as f64 / start.elapsed().as_nanos() as f64;
    assert!(share < 0.15, "used {share}");
    assert!(!read(&tree, "cpu.stat").contains("nr_throttled 0\n"));
    reap(child, tree);
}

#[test]
fn an_update_finds_the_order_that_the_kernel_takes() {
    let Some(place) = Place::new("order", &["memory", "cpu"]) else { return };
    let tree = place.tree("c", &["memory", "cpu"]);
    for (limit, swap) in [(16, 32), (64, 128), (8, 16), (12, 14), (13, 200)] {
        let (limit, swap) = (limit << 20, swap << 20);
        set(&tree, &format!(r#"{{"memory":{{"limit":{limit},"swap":{swap}}}}}"#)).expect("memory");
        assert_eq!(number(&tree, "memory.limit_in_bytes"), limit);
        assert_eq!(number(&tree, "memory.memsw.limit_in_bytes"), swap);
    }
    let error = refused(&tree, r#"{"memory":{"limit":1073741824}}"#);
    assert!(error.contains("limited to 209715200; raise that as well"), "{error}");
    set(&tree, r#"{"memory":{"limit":-1}}"#).expect("none of both");
    for (quota, period, burst) in
        [(50_000, 100_000, 50_000), (2000, 5000, 0), (90_000, 10_000, 90_000)]
    {
        let cpu = format!(r#"{{"cpu":{{"quota":{quota},"period":{period},"burst":{burst}}}}}"#);
        set(&tree, &cpu).expect(&cpu);
        assert_eq!(number(&tree, "cpu.cfs_quota_us"), quota);
        assert_eq!(number(&tree, "cpu.cfs_period_us"), period);
        assert_eq!(number(&tree, "cpu.cfs_burst_us"), burst);
    }
}

#[test]
fn refusals_say_what_they_mean() {
    let Some(place) = Place::new("hints", &["memory", "cpuset", "blkio"]) else { return };
    let tree = place.tree("c", &["memory", "cpuset", "blkio"]);
    let child = run(&tree, "(head -c 30000000 /dev/zero; exec sleep 300) | tail", 3);
    wait_for(|| number(&tree, "memory.usage_in_bytes") > 25_000_000);
    let error = refused(&tree, r#"{"memory":{"limit":4194304}}"#);
    assert!(error.starts_with("linux.resources.memory.limit: write \"4194304\" to "), "{error}");
    assert!(error.contains("bytes are in use)") && error.contains("EBUSY"), "{error}");
    let error = refused(&tree, r#"{"cpu":{"cpus":"4000"}}"#);
    assert!(error.contains("of those that the cgroup above has: 0"), "{error}");
    let error = refused(&tree, r#"{"pids":{"limit":1}}"#);
    assert!(error.contains("in no cgroup of controller pids"), "{error}");
    reap(child, tree);
}

/// Whatever the file is called: BFQ's, or CFQ's.
#[test]
fn the_rest_of_the_values_are_taken() {
    let Some(place) = Place::new("values", &["memory", "cpuset", "blkio"]) else { return };
    let tree = place.tree("c", &["memory", "cpuset", "blkio"]);
    let memory = r#"{"memory":{"limit":16777216,"reservation":8388608,"kernelTCP":4194304,
        "swappiness":10,"disableOOMKiller":true}}"#;
    set(&tree, memory).expect("memory");
    assert_eq!(number(&tree, "memory.soft_limit_in_bytes"), 8_388_608);
    assert_eq!(number(&tree, "memory.kmem.tcp.limit_in_bytes"), 4_194_304);
    assert_eq!(number(&tree, "memory.swappiness"), 10);
    assert!(read(&tree, "memory.oom_control").contains("oom_kill_disable 1"));
    set(&tree, r#"{"cpu":{"cpus":"0","mems":"0"}}"#).expect("cpuset");
    assert_eq!(read(&tree, "cpuset.cpus"), "0");
    if file(&tree, "blkio.bfq.weight").exists() {
        set(&tree, r#"{"blockIO":{"weight":200}}"#).expect("weight");
        assert!(read(&tree, "blkio.bfq.weight").ends_with("200"));
    }
}

#[test]
fn devices_are_refused() {
    let Some(place) = Place::new("devices", &["devices"]) else { return };
    let tree = place.tree("c", &["devices"]);
    let open = |path: &Path| status(&tree, &format!("exec < {}", path.display())).success();
    let all = ["/dev/kmsg", "/dev/mem", "/dev/vda", "/dev/sda"].map(PathBuf::from);
    let Some(device) = all.iter().find(|path| open(path)) else {
        return skip("devices", "no device that root may open").unwrap_or_default();
    };
    let restrict = |json: &str| {
        let list = DeviceList::new(&serde_json::from_str::<Vec<_>>(json).expect("devices"));
        tree.restrict_devices(&list.expect("a list"))
    };
    restrict("[]").expect("the default list");
    assert!(!open(device), "{}", device.display());
    assert!(open(Path::new("/dev/null")) && open(Path::new("/dev/urandom")));
    restrict(r#"[{"allow":true,"access":"rwm"}]"#).expect("everything");
    assert!(open(device));
    assert_eq!(read(&tree, "devices.list"), "a *:* rwm");
    restrict(
        r#"[{"allow":true,"access":"rwm"},{"allow":false,"major":1,"minor":11,"access":"r"}]"#,
    )
    .expect("all but one");
    assert_eq!(open(device), device != Path::new("/dev/kmsg"));
    restrict(r#"[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","access":"r"}]"#)
        .expect("reading");
    assert!(read(&tree, "devices.list").contains("c *:* rm"));

    fs::write(file(&tree, "devices.deny"), "c 10:200 rwm").expect("less than the defaults");
    let below = place.tree("c/below", &["devices"]);
    let list =
        |json: &str| DeviceList::new(&serde_json::from_str::<Vec<_>>(json).expect("devices"));
    below.restrict_devices(&list("[]").expect("a list")).expect("no more than there is");
    let more = list(r#"[{"allow":true,"type":"b","major":8,"access":"r"}]"#).expect("a list");
    let error = below.restrict_devices(&more).expect_err("more than there is").to_string();
    assert!(error.contains("\"b 8:* rm\" (a cgroup above does not allow it)"), "{error}");
}

/// A file of 1.5 MiB on a disk, as `MAJOR:MINOR`, that is no part of one: only whole disks have a rate.
fn file_on_a_disk(name: &str) -> Option<(PathBuf, u64, u64)> {
    let path = std::env::temp_dir().join(name);
    fs::write(&path, vec![1; 3 << 19]).ok()?;
    let device = fs::metadata(&path).ok()?.dev();
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let sys = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    if !sys.exists() || sys.join("partition").exists() {
        let _ = fs::remove_file(&path);
        return None;
    }
    Some((path, major, minor))
}

#[test]
fn a_rate_of_reading_is_held() {
    let Some(place) = Place::new("rate", &["blkio"]) else { return };
    let Some((path, major, minor)) = file_on_a_disk(&place.name) else {
        return skip("rate", "temporary files are on no disk").unwrap_or_default();
    };
    let tree = place.tree("c", &["blkio"]);
    let from = path.display();
    let read =
        format!("sync {from}; exec dd if={from} of=/dev/null bs=64k iflag=direct status=none");
    let unlimited = status(&tree, &read).success();
    let rate = format!(
        r#"{{"blockIO":{{"throttleReadBpsDevice":[{{"major":{major},"minor":{minor},"rate":1048576}}]}}}}"#
    );
    set(&tree, &rate).expect("rate");
    let start = Instant::now();
    let limited = status(&tree, &read).success();
    let took = start.elapsed();
    fs::remove_file(&path).expect("remove");
    if !unlimited {
        return skip("rate", "the disk cannot be read directly").unwrap_or_default();
    }
    assert!(limited && took > Duration::from_secs(1), "1.5 MiB at 1 MiB/s took {took:?}");
}

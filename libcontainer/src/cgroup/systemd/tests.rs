//! With a real systemd, in the guest that has one (`integration/guest/systemd.sh`):
//!
//! ```text
//! guest/systemd.sh -f TEST_PROGRAM ./TEST_PROGRAM --ignored systemd::tests
//! guest/systemd.sh -f TEST_PROGRAM ./as-user ./TEST_PROGRAM --ignored systemd::tests
//! ```

use super::super::devices::DeviceFilter;
use super::super::host::Layout;
use super::super::write::Write;
use super::dbus::Value;
use super::manager::Manager;
use super::*;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// As `cgroup::create` has it: root of the initial user namespace asks the system's.
fn is_user() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").expect("a map");
    let initial = map.split_whitespace().eq(["0", "0", "4294967295"]);
    !initial || crate::sys::identity::effective_ids().0 != 0
}

struct Test {
    layout: Layout,
    user: bool,
}

impl Test {
    fn new() -> Self {
        Self { layout: Layout::detect(), user: is_user() }
    }

    fn plan(&self, path: &str, writes: &[Write], annotations: &[(&str, &str)]) -> ScopePlan {
        let devices = DeviceFilter::new(&[]).expect("a filter");
        let owned = |(name, text): &(&str, &str)| {
            (format!("org.systemd.property.{name}"), text.to_string())
        };
        let ask = Ask {
            id: "c1",
            cgroups_path: Some(Path::new(path)),
            annotations: Some(&annotations.iter().map(owned).collect::<HashMap<_, _>>()),
            writes,
            devices: Some(&devices),
            layout: self.layout,
            user: self.user,
        };
        ScopePlan::new(&ask).expect("a plan")
    }

    /// Where a scope's directory is.
    fn directory(&self, control_group: &Path) -> PathBuf {
        let root = match self.layout {
            Layout::Legacy => Path::new("/sys/fs/cgroup/systemd"),
            layout => layout.root().expect("a root"),
        };
        root.join(control_group.strip_prefix("/").expect("absolute"))
    }

    /// A property of a unit, as text.
    fn shown(&self, unit: &str, property: &str) -> String {
        let mut command = std::process::Command::new("systemctl");
        command.args(if self.user { &["--user"][..] } else { &[] });
        let output = command.args(["show", "--value", "-p", property, unit]).output();
        String::from_utf8_lossy(&output.expect("systemctl").stdout).trim().into()
    }
}

/// Waits for what comes soon: at most 5 s.
fn soon(mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(5);
    while !holds() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    holds()
}

#[test]
#[ignore = "needs systemd"]
fn a_scope_begins_changes_and_ends() {
    let test = Test::new();
    let (memory, weight) = match test.layout {
        Layout::Unified => ("memory.max", "cpu.weight"),
        _ => ("memory.limit_in_bytes", "cpu.shares"),
    };
    let writes = [Write::new("", memory, "67108864"), Write::new("", "pids.max", "55")];
    let slice = if test.user { "user.slice" } else { "system.slice" };
    let plan = test.plan(
        &format!("{slice}:skep:begin"),
        &writes,
        &[("TimeoutStopSec", "7"), ("KillSignal", "10")],
    );
    let placeholder = Placeholder::new().expect("a placeholder");
    let begin = Instant::now();
    let path = Scope::start(&plan, placeholder.pid()).expect("a scope");
    eprintln!("{} in {:?}", path.display(), begin.elapsed());
    assert!(path.ends_with(plan.path()), "{}", path.display());
    let directory = test.directory(&path);
    let processes = fs::read_to_string(directory.join("cgroup.procs")).expect("processes");
    assert_eq!(processes.trim(), placeholder.pid().to_string());
    let unit = "skep-begin.scope";
    let limit = if test.layout == Layout::Unified { "MemoryMax" } else { "MemoryLimit" };
    for (property, value) in [
        ("TasksMax", "55"),
        (limit, "67108864"),
        ("TimeoutStopUSec", "7s"),
        ("KillSignal", "10"),
        ("Delegate", "yes"),
        ("DevicePolicy", if test.user { "auto" } else { "strict" }),
        ("Description", "skep container c1"),
    ] {
        assert_eq!(test.shown(unit, property), value, "{property}");
    }
    if test.layout == Layout::Unified {
        let maximum = fs::read_to_string(directory.join("memory.max")).expect("a limit");
        assert_eq!(maximum.trim(), "67108864");
    }

    let scope = Scope::of(&plan);
    let changed = [Write::new("", weight, "77"), Write::new("", "pids.max", "max")];
    scope.set(&changed, None).expect("changed");
    let shares = if test.layout == Layout::Unified { "CPUWeight" } else { "CPUShares" };
    assert_eq!(test.shown(unit, shares), "77");
    assert_eq!(test.shown(unit, "TasksMax"), "infinity");
    let all = serde_json::from_str::<Vec<_>>(r#"[{"allow":true,"access":"rwm"}]"#).expect("rules");
    scope.set(&[], Some(&DeviceFilter::new(&all).expect("a filter"))).expect("changed");
    assert_eq!(test.shown(unit, "DevicePolicy"), "auto");
    assert_eq!(test.shown(unit, "DeviceAllow"), "");

    drop(placeholder);
    assert!(soon(|| !directory.exists()), "an empty scope ends by itself");
    scope.stop().expect("a scope that is gone is fine");
}

#[test]
#[ignore = "needs systemd"]
fn a_name_in_use_is_refused_and_a_failed_one_is_not() {
    let test = Test::new();
    let plan = test.plan(":skep:twice", &[], &[("RuntimeMaxSec", "1"), ("TimeoutStopSec", "1")]);
    let first = Placeholder::new().expect("a placeholder");
    let path = Scope::start(&plan, first.pid()).expect("a scope");
    let second = Placeholder::new().expect("a placeholder");
    let error = Scope::start(&plan, second.pid()).expect_err("in use").to_string();
    assert!(error.contains("a unit of that name exists already"), "{error}");
    let own = fs::read_to_string(format!("/proc/{}/cgroup", second.pid())).expect("a cgroup");
    assert!(!own.contains("skep-twice"), "{own}");
    // After a second it has run for too long.
    let failed = || test.shown("skep-twice.scope", "ActiveState") == "failed";
    assert!(soon(failed), "{}", test.shown("skep-twice.scope", "ActiveState"));
    assert!(!test.directory(&path).exists());
    Scope::start(&plan, second.pid()).expect("the failed one makes room");
    assert!(soon(failed));
    Scope::of(&plan).stop().expect("stopped");
    assert_eq!(test.shown("skep-twice.scope", "LoadState"), "not-found");
}

#[test]
#[ignore = "needs systemd"]
fn what_systemd_refuses_is_in_the_error() {
    let test = Test::new();
    let placeholder = Placeholder::new().expect("a placeholder");
    let start =
        |plan: &ScopePlan| Scope::start(plan, placeholder.pid()).expect_err("refused").to_string();
    let unknown = start(&test.plan(":skep:refused", &[], &[("NoSuchThing", "1")]));
    assert!(unknown.contains("NoSuchThing"), "{unknown}");
    let typed = start(&test.plan(":skep:refused", &[], &[("TimeoutStopUSec", "'a'")]));
    assert!(typed.starts_with("start skep-refused.scope: systemd: "), "{typed}");
    eprintln!("{unknown}\n{typed}");
    let gone = Scope::start(&test.plan(":skep:refused", &[], &[]), u32::MAX >> 2);
    eprintln!("{}", gone.expect_err("no such process"));
    Scope::of(&test.plan(":skep:refused", &[], &[])).stop().expect("nothing to stop");
}

#[test]
#[ignore = "needs systemd"]
fn a_scope_with_processes_is_stopped() {
    let test = Test::new();
    let plan = test.plan(":skep:stop", &[], &[]);
    let placeholder = Placeholder::new().expect("a placeholder");
    let path = Scope::start(&plan, placeholder.pid()).expect("a scope");
    Scope::of(&plan).stop().expect("stopped");
    assert!(soon(|| !test.directory(&path).exists()));
}

#[test]
#[ignore = "needs systemd"]
fn every_property_of_ours_is_known() {
    let test = Test::new();
    if test.layout != Layout::Unified {
        return;
    }
    let writes = [
        ("memory.max", "67108864"),
        ("memory.low", "1"),
        ("memory.min", "0"),
        ("memory.high", "max"),
        ("memory.swap.max", "0"),
        ("memory.zswap.max", "0"),
        ("memory.oom.group", "1"),
        ("pids.max", "9"),
        ("cpu.weight", "10000"),
        ("cpu.idle", "1"),
        ("cpu.max", "1 1000000"),
        ("cpuset.cpus", "0"),
        ("cpuset.mems", "0"),
        ("io.weight", "default 1\n8:0 10000"),
    ];
    let writes = writes.map(|(file, value)| Write::new("", file, value));
    let plan = test.plan(":skep:all", &writes, &[]);
    let placeholder = Placeholder::new().expect("a placeholder");
    Scope::start(&plan, placeholder.pid()).expect("a scope");
    Scope::of(&plan).set(&writes, None).expect("changed");
    let mut manager = Manager::connect(test.user).expect("a connection");
    let version = manager.version().expect("a version");
    assert!(version > 200, "{version}");
    let absent = manager.set("skep-none.scope", Value::Array("(sv)".into(), vec![]));
    eprintln!("systemd {version}; an absent unit: {absent:?}");
    drop(placeholder);
    Scope::of(&plan).stop().expect("stopped");
}

/// At a reload, systemd writes again what it knows of. Limits that it was told are what it writes, and
/// files that it has no property for stay as they are.
#[test]
#[ignore = "needs systemd"]
fn limits_outlive_a_reload() {
    let test = Test::new();
    if test.layout != Layout::Unified {
        return;
    }
    let told = [
        ("memory.max", "67108864"),
        ("memory.oom.group", "1"),
        ("pids.max", "max"),
        ("cpu.max", "50000 100000"),
    ];
    let writes = told.map(|(file, value)| Write::new("", file, value));
    let plan = test.plan(":skep:reload", &writes, &[]);
    let placeholder = Placeholder::new().expect("a placeholder");
    let path = Scope::start(&plan, placeholder.pid()).expect("a scope");
    let directory = test.directory(&path);
    let alone = [("cpu.max.burst", "1000"), ("cgroup.max.depth", "7")];
    for (file, value) in told.iter().chain(&alone) {
        fs::write(directory.join(file), value).expect("a limit");
    }
    let user = if test.user { &["--user"][..] } else { &[] };
    let reload = std::process::Command::new("systemctl").args(user).arg("daemon-reload").status();
    assert!(reload.expect("systemctl").success());
    Scope::of(&plan).set(&writes[2..3], None).expect("changed");
    for (file, value) in told.iter().chain(&alone) {
        let now = fs::read_to_string(directory.join(file)).expect("a limit");
        assert_eq!(now.trim(), *value, "{file}");
    }
    drop(placeholder);
    Scope::of(&plan).stop().expect("stopped");
}

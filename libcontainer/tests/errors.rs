//! What goes wrong in the container's process is told by its step, its object and its field, with the
//! kernel's number and, where there are any, the kernel's words; and it leaves nothing behind.

mod common;

use common::{Left, Stage, Watchdog, add_user_namespace, error_of, map, process, push, skip};
use libcontainer::{CreateOptions, Error, ErrorKind, Plan};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What an error must say.
struct Expected<'a> {
    field: &'a str,
    /// Parts of the text.
    says: &'a [&'a str],
    errno: i32,
}

/// One test at a time: what is left behind is its own.
static ONE: Mutex<()> = Mutex::new(());

type Guards = (Watchdog, MutexGuard<'static, ()>);

/// A stage on which things go wrong, if there can be one.
fn stage(test: &str) -> Option<(Guards, Stage)> {
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let watchdog = Watchdog::new("errors", Duration::from_secs(60));
    let stage = Stage::new(&format!("errors-{test}"))?;
    Some(((watchdog, one), stage))
}

/// The error of `run`, and of `create`, which leave nothing behind.
fn fails(stage: &Stage, config: &Value) -> Error {
    let before = Left::look(stage);
    let created = error_of(stage.create(config));
    let error = error_of(stage.run(config));
    assert_eq!(Left::look(stage), before, "{error}");
    assert_eq!(created.to_string(), error.to_string());
    error
}

fn matches(error: &Error, expected: &Expected) {
    let text = error.to_string();
    assert_eq!(error.config_field(), Some(expected.field), "{text}");
    for part in expected.says {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert_eq!(error.errno(), Some(expected.errno), "{text}");
    assert!(text.starts_with(expected.field) && text.lines().count() == 1, "{text}");
}

/// The error of a step of the child: the plan's line of that number is about the same.
fn fails_at_step(stage: &Stage, config: &Value, expected: &Expected) {
    let error = fails(stage, config);
    matches(&error, expected);
    assert_eq!(error.kind(), ErrorKind::Setup);
    let number = error.step().expect("a step");
    let bundle = stage.bundle(config);
    let plan =
        Plan::for_create("c1", &bundle, &CreateOptions::default(), &stage.host, None).unwrap();
    let plan = plan.to_string();
    let steps: Vec<_> = plan.lines().filter(|line| line.starts_with("child")).collect();
    let line = steps[number];
    assert!(line.ends_with(&format!("  <- {}", expected.field)), "{line}");
    assert!(line.contains(expected.says[0]), "{line}");
}

/// A configuration with one more mount, and the field that this is.
fn with_mount(stage: &Stage, mount: &Value) -> (Value, String) {
    let mut config = stage.config(&["/bin/true"]);
    push(&mut config["mounts"], mount.clone());
    let number = config["mounts"].as_array().unwrap().len() - 1;
    let destination = mount["destination"].as_str().unwrap();
    (config, format!("mounts[{number}] ({destination})"))
}

#[test]
fn mounts() {
    let Some((_guards, stage)) = stage("mounts") else {
        return;
    };
    symlink("loop", stage.rootfs().join("loop")).unwrap();
    symlink("proc", stage.rootfs().join("link")).unwrap();
    let cases: &[(Value, &[&str], i32)] = &[
        (
            json!({ "destination": "/data", "source": "/missing/source", "options": ["bind"] }),
            &["bind source /missing/source"],
            libc::ENOENT,
        ),
        (
            json!({ "destination": "/data", "source": "missing", "options": ["rbind"] }),
            &["bind source", "missing"],
            libc::ENOENT,
        ),
        (
            json!({ "destination": "/data", "source": "rootfs/hosts", "options": ["bind"] }),
            &["bind rootfs/hosts at /data", "a directory goes onto a directory"],
            libc::ENOTDIR,
        ),
        (
            json!({ "destination": "/hosts", "source": "rootfs/etc", "options": ["bind"] }),
            &["bind rootfs/etc at /hosts"],
            libc::ENOTDIR,
        ),
        (
            json!({ "destination": "/hosts", "type": "tmpfs" }),
            &["mount tmpfs at /hosts", "a directory goes onto a directory"],
            libc::ENOTDIR,
        ),
        (
            json!({ "destination": "/data", "type": "missingfs" }),
            &["mount missingfs at /data"],
            libc::ENODEV,
        ),
        (
            json!({ "destination": "/data", "type": "tmpfs", "options": ["size=many"] }),
            &["mount tmpfs at /data", "tmpfs: Bad value for 'size'"],
            libc::EINVAL,
        ),
        (
            json!({ "destination": "/data", "type": "tmpfs", "options": ["nonsense=7"] }),
            &["mount tmpfs at /data", "tmpfs: Unknown parameter 'nonsense'"],
            libc::EINVAL,
        ),
        (
            json!({ "destination": "/hosts/below", "type": "tmpfs" }),
            &["mount tmpfs at /hosts/below"],
            libc::ENOTDIR,
        ),
        (
            json!({ "destination": "/loop/below", "type": "tmpfs" }),
            &["mount tmpfs at /loop/below"],
            libc::ELOOP,
        ),
        (
            json!({ "destination": "/link", "type": "proc" }),
            &["mount proc at /link", "onto no link"],
            libc::ENOTDIR,
        ),
        (
            json!({ "destination": "/proc/self/fd/0", "type": "tmpfs" }),
            &["mount tmpfs at /proc/self/fd/0"],
            libc::ELOOP,
        ),
    ];
    for (mount, says, errno) in cases {
        let (config, field) = with_mount(&stage, mount);
        let expected = Expected { field: &field, says, errno: *errno };
        fails_at_step(&stage, &config, &expected);
    }
}

/// However many descriptors are open by then, the masks come onto the right ones.
#[test]
fn any_number_of_mounts_before_a_mask() {
    let Some((_guards, stage)) = stage("any-number") else {
        return;
    };
    let mut config = stage.config(&["/bin/true"]);
    config["linux"]["maskedPaths"] = json!(["/hosts", "/data"]);
    for _ in 0..64 {
        assert!(stage.run(&config).unwrap().success());
        push(&mut config["mounts"], json!({ "destination": "/tmp", "type": "tmpfs" }));
    }
}

#[test]
fn a_tree_too_deep_to_be_copied() {
    let Some((_guards, stage)) = stage("deep") else {
        return;
    };
    let deep = |depth| (0..depth).fold(stage.rootfs().join("copied"), |path, _| path.join("d"));
    let mount = json!({ "destination": "/copied", "type": "tmpfs", "options": ["tmpcopyup"] });
    let (mut config, field) = with_mount(&stage, &mount);
    fs::create_dir_all(deep(60)).unwrap();
    let last = format!("/copied{}", "/d".repeat(60));
    config["process"]["args"] = json!(["/bin/sh", "-c", format!("test -d {last}")]);
    assert!(stage.run(&config).unwrap().success());
    fs::create_dir_all(deep(70)).unwrap();
    let expected =
        Expected { field: &field, says: &["mount tmpfs at /copied"], errno: libc::ELOOP };
    fails_at_step(&stage, &config, &expected);
}

#[test]
fn sysctls() {
    let Some((_guards, stage)) = stage("sysctls") else {
        return;
    };
    let cases =
        [("kernel.msgmax", "rather a lot", libc::EINVAL), ("net.ipv4.missing", "1", libc::ENOENT)];
    for (name, value, errno) in cases {
        let mut config = stage.config(&["/bin/true"]);
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|entry| entry["type"] != "network");
        namespaces.push(json!({ "type": "network" }));
        config["linux"]["sysctl"] = json!({ name: value });
        let object = format!("{value:?} to /proc/sys/{}", name.replace('.', "/"));
        let expected =
            Expected { field: &format!("linux.sysctl[{name}]"), says: &[&object], errno };
        fails_at_step(&stage, &config, &expected);
    }
}

#[test]
fn devices() {
    let Some((_guards, stage)) = stage("devices") else {
        return;
    };
    if stage.host.euid != 0 {
        return skip("devices", "an ordinary user makes none").unwrap_or(());
    }
    fs::write(stage.rootfs().join("data/null"), "a file").unwrap();
    let mut config = stage.config(&["/bin/true"]);
    config["linux"]["devices"] =
        json!([{ "path": "/data/null", "type": "c", "major": 1, "minor": 3 }]);
    let expected = Expected {
        field: "linux.devices[0] (/data/null)",
        says: &["make device null (1:3"],
        errno: libc::EEXIST,
    };
    fails_at_step(&stage, &config, &expected);
}

#[test]
fn working_directories() {
    let Some((_guards, stage)) = stage("cwd") else {
        return;
    };
    let host = File::open("/").unwrap();
    // SAFETY: takes no pointer.
    unsafe { libc::fcntl(host.as_raw_fd(), libc::F_SETFD, 0) };
    let magic = format!("/proc/self/fd/{}", host.as_raw_fd());
    let below = format!("{magic}/etc");
    let cases = [
        (magic.as_str(), libc::ELOOP),
        (below.as_str(), libc::ELOOP),
        ("/proc/self/cwd", libc::ELOOP),
        ("/hosts/below", libc::ENOTDIR),
    ];
    for (cwd, errno) in cases {
        let mut config = stage.config(&["/bin/true"]);
        config["process"]["cwd"] = json!(cwd);
        let expected = Expected { field: "process.cwd", says: &[cwd], errno };
        fails_at_step(&stage, &config, &expected);
    }
    let mut config = stage.config(&["/bin/true"]);
    config["process"]["cwd"] = json!("/hosts");
    let expected = Expected { field: "process.cwd", says: &["/hosts"], errno: libc::ENOTDIR };
    fails_at_step(&stage, &config, &expected);
}

#[test]
fn a_terminal_without_a_devpts() {
    let Some((_guards, stage)) = stage("terminal") else {
        return;
    };
    let mut config = stage.config(&["/bin/true"]);
    config["process"]["terminal"] = json!(true);
    let mounts = config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["type"] != "devpts");
    let mut options = CreateOptions::default();
    options.terminal = libcontainer::Terminal::Master;
    let error = error_of(stage.run_with(&config, &options));
    let expected = Expected {
        field: "process.terminal",
        says: &["make a terminal", "needs a devpts at /dev/pts"],
        errno: libc::ENOENT,
    };
    matches(&error, &expected);
}

/// Engines know these words, which therefore have no field before them.
#[test]
fn executables() {
    let Some((_guards, stage)) = stage("executables") else {
        return;
    };
    let path = |name: &str| stage.rootfs().join("bin").join(name);
    for (name, mode) in [("text", 0o755), ("plain", 0o644)] {
        fs::write(path(name), "no program\n").unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let cases: &[(&str, &str, i32)] = &[
        ("missing", "executable file not found in $PATH", libc::ENOENT),
        ("/bin/missing", "no such file or directory", libc::ENOENT),
        ("/bin/plain", "permission denied", libc::EACCES),
        ("/bin", "is a directory", libc::EISDIR),
        ("/hosts/below", "not a directory", libc::ENOTDIR),
        ("/bin/text", "exec format error", libc::ENOEXEC),
    ];
    let sleeper = stage.sleeper(|_| {});
    for (program, says, errno) in cases {
        let config = stage.config(&[program]);
        let mut errors = vec![error_of(stage.run(&config))];
        let before = Left::look(&stage);
        errors.push(error_of(sleeper.exec(&process(&[program]))));
        assert_eq!(Left::look(&stage), before);
        for error in errors {
            let text = error.to_string();
            assert!(text.contains(says) && text.contains(program), "{text}");
            assert_eq!(error.errno(), Some(*errno), "{text}");
            assert_eq!(error.config_field(), Some("process.args[0]"), "{text}");
        }
    }
}

/// A created container has its program looked for, but only `start` executes it.
#[test]
fn a_program_that_cannot_be_executed_fails_at_start() {
    let Some((_guards, stage)) = stage("start") else {
        return;
    };
    let path = stage.rootfs().join("bin/text");
    fs::write(&path, "no program\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let before = Left::look(&stage);
    let created = stage.create(&stage.config(&["/bin/text"])).unwrap();
    let error = error_of(created.container.start());
    assert!(error.to_string().contains("exec format error"), "{error}");
    assert_eq!(error.config_field(), Some("process.args[0]"));
    common::await_status(&created.container, libcontainer::Status::Stopped);
    created.container.delete(false).unwrap();
    let _ = created.init.wait();
    drop(created.init);
    assert_eq!(Left::look(&stage), before);
}

#[test]
fn namespaces() {
    let Some((_guards, stage)) = stage("namespaces") else {
        return;
    };
    let fifo = stage.directory().join("fifo");
    let status = std::process::Command::new("/bin/busybox").arg("mkfifo").arg(&fifo).status();
    assert!(status.unwrap().success());
    let cases = [
        (Path::new("/etc/passwd"), "is no network namespace", None),
        (Path::new("/proc/self/ns/uts"), "is no network namespace", None),
        (Path::new("/proc/self"), "is no network namespace", None),
        (&fifo, "is no network namespace", None),
        (Path::new("/missing"), "open /missing", Some(libc::ENOENT)),
    ];
    for (path, says, errno) in cases {
        let mut config = stage.config(&["/bin/true"]);
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|entry| entry["type"] != "network");
        namespaces.push(json!({ "type": "network", "path": path }));
        let field = format!("linux.namespaces[{}] (network)", namespaces.len() - 1);
        let error = fails(&stage, &config);
        let text = error.to_string();
        assert_eq!(error.config_field(), Some(field.as_str()), "{text}");
        assert!(text.contains(says) && text.contains(path.to_str().unwrap()), "{text}");
        assert_eq!(error.errno(), errno, "{text}");
    }
}

/// Joining it again is refused by the kernel.
#[test]
fn the_callers_own_user_namespace() {
    let Some((_guards, stage)) = stage("own-user") else {
        return;
    };
    let mut config = stage.config(&["/bin/true"]);
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|entry| entry["type"] != "user");
    namespaces.push(json!({ "type": "user", "path": "/proc/self/ns/user" }));
    let field = format!("linux.namespaces[{}] (user)", namespaces.len() - 1);
    let linux = config["linux"].as_object_mut().unwrap();
    linux.remove("uidMappings");
    linux.remove("gidMappings");
    let error = fails(&stage, &config);
    let expected =
        Expected { field: &field, says: &["join the user namespace"], errno: libc::EINVAL };
    matches(&error, &expected);
}

#[test]
fn ids_that_are_not_mapped() {
    let Some((_guards, stage)) = stage("ids") else {
        return;
    };
    let mut config = stage.config(&["/bin/true"]);
    add_user_namespace(&mut config);
    config["process"]["user"] = json!({ "uid": 100_000, "gid": 0 });
    let error = fails(&stage, &config);
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert_eq!(error.config_field(), Some("process.user.uid"));
    assert!(error.to_string().contains("100000"), "{error}");

    let sleeper = stage.sleeper(add_user_namespace);
    let mut other = process(&["/bin/true"]);
    other["user"]["gid"] = json!(100_000);
    let error = error_of(sleeper.exec(&other));
    assert_eq!(error.config_field(), Some("process.user.gid"), "{error}");
}

/// A map of ids that the caller may not have: as an ordinary user, without an entry in /etc/subuid.
#[test]
fn maps_that_are_not_allowed() {
    let Some((_guards, stage)) = stage("maps") else {
        return;
    };
    if stage.host.euid == 0 {
        return skip("maps", "root may map what it likes").unwrap_or(());
    }
    let mut config = stage.config(&["/bin/true"]);
    config["linux"]["uidMappings"] = map(stage.host.euid + 1, 70_000);
    let error = fails(&stage, &config);
    assert_eq!(error.config_field(), Some("linux.uidMappings"), "{error}");
}

#[test]
fn root_filesystems() {
    let Some((_guards, stage)) = stage("root") else {
        return;
    };
    let cases =
        [("missing", "No such file or directory (ENOENT)"), ("rootfs/hosts", "is no directory")];
    for (path, says) in cases {
        let mut config = stage.config(&["/bin/true"]);
        config["root"]["path"] = json!(path);
        let error = fails(&stage, &config);
        assert_eq!(error.config_field(), Some("root.path"));
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
fn hooks() {
    let Some((_guards, stage)) = stage("hooks") else {
        return;
    };
    let cases = [
        ("createRuntime", "/bin/busybox", "false", "exit status 1"),
        ("createRuntime", "/missing", "x", "No such file or directory"),
        ("createRuntime", "/bin/busybox", "cat", "timeout of 1 s"),
        ("createContainer", "/bin/busybox", "false", "exit status 1"),
        ("createContainer", "/missing", "x", "no such file or directory"),
    ];
    for (kind, path, program, says) in cases {
        let mut config = stage.config(&["/bin/true"]);
        // The first word is the applet's name, the second what it waits for.
        let args = if program == "cat" { json!(["sleep", "30"]) } else { json!([program]) };
        config["hooks"][kind] = json!([{ "path": path, "args": args, "timeout": 1 }]);
        let error = fails(&stage, &config);
        assert_eq!(error.kind(), ErrorKind::Hook, "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("hooks.{kind}[0] ({path})")), "{text}");
        assert!(text.contains(says), "{text}");
    }
}

/// With a joiner, the child is a sibling: its failures are told, and it is reaped, all the same.
#[test]
fn failures_behind_a_joiner() {
    let Some((_guards, stage)) = stage("joiner") else {
        return;
    };
    let mount = json!({ "destination": "/data", "type": "missingfs" });
    let (mut config, field) = with_mount(&stage, &mount);
    push(&mut config["linux"]["namespaces"], json!({ "type": "time" }));
    let expected =
        Expected { field: &field, says: &["mount missingfs at /data"], errno: libc::ENODEV };
    fails_at_step(&stage, &config, &expected);
    config["mounts"].as_array_mut().unwrap().pop();
    config["linux"]["timeOffsets"] = json!({ "boottime": { "secs": -1_000_000_000_000_i64 } });
    let error = fails(&stage, &config);
    let expected = Expected {
        field: "linux.timeOffsets",
        says: &["make a time namespace"],
        errno: libc::ERANGE,
    };
    matches(&error, &expected);
}

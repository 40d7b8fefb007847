//! The child's half, from clone3(2) to execve(2), neither allocates nor frees, nor waits for a lock
//! that another thread held when it was made, nor logs: the whole program runs on an allocator and a
//! logger that refuse to work in any other process, and every kind of step is taken.

#![allow(clippy::multiple_unsafe_ops_per_block)]

mod common;
#[path = "common/guarded_malloc.rs"]
mod guarded_malloc;

use common::{
    Stage, Watchdog, add_user_namespace, error_of, process, push, push_id_mapped, sample,
};
use guarded_malloc::{CAUGHT, Held};
use libcontainer::{CreateOptions, ExecOptions, Terminal};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A logger that is heard of when the child calls it.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, _: &log::Record) {
        guarded_malloc::only_in_own_process("log");
    }

    fn flush(&self) {}
}

/// One test at a time: what is caught belongs to it.
static ONE: Mutex<()> = Mutex::new(());

fn one_at_a_time() -> MutexGuard<'static, ()> {
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = log::set_logger(&Logger);
    log::set_max_level(log::LevelFilter::Trace);
    guarded_malloc::arm();
    one
}

/// Runs `body` and fails when a child was caught meanwhile.
fn guarded(test: &str, body: impl FnOnce(&Stage)) {
    let _one = one_at_a_time();
    let Some(stage) = Stage::new(test) else {
        return;
    };
    let _watchdog = Watchdog::new("no_allocation", Duration::from_secs(30));
    let before = guarded_malloc::seen();
    body(&stage);
    assert_eq!(guarded_malloc::seen(), before, "a child allocated or logged");
}

/// A configuration with a step of nearly every kind.
fn everything(stage: &Stage) -> Value {
    let mut config = stage.config(&["/bin/sh", "-c", "test $HOME = /the/home"]);
    config["process"]["env"] = json!(["PATH=/bin"]);
    config["process"]["cwd"] = json!("/made/here");
    config["process"]["user"]["umask"] = json!(0o077);
    config["process"]["oomScoreAdj"] = json!(500);
    config["process"]["scheduler"] = json!({ "policy": "SCHED_BATCH", "nice": 1 });
    config["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 5 });
    config["linux"]["personality"] = json!({ "domain": "LINUX32" });
    config["root"]["readonly"] = json!(true);
    config["domainname"] = json!("example.org");
    config["linux"]["rootfsPropagation"] = json!("private");
    push(&mut config["linux"]["namespaces"], json!({ "type": "time" }));
    config["linux"]["timeOffsets"] = json!({ "boottime": { "secs": 10 } });
    config["linux"]["sysctl"] = json!({ "kernel.msgmax": "9000" });
    let more = [
        // More than the caller may have: it is told so, and gets what it may.
        json!({ "type": "RLIMIT_NICE", "soft": 30, "hard": 30 }),
        json!({ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }),
    ];
    more.into_iter().for_each(|limit| push(&mut config["process"]["rlimits"], limit));
    let mounts = [
        json!({ "destination": "/copied", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"] }),
        json!({ "destination": "/bound", "source": "rootfs/hosts", "options": ["bind", "ro"] }),
        json!({ "destination": "/deep/er", "source": "rootfs/etc", "options": ["rbind", "rro", "rprivate"] }),
        json!({ "destination": "/bound", "options": ["remount", "bind", "ro", "noexec"] }),
    ];
    mounts.into_iter().for_each(|mount| push(&mut config["mounts"], mount));
    push(&mut config["linux"]["maskedPaths"], json!("/hosts"));
    config
}

fn succeeded(status: ExitStatus) {
    assert!(status.success(), "{status}");
}

#[test]
fn run() {
    guarded("run", |stage| {
        succeeded(stage.run(&stage.config(&["/bin/true"])).unwrap());
        succeeded(stage.run(&everything(stage)).unwrap());
    });
}

#[test]
fn without_pivot() {
    guarded("without-pivot", |stage| {
        let mut options = CreateOptions::default();
        options.no_pivot = true;
        options.no_new_keyring = true;
        succeeded(stage.run_with(&stage.config(&["/bin/true"]), &options).unwrap());
    });
}

#[test]
fn create_start_and_exec() {
    guarded("exec", |stage| {
        let created = stage.create(&stage.config(&["/bin/sleep", "100"])).unwrap();
        created.container.start().unwrap();
        let exec = |process: &Value| {
            let process = serde_json::from_value(process.clone()).unwrap();
            let spawned = created.container.exec(&process, &ExecOptions::default()).unwrap();
            succeeded(spawned.wait().unwrap());
        };
        exec(&process(&["/bin/true"]));
        let mut other = process(&["sh", "-c", "test $HOME = /the/home"]);
        other["cwd"] = json!("/tmp");
        other["execCPUAffinity"] = json!({ "initial": "0", "final": "0" });
        other["oomScoreAdj"] = json!(600);
        other["noNewPrivileges"] = json!(true);
        other["rlimits"] = json!([{ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }]);
        other["capabilities"] = json!({ "bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"] });
        exec(&other);
        created.container.delete(true).unwrap();
    });
}

#[test]
fn user_namespace() {
    guarded("user-namespace", |stage| {
        let mut config = stage.config(&["/bin/true"]);
        add_user_namespace(&mut config);
        succeeded(stage.run(&config).unwrap());
        let sleeper = stage.sleeper(add_user_namespace);
        succeeded(sleeper.exec(&process(&["/bin/true"])).unwrap());
    });
}

#[test]
fn id_mapped_mounts() {
    guarded("id-mapped", |stage| {
        if stage.host.euid != 0 {
            return common::skip("id-mapped", "only root maps what is on the host").unwrap_or(());
        }
        let mut config = stage.config(&["/bin/true"]);
        push_id_mapped(&mut config);
        succeeded(stage.run(&config).unwrap());
        let mut config = stage.config(&["/bin/true"]);
        add_user_namespace(&mut config);
        push_id_mapped(&mut config);
        succeeded(stage.run(&config).unwrap());
    });
}

#[test]
fn joined_namespaces() {
    guarded("joined", |stage| {
        let sleeper = stage.sleeper(add_user_namespace);
        let mut config = stage.config(&["/bin/true"]);
        add_user_namespace(&mut config);
        let joined = [("user", "user"), ("pid", "pid"), ("ipc", "ipc"), ("uts", "uts")];
        let paths =
            joined.map(|(kind, file)| json!({ "type": kind, "path": sleeper.namespace(file) }));
        let mut namespaces = paths.to_vec();
        namespaces.push(json!({ "type": "mount" }));
        config["linux"]["namespaces"] = json!(namespaces);
        let linux = config["linux"].as_object_mut().unwrap();
        linux.remove("uidMappings");
        linux.remove("gidMappings");
        // They are the sleeper's, and it has set them.
        config.as_object_mut().unwrap().remove("hostname");
        succeeded(stage.run(&config).unwrap());
    });
}

#[test]
fn a_new_user_namespace_beside_a_joined_one() {
    guarded("joined-and-new", |stage| {
        if stage.host.euid != 0 {
            return common::skip("joined-and-new", "only root joins a namespace of the host's")
                .unwrap_or(());
        }
        let mut config = stage.config(&["/bin/true"]);
        add_user_namespace(&mut config);
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "network");
        namespaces.push(json!({ "type": "network", "path": "/proc/self/ns/net" }));
        // A sysfs shows the network namespace, and so is only for who owns that.
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/sys");
        config["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|mount| mount["destination"] != "/sys/fs/cgroup");
        succeeded(stage.run(&config).unwrap());
    });
}

#[test]
fn terminal() {
    guarded("terminal", |stage| {
        let mut config = stage.config(&["/bin/sh", "-c", "test -t 0 && stty size"]);
        config["process"]["terminal"] = json!(true);
        config["process"]["consoleSize"] = json!({ "height": 7, "width": 77 });
        let mut options = CreateOptions::default();
        options.terminal = Terminal::Master;
        let root = stage.root();
        let mut created = root.run(&common::id(), &stage.bundle(&config), &options).unwrap();
        let mut output = Vec::new();
        // A terminal whose other side is gone says EIO rather than end of file.
        let _ = File::from(created.init.terminal.take().unwrap()).read_to_end(&mut output);
        succeeded(created.init.wait().unwrap());
        created.container.delete(false).unwrap();
        assert_eq!(String::from_utf8_lossy(&output), "7 77\r\n");
    });
}

#[test]
fn devices() {
    guarded("devices", |stage| {
        let mut config = stage.config(&["/bin/sh", "-c", "test -c /dev/more/null"]);
        let device = json!({ "path": "/dev/more/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600 });
        if stage.host.euid == 0 {
            config["linux"]["devices"] = json!([device]);
        } else {
            config["process"]["args"] = json!(["/bin/sh", "-c", "test -c /dev/null"]);
        }
        succeeded(stage.run(&config).unwrap());
    });
}

#[test]
fn hooks() {
    guarded("hooks", |stage| {
        let hook =
            |path: &str| json!([{ "path": path, "args": ["true"], "env": ["A=b"], "timeout": 10 }]);
        let host = "/bin/busybox";
        let mut config = stage.config(&["/bin/true"]);
        config["hooks"] = json!({
            "prestart": hook(host),
            "createRuntime": hook(host),
            "createContainer": hook(host),
            "startContainer": hook("/bin/true"),
            "poststart": hook(host),
            "poststop": hook(host),
        });
        config["hooks"]["createRuntime"] = hook(host);
        succeeded(stage.run(&config).unwrap());
        config["hooks"]["startContainer"] = hook("/bin/missing");
        error_of(stage.run(&config));
    });
}

#[test]
fn failing_steps() {
    guarded("failing", |stage| {
        let mounts = [
            json!({ "destination": "/data", "source": "/missing/source", "options": ["bind"] }),
            json!({ "destination": "/data", "type": "missingfs" }),
            json!({ "destination": "/data", "type": "tmpfs", "options": ["size=many"] }),
            json!({ "destination": "/hosts/no", "type": "tmpfs" }),
        ];
        for mount in mounts {
            let mut config = stage.config(&["/bin/true"]);
            push(&mut config["mounts"], mount);
            error_of(stage.run(&config));
        }
        error_of(stage.run(&stage.config(&["missing"])));
        let sleeper = stage.sleeper(|_| {});
        error_of(sleeper.exec(&process(&["missing"])));
    });
}

#[test]
fn failing_execve() {
    guarded("execve", |stage| {
        let path = stage.rootfs().join("bin/text");
        fs::write(&path, "no program\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let config = stage.config(&["/bin/text"]);
        error_of(stage.run(&config));
        let created = stage.create(&config).unwrap();
        error_of(created.container.start());
        created.container.delete(true).unwrap();
    });
}

#[test]
fn configurations_of_engines() {
    guarded("engines", |stage| {
        if stage.host.euid != 0 {
            return common::skip("engines", "these are for root").unwrap_or(());
        }
        for name in ["docker", "ctr", "podman", "buildah"] {
            let base = stage.config(&["/bin/true"]);
            let mut config = sample(name);
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces
                .iter_mut()
                .for_each(|namespace| *namespace = json!({ "type": namespace["type"] }));
            config["process"]["args"] = json!(["/bin/true"]);
            config["process"]["terminal"] = json!(false);
            config["root"] = base["root"].clone();
            config.as_object_mut().unwrap().remove("hooks");
            config["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "bind");
            let linux = config["linux"].as_object_mut().unwrap();
            for field in ["cgroupsPath", "mountLabel"] {
                linux.remove(field);
            }
            let process = config["process"].as_object_mut().unwrap();
            for field in ["apparmorProfile", "selinuxLabel", "oomScoreAdj"] {
                process.remove(field);
            }
            process["user"] = json!({ "uid": 0, "gid": 0, "additionalGids": [1, 2] });
            succeeded(stage.run(&config).unwrap_or_else(|error| panic!("{name}: {error}")));
        }
    });
}

/// Locks that are held when the clone happens stay held in the child for ever.
#[test]
fn locks_of_other_threads() {
    guarded("locks", |stage| {
        guarded_malloc::be_lenient(true);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| hold_the_allocator(&stop));
            scope.spawn(|| change_the_environment(&stop));
            scope.spawn(|| {
                let _stdout = std::io::stdout().lock();
                let _stderr = std::io::stderr().lock();
                wait(&stop);
            });
            for _ in 0..5 {
                let config = everything(stage);
                let status = stage.run(&config);
                let mut failing = config.clone();
                failing["process"]["args"] = json!(["missing"]);
                let failed = stage.run(&failing).is_err();
                if !(failed && matches!(status, Ok(status) if status.success())) {
                    stop.store(true, Ordering::SeqCst);
                    panic!("{status:?}, {failed}");
                }
            }
            stop.store(true, Ordering::SeqCst);
        });
        guarded_malloc::be_lenient(false);
    });
}

fn wait(stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Nine tenths of the time.
fn hold_the_allocator(stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let held = Held::new();
        thread::sleep(Duration::from_micros(90));
        drop(held);
        thread::sleep(Duration::from_micros(10));
    }
}

fn change_the_environment(stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        // SAFETY: the environment is only read through std, which shares a lock with this.
        unsafe { std::env::set_var("SKEP_LIBTEST", "busy") };
    }
}

/// A namespace of its own, in which the child is process 1.
const NEW: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWPID;

/// Runs `body` in a process made as the library makes one: by clone3(2).
fn in_a_child(namespaces: i32, body: impl FnOnce()) -> ExitStatus {
    // SAFETY: clone_args is plain numbers.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: the arguments are valid for their size; without CLONE_VM the child has its own memory.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    assert!(pid >= 0, "clone3: {}", std::io::Error::last_os_error());
    if pid == 0 {
        // What is caught on purpose needs no words.
        // SAFETY: the path is a C string.
        unsafe { libc::dup2(libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY), 2) };
        body();
        // SAFETY: takes no pointer.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writing.
    let reaped = unsafe { libc::waitpid(pid as i32, &raw mut status, 0) };
    assert_eq!(i64::from(reaped), pid);
    ExitStatus::from_raw(status)
}

/// What this file looks for is found when it is there.
#[test]
fn an_allocation_in_a_child_is_caught() {
    let _one = one_at_a_time();
    if Stage::new("caught").is_none() {
        return;
    }
    let before = guarded_malloc::seen();
    let boxed = Box::new(7u8);
    succeeded(in_a_child(NEW, || {
        black_box(b"on the stack");
    }));
    assert_eq!(guarded_malloc::seen(), before);
    let caught: [ExitStatus; 5] = [
        in_a_child(NEW, || drop(black_box(Vec::<u8>::with_capacity(10)))),
        in_a_child(NEW, || drop(black_box(format!("{}", black_box(3))))),
        in_a_child(NEW, move || drop(black_box(boxed))),
        in_a_child(NEW, || {
            // SAFETY: a C string.
            black_box(unsafe { libc::strdup(c"in the C library".as_ptr()) });
        }),
        in_a_child(NEW, || log::error!("on the stack")),
    ];
    assert_eq!(caught.map(|status| status.code()), [Some(CAUGHT); 5]);
    assert_eq!(guarded_malloc::seen(), before + 5);
}

/// A lock that is held at the clone is what hangs: the child is killed by its alarm.
#[test]
fn a_held_lock_hangs_a_child() {
    let _one = one_at_a_time();
    if Stage::new("held").is_none() {
        return;
    }
    guarded_malloc::be_lenient(true);
    let held = Held::new();
    let status = in_a_child(0, || {
        // SAFETY: takes no pointer. The default action of the signal is the end.
        unsafe { libc::alarm(1) };
        drop(black_box(Vec::<u8>::with_capacity(10)));
    });
    drop(held);
    guarded_malloc::be_lenient(false);
    assert_eq!(status.signal(), Some(libc::SIGALRM));
}

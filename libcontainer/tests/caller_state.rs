//! The process that calls the library, and each of its threads, are left as they were.

#![allow(clippy::multiple_unsafe_ops_per_block)]

mod common;

use common::{Left, Stage, Watchdog, add_user_namespace, error_of, process, push, push_id_mapped};
use libcontainer::{CreateOptions, ExecOptions, Terminal};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// All that a thread may see of itself and of its process.
#[derive(Debug)]
#[allow(dead_code, reason = "compared by what it prints")]
struct State {
    directory: PathBuf,
    root: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    /// umask, ids, groups, signals, capabilities, seccomp, processors of the calling thread.
    status: Vec<String>,
    oom_score_adj: String,
    limits: String,
    namespaces: Vec<PathBuf>,
    session: Vec<i32>,
    /// dumpable, no_new_privs, keep capabilities, subreaper, parent-death signal, securebits, name.
    flags: Vec<i32>,
    name: String,
    nice: i32,
    scheduler: i32,
    personality: i32,
    keyring: i64,
    dispositions: Vec<(usize, i32)>,
    alternate_stack: usize,
}

impl State {
    fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap();
        Self {
            directory: std::env::current_dir().unwrap(),
            root: fs::read_link("/proc/thread-self/root").unwrap(),
            environment: std::env::vars_os().collect(),
            status: status(&read("/proc/thread-self/status")),
            oom_score_adj: read("/proc/thread-self/oom_score_adj"),
            limits: read("/proc/thread-self/limits"),
            namespaces: namespaces(),
            session: session(),
            flags: flags(),
            name: read("/proc/thread-self/comm"),
            // SAFETY: takes no pointer.
            nice: unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) },
            // SAFETY: takes no pointer.
            scheduler: unsafe { libc::sched_getscheduler(0) },
            // SAFETY: takes no pointer; this value only asks.
            personality: unsafe { libc::personality(0xffff_ffff) },
            keyring: session_keyring(),
            dispositions: (1..=64).map(disposition).collect(),
            alternate_stack: alternate_stack(),
        }
    }
}

const STATUS: &[&str] = &[
    "Umask",
    "Uid",
    "Gid",
    "Groups",
    "Tgid",
    "PPid",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "Cap",
    "NoNewPrivs",
    "Seccomp",
    "Cpus_allowed",
    "Mems_allowed",
    "CoreDumping",
    "THP_enabled",
];

fn status(text: &str) -> Vec<String> {
    let wanted = |line: &&str| STATUS.iter().any(|name| line.starts_with(name));
    text.lines().filter(wanted).map(str::to_owned).collect()
}

/// Fails with what differs, and nothing else.
fn assert_same(now: &impl Debug, before: &impl Debug) {
    let [now, before] = [format!("{now:#?}"), format!("{before:#?}")];
    let lines = |one: &str, other: &str, sign: &str| {
        let other: HashSet<_> = other.lines().collect();
        let differ = one.lines().filter(|line| !other.contains(line));
        differ.map(|line| format!("{sign}{line}\n")).collect::<String>()
    };
    let differ = lines(&before, &now, "- ") + &lines(&now, &before, "+ ");
    assert!(now == before, "the caller has changed:\n{differ}");
}

fn namespaces() -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc/thread-self/ns").unwrap();
    let mut links: Vec<_> =
        entries.map(|entry| fs::read_link(entry.unwrap().path()).unwrap()).collect();
    links.sort();
    links
}

fn session() -> Vec<i32> {
    // SAFETY: takes no pointer.
    let (group, session) = unsafe { (libc::getpgid(0), libc::getsid(0)) };
    vec![group, session]
}

fn flags() -> Vec<i32> {
    let mut subreaper = -1;
    let mut signal = -1;
    // SAFETY: each writes an int to the place given, or takes no pointer.
    unsafe {
        libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut subreaper);
        libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal);
        vec![
            subreaper,
            signal,
            libc::prctl(libc::PR_GET_DUMPABLE),
            libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
            libc::prctl(libc::PR_GET_KEEPCAPS),
            libc::prctl(libc::PR_GET_SECUREBITS),
            libc::prctl(libc::PR_GET_TIMERSLACK),
        ]
    }
}

/// The serial number of the session keyring, or the error of a kernel without.
fn session_keyring() -> i64 {
    const KEYCTL_GET_KEYRING_ID: i64 = 0;
    const SESSION_KEYRING: i64 = -3;
    // SAFETY: takes no pointer.
    unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_GET_KEYRING_ID, SESSION_KEYRING, 0) }
}

/// The handler of a signal and its flags.
fn disposition(signal: i32) -> (usize, i32) {
    // SAFETY: sigaction is plain numbers.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: nothing is set; the place to write to is valid.
    unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    (action.sa_sigaction, action.sa_flags)
}

fn alternate_stack() -> usize {
    // SAFETY: stack_t is plain numbers and a pointer.
    let mut stack: libc::stack_t = unsafe { std::mem::zeroed() };
    // SAFETY: nothing is set; the place to write to is valid.
    unsafe { libc::sigaltstack(std::ptr::null(), &raw mut stack) };
    stack.ss_sp.addr()
}

/// A caller that is not as programs usually are, so that a reset to the usual shows.
fn be_unusual() {
    std::env::set_current_dir("/usr").unwrap();
    // SAFETY: none of these takes a pointer that is kept; the set is plain numbers.
    unsafe {
        libc::umask(0o031);
        libc::signal(libc::SIGUSR1, libc::SIG_IGN);
        libc::signal(libc::SIGUSR2, handler as *const () as usize);
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
        libc::setpriority(libc::PRIO_PROCESS, 0, 1);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, libc::SIGWINCH);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
    fs::write("/proc/self/oom_score_adj", "17").unwrap();
}

extern "C" fn handler(_: i32) {}

/// A configuration that changes in the child whatever can be changed.
fn changing(stage: &Stage, args: &[&str]) -> Value {
    let mut config = stage.config(args);
    let process = &mut config["process"];
    process["oomScoreAdj"] = json!(300);
    process["user"]["umask"] = json!(0o077);
    process["cwd"] = json!("/tmp");
    process["noNewPrivileges"] = json!(true);
    process["scheduler"] = json!({ "policy": "SCHED_BATCH", "nice": 2 });
    process["ioPriority"] = json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 0 });
    push(&mut process["rlimits"], json!({ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }));
    push(&mut config["linux"]["namespaces"], json!({ "type": "time" }));
    config["linux"]["personality"] = json!({ "domain": "LINUX32" });
    config
}

fn everything(stage: &Stage) {
    stage.run(&changing(stage, &["/bin/true"])).unwrap();
    let mut config = changing(stage, &["/bin/sleep", "100"]);
    let created = stage.create(&config).unwrap();
    created.container.start().unwrap();
    created.container.state().unwrap();
    created.container.processes().unwrap();
    let mut other = process(&["/bin/true"]);
    other["execCPUAffinity"] = json!({ "initial": "0", "final": "0" });
    exec(&created.container, &other, &ExecOptions::default());
    with_terminal(&created.container);
    created.container.kill(libc::SIGKILL, false).unwrap();
    created.init.wait().unwrap();
    created.container.delete(false).unwrap();
    add_user_namespace(&mut config);
    stage.create(&config).unwrap().container.delete(true).unwrap();
    if stage.host.euid == 0 {
        id_mapped(stage, &mut config);
    }
    hooks_and_failures(stage);
}

/// Made, and refused by the kernel when other mappings are there already.
fn id_mapped(stage: &Stage, config: &mut Value) {
    push_id_mapped(config);
    stage.create(config).unwrap().container.delete(true).unwrap();
    for options in [["bind", "idmap"], ["rbind", "ridmap"]] {
        let mut config = config.clone();
        let mount = json!({ "destination": "/data", "source": "/proc", "options": options });
        push(&mut config["mounts"], mount);
        let text = error_of(stage.run(&config)).to_string();
        assert!(text.contains("(/data): id-map bind source /proc ("), "{text}");
    }
}

fn exec(container: &libcontainer::Container, process: &Value, options: &ExecOptions) {
    let process = serde_json::from_value(process.clone()).unwrap();
    let spawned = container.exec(&process, options).unwrap();
    assert!(spawned.wait().unwrap().success());
}

fn with_terminal(container: &libcontainer::Container) {
    let mut process = process(&["/bin/true"]);
    process["terminal"] = json!(true);
    let mut options = ExecOptions::default();
    options.terminal = Terminal::Master;
    exec(container, &process, &options);
}

fn hooks_and_failures(stage: &Stage) {
    let mut config = changing(stage, &["/bin/true"]);
    let hook = |path: &str| json!([{ "path": path, "args": ["true"] }]);
    config["hooks"] = json!({
        "createRuntime": hook("/bin/busybox"),
        "createContainer": hook("/bin/busybox"),
        "startContainer": hook("/bin/true"),
        "poststop": hook("/bin/busybox"),
    });
    stage.run(&config).unwrap();
    error_of(stage.run(&changing(stage, &["missing"])));
    push(&mut config["mounts"], json!({ "destination": "/data", "type": "missingfs" }));
    error_of(stage.run(&config));
    let root = stage.root();
    let mut options = CreateOptions::default();
    options.terminal = Terminal::Master;
    error_of(root.run("not/an/id", &stage.bundle(&config), &options));
    error_of(root.open("missing"));
}

/// What one opens to look would be found by another.
static ONE: Mutex<()> = Mutex::new(());

fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn the_caller_is_left_as_it_was() {
    let _one = one_at_a_time();
    let Some(stage) = Stage::new("caller-state") else {
        return;
    };
    let _watchdog = Watchdog::new("caller_state", Duration::from_secs(60));
    be_unusual();
    let left = Left::look(&stage);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| while_other_threads_run(&stop));
        let compared = scope.spawn(|| {
            let before = State::look();
            everything(&stage);
            assert_same(&State::look(), &before);
        });
        let compared = compared.join();
        stop.store(true, Ordering::Relaxed);
        other.join().unwrap();
        compared.unwrap();
    });
    assert_same(&Left::look(&stage), &left);
}

/// Both are the thread's own: no other is disturbed.
#[test]
fn a_change_would_be_seen() {
    let _one = one_at_a_time();
    let before = State::look();
    // SAFETY: takes no pointer.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 123_456) };
    let changed = State::look();
    assert_eq!(changed.flags.iter().filter(|flag| !before.flags.contains(flag)).count(), 1);
    // SAFETY: sigset_t is plain numbers; all zero is the empty set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGWINCH) };
    // SAFETY: the set is valid.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    assert_ne!(State::look().status, changed.status);
}

/// Another thread sees nothing change at any time.
fn while_other_threads_run(stop: &AtomicBool) {
    let before = State::look();
    while !stop.load(Ordering::Relaxed) {
        assert_same(&State::look(), &before);
        thread::sleep(Duration::from_millis(1));
    }
}

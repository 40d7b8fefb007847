//! What the tests that start containers share: a root filesystem made of busybox, configurations
//! for the user who runs the test, a watchdog, and a look at what is left behind.

// Every test file is a program of its own and uses its part of this.
#![allow(dead_code)]

use libcontainer::cgroup;
use libcontainer::{
    Bundle, Config, Container, CreateOptions, Created, Error, ExecOptions, Host, Result, StateRoot,
    Status, oci,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Debian's package busybox-static.
const BUSYBOX: &str = "/bin/busybox";

/// Mount points that must be there before: in a user namespace that does not map the owner of the
/// root filesystem, nobody may make them.
const DIRECTORIES: &[&str] = &[
    "bin",
    "dev",
    "proc",
    "sys",
    "tmp",
    "etc",
    "data",
    "copied/deep/er",
    "mapped/one",
    "mapped/two",
    "mapped/three",
    "mapped/four",
];

/// A directory with a root filesystem and a state root, for one test. It is removed when dropped.
pub(crate) struct Stage {
    directory: PathBuf,
    pub(crate) host: Host,
}

impl Stage {
    /// `None`, with a word about it, where containers cannot be started.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let host = Host::detect().expect("host");
        if let Err(why) = possible(&host) {
            return skip(test, &why);
        }
        let name = format!("skep-{test}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        let stage = Self { directory, host };
        stage.make().expect("a root filesystem");
        Some(stage)
    }

    fn make(&self) -> std::io::Result<()> {
        let rootfs = self.rootfs();
        for name in DIRECTORIES {
            fs::create_dir_all(rootfs.join(name))?;
        }
        // Whoever the container maps must get here.
        fs::set_permissions(&self.directory, fs::Permissions::from_mode(0o755))?;
        fs::copy(BUSYBOX, rootfs.join("bin/busybox"))?;
        for name in ["sh", "true", "cat", "sleep"] {
            symlink("busybox", rootfs.join("bin").join(name))?;
        }
        for name in ["hosts", "copied/deep/er/file"] {
            fs::write(rootfs.join(name), "one\n")?;
        }
        symlink("../hosts", rootfs.join("copied/link"))?;
        fs::write(rootfs.join("etc/passwd"), "root:x:0:0:root:/the/home:/bin/sh\n")
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn rootfs(&self) -> PathBuf {
        self.directory.join("rootfs")
    }

    pub(crate) fn root(&self) -> StateRoot {
        StateRoot::new(self.directory.join("state"))
    }

    /// What `runc spec` (or `runc spec --rootless`, for an ordinary user) writes, with these arguments
    /// and without a terminal.
    pub(crate) fn config(&self, args: &[&str]) -> Value {
        let root = self.host.euid == 0;
        let mut config = sample(if root { "runc" } else { "runc-rootless" });
        config["process"]["args"] = json!(args);
        config["process"]["terminal"] = json!(false);
        // It must be possible to make devices and files in it.
        config["root"]["readonly"] = json!(false);
        if !root {
            config["linux"]["uidMappings"] = map(self.host.euid, 1);
            config["linux"]["gidMappings"] = map(self.host.egid, 1);
        }
        config
    }

    pub(crate) fn bundle(&self, config: &Value) -> Bundle {
        let mut config = config.clone();
        let layout = cgroup::Layout::detect();
        let v1 = matches!(layout, cgroup::Layout::Hybrid | cgroup::Layout::Legacy);
        // There a container without a path is below the caller's own cgroups, which are not ours to use.
        if v1 && self.host.euid == 0 && config["linux"].is_object() {
            let path = json!(format!("/{}", id()));
            config["linux"].as_object_mut().map(|linux| linux.entry("cgroupsPath").or_insert(path));
        }
        Bundle { path: self.directory.clone(), config: parse(&config) }
    }

    pub(crate) fn create(&self, config: &Value) -> Result<Created> {
        self.root().create(&id(), &self.bundle(config), &CreateOptions::default())
    }

    /// Runs a container to its end and deletes it.
    pub(crate) fn run(&self, config: &Value) -> Result<ExitStatus> {
        self.run_with(config, &CreateOptions::default())
    }

    pub(crate) fn run_with(&self, config: &Value, options: &CreateOptions) -> Result<ExitStatus> {
        let created = self.root().run(&id(), &self.bundle(config), options)?;
        let status = created.init.wait().expect("our child");
        created.container.delete(false)?;
        Ok(status)
    }

    /// A container that runs until it is killed.
    pub(crate) fn sleeper(&self, change: impl FnOnce(&mut Value)) -> Running {
        let mut config = self.config(&["/bin/sleep", "100"]);
        change(&mut config);
        let root = self.root();
        let created = root.run(&id(), &self.bundle(&config), &CreateOptions::default());
        Running(Some(created.expect("a container that sleeps")))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for state in self.root().list().unwrap_or_default() {
            let _ = self.root().delete_remains(&state.id);
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A running container, killed and deleted when it is dropped.
pub(crate) struct Running(Option<Created>);

impl Running {
    fn created(&self) -> &Created {
        self.0.as_ref().expect("not yet taken")
    }

    pub(crate) fn container(&self) -> &Container {
        &self.created().container
    }

    pub(crate) fn namespace(&self, file: &str) -> String {
        format!("/proc/{}/ns/{file}", self.created().init.pid)
    }

    /// Runs a process in it to its end.
    pub(crate) fn exec(&self, process: &Value) -> Result<ExitStatus> {
        self.exec_with(process, &ExecOptions::default())
    }

    pub(crate) fn exec_with(&self, process: &Value, options: &ExecOptions) -> Result<ExitStatus> {
        let process: oci::Process = serde_json::from_value(process.clone()).expect("a process");
        let spawned = self.container().exec(&process, options)?;
        Ok(spawned.wait().expect("our child"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(created) = self.0.take() {
            let _ = created.container.delete(true);
        }
    }
}

/// Why containers cannot be started here.
fn possible(host: &Host) -> std::result::Result<(), String> {
    if !Path::new(BUSYBOX).exists() {
        return Err(format!("no {BUSYBOX} (Debian's package busybox-static)"));
    }
    let mut unshare = Command::new(BUSYBOX);
    match host.euid {
        0 => unshare.args(["unshare", "-m", BUSYBOX, "true"]),
        _ => unshare.args(["unshare", "-U", BUSYBOX, "true"]),
    };
    let output = unshare.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("no namespaces are allowed: {}", said.trim()))
    }
}

/// Says why a test is not run; also when the test harness keeps the output of tests to itself.
pub(crate) fn skip<T>(test: &str, why: &str) -> Option<T> {
    let _ = writeln!(std::io::stderr(), "SKIP {test}: {why}");
    None
}

/// A configuration of `tests/samples`.
pub(crate) fn sample(name: &str) -> Value {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let bytes = fs::read(directory.join(format!("{name}.config.json"))).expect("a sample");
    serde_json::from_slice(&bytes).expect("JSON")
}

pub(crate) fn parse(config: &Value) -> Config {
    Config::from_bytes(config.to_string().into_bytes()).expect("a configuration")
}

/// A map of ids from 0 up.
pub(crate) fn map(outside: u32, count: u32) -> Value {
    json!([{ "containerID": 0, "hostID": outside, "size": count }])
}

/// Mounts whose ids are mapped in each way that there is.
pub(crate) fn push_id_mapped(config: &mut Value) {
    let own = map(5, 1);
    let etc = |destination: &str, option: &str| json!({ "destination": destination, "source": "rootfs/etc", "options": ["rbind", option] });
    let tmpfs = json!({ "destination": "/mapped/three", "type": "tmpfs" });
    for mut mount in [etc("/mapped/one", "idmap"), etc("/mapped/two", "idmap"), tmpfs] {
        mount["uidMappings"] = own.clone();
        mount["gidMappings"] = own.clone();
        push(&mut config["mounts"], mount);
    }
    if config["linux"]["uidMappings"].is_array() {
        push(&mut config["mounts"], etc("/mapped/four", "ridmap"));
    }
}

/// Gives a configuration a user namespace of its own, if it has none: with ids that nobody has when
/// the caller is root.
pub(crate) fn add_user_namespace(config: &mut Value) {
    let namespaces = config["linux"]["namespaces"].as_array_mut().expect("a list");
    if namespaces.iter().any(|namespace| namespace["type"] == "user") {
        return;
    }
    namespaces.push(json!({ "type": "user" }));
    config["linux"]["uidMappings"] = map(300_000, 65_536);
    config["linux"]["gidMappings"] = map(300_000, 65_536);
}

/// Appends to a list of a configuration, which may be missing.
pub(crate) fn push(list: &mut Value, entry: Value) {
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut().expect("a list").push(entry);
}

/// A process as `exec` takes it.
pub(crate) fn process(args: &[&str]) -> Value {
    json!({
        "cwd": "/",
        "args": args,
        "env": ["PATH=/bin"],
        "user": { "uid": 0, "gid": 0 },
    })
}

const ID: &str = "skep-libtest";

/// A new container id, recognisable as of this program.
pub(crate) fn id() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{ID}-{}-{number}", std::process::id())
}

/// Waits, for a short while, until a container has a status.
pub(crate) fn await_status(container: &Container, wanted: Status) {
    let begin = Instant::now();
    while container.state().expect("state").status != wanted {
        assert!(begin.elapsed() < Duration::from_secs(10), "never {wanted}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The error of what must fail.
pub(crate) fn error_of<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => error,
    }
}

/// Ends the program when it is not dropped in time: a test that hangs fails, and says so.
pub(crate) struct Watchdog(Option<Sender<()>>);

impl Watchdog {
    pub(crate) fn new(what: &'static str, limit: Duration) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        thread::spawn(move || {
            if stopped.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                let text = format!("{what}: hangs since {limit:?}\n");
                // Somebody may hold the lock of std's stderr for ever.
                // SAFETY: the text is valid for its length.
                unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
                std::process::abort();
            }
        });
        Self(Some(stop))
    }
}

/// Whatever a container may leave behind: in this process, and on the host under our ids.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Left {
    descriptors: BTreeSet<String>,
    children: BTreeSet<i32>,
    mounts: BTreeSet<String>,
    states: BTreeSet<PathBuf>,
    cgroups: BTreeSet<PathBuf>,
}

impl Left {
    pub(crate) fn look(stage: &Stage) -> Self {
        Self {
            descriptors: descriptors(),
            children: children(),
            mounts: lines("/proc/self/mountinfo"),
            states: entries(stage.root().path()).collect(),
            cgroups: cgroups(),
        }
    }
}

fn lines(path: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(path).expect("readable");
    text.lines().map(str::to_owned).collect()
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// Number and target of every open descriptor, but the one that is open for looking.
pub(crate) fn descriptors() -> BTreeSet<String> {
    let name = |path: PathBuf| {
        let target = fs::read_link(&path).ok()?;
        Some(format!("{} {}", path.display(), target.display()))
    };
    let own = format!("/proc/{}/fd", std::process::id());
    let all = entries(Path::new("/proc/self/fd")).filter_map(name);
    all.filter(|entry| !entry.ends_with(&own)).collect()
}

/// The processes whose parent this process is, zombies too.
pub(crate) fn children() -> BTreeSet<i32> {
    let own = std::process::id();
    let parent = |path: &Path| -> Option<u32> {
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        stat.get(stat.rfind(')')? + 1..)?.split_whitespace().nth(1)?.parse().ok()
    };
    let pid = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
    let processes = entries(Path::new("/proc")).filter(|path| pid(path).is_some());
    processes.filter(|path| parent(path) == Some(own)).filter_map(|path| pid(&path)).collect()
}

/// The cgroups of this program's containers, in every hierarchy.
fn cgroups() -> BTreeSet<PathBuf> {
    let own = format!("{ID}-{}-", std::process::id());
    let mut found = BTreeSet::new();
    let mut below = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = below.pop() {
        if directory.to_string_lossy().contains(&own) {
            found.insert(directory.clone());
        }
        below.extend(entries(&directory).filter(|path| is_directory(path)));
    }
    found
}

fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.mode() & 0o170_000 == 0o040_000)
}

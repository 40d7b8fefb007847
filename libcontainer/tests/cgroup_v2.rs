//! Cgroups on a real kernel: made, limited, entered, killed and removed.
//!
//! Every test works in a cgroup of its own, `skep-test-PID-NAME`, and takes it away again. Where the
//! host has no cgroup v2, or the caller no rights to it, a test prints `SKIP` and why. Limits need a
//! host with nothing but v2; the guest of this project is one.

use libcontainer::cgroup::{self, Cgroup, CgroupPlan, Created, Host, Layout, Manager, Request};
use libcontainer::error::{ErrorKind, Result};
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

const NOBODY: [i32; 0] = [];

/// A cgroup for one test, with everything below it.
struct Place {
    name: String,
    directory: PathBuf,
    host: Host,
}

impl Place {
    /// `None`, with a word about it, where the test cannot run.
    fn new(test: &str, needs_controllers: bool) -> Option<Self> {
        let host = Host::detect(Some(Path::new("/x")), false).expect("host");
        let Some(root) = host.layout.root() else {
            return skip(test, "no cgroup v2");
        };
        if needs_controllers && host.layout != Layout::Unified {
            return skip(test, "the controllers are on cgroup v1");
        }
        let name = format!("skep-test-{}-{test}", std::process::id());
        let directory = root.join(&name);
        match fs::create_dir(&directory) {
            Ok(()) => Some(Self { name, directory, host }),
            Err(error) => skip(test, &format!("cannot make {}: {error}", directory.display())),
        }
    }

    fn plan(&self, below: &str, resources: &str) -> Result<CgroupPlan> {
        let resources = serde_json::from_str(resources).expect("resources");
        CgroupPlan::new(&Request {
            id: "c1",
            cgroups_path: Some(&Path::new("/").join(&self.name).join(below)),
            annotations: None,
            resources: Some(&resources),
            manager: Manager::Cgroupfs,
            owner: None,
            host: &self.host,
        })
    }

    fn create(&self, below: &str, resources: &str) -> Result<Created> {
        let plan = self.plan(below, resources)?;
        let created = Cgroup::create(&plan)?;
        if let Some(cgroup) = &created.cgroup {
            cgroup.restrict_devices(&plan)?;
        }
        Ok(created)
    }

    fn cgroup(&self, below: &str, resources: &str) -> Cgroup {
        let created = self.create(below, resources).expect("create");
        created.cgroup.expect("a cgroup")
    }

    fn error(&self, below: &str, resources: &str) -> String {
        self.create(below, resources).expect_err("an error").to_string()
    }

    fn names(&self) -> Vec<String> {
        let entries =
            fs::read_dir(&self.directory).expect("list").map(|entry| entry.expect("entry"));
        let directories = entries.filter(|entry| entry.path().is_dir());
        directories.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(Some(cgroup)) = Cgroup::open(&stored(&self.directory)) {
            let _ = cgroup.kill_all();
            let _ = cgroup.remove();
        }
    }
}

/// As state.json has it, with the directories of cgroup v1 where there are any.
fn stored(directory: &Path) -> cgroup::Place {
    let mut place = cgroup::Place::default();
    place.unified = Some(directory.to_path_buf());
    let root = Layout::detect().root().expect("cgroup v2");
    let below = directory.strip_prefix(root).expect("below the root");
    for mount in fs::read_dir("/sys/fs/cgroup").expect("list").flatten() {
        let path = mount.path().join(below);
        if mount.path() != root && path.is_dir() {
            place.v1.insert(mount.file_name().to_string_lossy().into_owned(), path);
        }
    }
    place
}

fn path(cgroup: &Cgroup) -> &Path {
    cgroup.place().unified.as_deref().expect("a directory of cgroup v2")
}

fn skip<T>(test: &str, why: &str) -> Option<T> {
    eprintln!("SKIP {test}: {why}");
    None
}

/// A shell that enters the cgroup before it runs `script`.
fn shell(cgroup: &Path, script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    let enter = format!("echo $$ > {}/cgroup.procs || exit 99\n{script}", cgroup.display());
    command.args(["-c", &enter]).stdin(Stdio::null());
    command
}

fn output(cgroup: &Path, script: &str) -> Output {
    shell(cgroup, script).output().expect("sh")
}

fn status(cgroup: &Path, script: &str) -> ExitStatus {
    output(cgroup, script).status
}

/// A process that stays in the cgroup until it is killed.
fn sleeper(cgroup: &Path) -> Child {
    let child = shell(cgroup, "exec sleep 300").spawn().expect("sh");
    let pid = child.id().to_string();
    wait_for(|| {
        let procs = fs::read_to_string(cgroup.join("cgroup.procs")).expect("cgroup.procs");
        procs.lines().any(|line| line == pid)
    });
    child
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited ten seconds in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn read(cgroup: &Path, file: &str) -> String {
    let text = fs::read_to_string(cgroup.join(file));
    text.unwrap_or_else(|error| panic!("{file}: {error}")).trim().to_string()
}

/// The number behind `key` in a file of lines `key number`.
fn number(cgroup: &Path, file: &str, key: &str) -> u64 {
    let text = read(cgroup, file);
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{key} in {text:?}")).parse().expect("a number")
}

#[test]
fn made_entered_killed_and_removed() {
    let Some(place) = Place::new("life", false) else {
        return;
    };
    let cgroup = place.cgroup("a/b", "{}");
    assert_eq!(path(&cgroup), place.directory.join("a/b"));
    assert_eq!(cgroup.processes().expect("processes"), NOBODY);

    let mut child = sleeper(path(&cgroup));
    let pid = child.id() as i32;
    assert_eq!(cgroup.processes().expect("processes"), [pid]);
    let above = Cgroup::open(&stored(&place.directory)).expect("open").expect("there");
    assert_eq!(above.processes().expect("processes"), [pid]);

    let place_of_it = cgroup.place().clone();
    cgroup.kill_all().expect("kill");
    // Not waited for yet: a zombie does not keep a cgroup.
    cgroup.remove().expect("remove");
    assert!(!place.directory.join("a/b").exists());
    assert!(place.directory.join("a").exists(), "what may be shared stays");
    assert!(Cgroup::open(&place_of_it).expect("open").is_none());
    assert_eq!(child.wait().expect("wait").code(), None);
}

#[test]
fn what_is_gone_does_no_harm() {
    let Some(place) = Place::new("gone", false) else {
        return;
    };
    let cgroup = place.cgroup("a", "{}");
    let again = Cgroup::open(cgroup.place()).expect("open").expect("there");
    cgroup.remove().expect("remove");
    assert_eq!(again.processes().expect("processes"), NOBODY);
    again.kill_all().expect("kill");
    again.remove().expect("remove");
}

#[test]
fn removal_waits_for_the_processes() {
    let Some(place) = Place::new("waits", false) else {
        return;
    };
    let cgroup = place.cgroup("a", "{}");
    let mut child = sleeper(path(&cgroup));
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        child.kill().expect("kill");
        child.wait().expect("wait")
    });
    let begin = Instant::now();
    cgroup.remove().expect("remove");
    assert!(begin.elapsed() >= Duration::from_millis(100));
    assert!(begin.elapsed() < Duration::from_secs(5));
    killer.join().expect("killer");
}

#[test]
fn a_used_cgroup_is_refused_and_an_empty_one_taken() {
    let Some(place) = Place::new("used", false) else {
        return;
    };
    let cgroup = place.cgroup("a", "{}");
    let mut child = sleeper(path(&cgroup));
    let error = place.error("a", "{}");
    assert!(error.starts_with("linux.cgroupsPath: cgroup "), "{error}");
    assert!(error.contains("holds 1 processes already"), "{error}");
    assert_eq!(cgroup.processes().expect("processes"), [child.id() as i32]);
    cgroup.kill_all().expect("kill");
    child.wait().expect("wait");
    place.cgroup("a", "{}").remove().expect("remove");
}

#[test]
fn a_frozen_cgroup_is_refused() {
    let Some(place) = Place::new("frozen", false) else {
        return;
    };
    let cgroup = place.cgroup("a", "{}");
    fs::write(path(&cgroup).join("cgroup.freeze"), "1").expect("freeze");
    wait_for(|| number(path(&cgroup), "cgroup.events", "frozen") == 1);
    let error = place.error("a", "{}");
    assert!(error.ends_with("is frozen; thaw or remove it first"), "{error}");
}

/// The CPU time of a process, in clock ticks: fields 14 and 15 of proc_pid_stat(5).
fn ticks(child: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("stat");
    let fields = stat[stat.rfind(')').expect("a name") + 1..].split_whitespace().skip(11).take(2);
    fields.map(|field| field.parse::<u64>().expect("a number")).sum()
}

#[test]
fn freezing_stops_everyone_until_thawed() {
    let Some(place) = Place::new("freeze", false) else {
        return;
    };
    let cgroup = place.cgroup("a", "{}");
    let below = path(&cgroup).join("below");
    fs::create_dir(&below).expect("mkdir");
    let busy = |cgroup| shell(cgroup, "while :; do :; done").spawn().expect("sh");
    let mut children = [busy(path(&cgroup)), busy(&below)];
    wait_for(|| cgroup.processes().expect("processes").len() == children.len());
    assert!(!cgroup.place().is_frozen());
    for _round in 0..2 {
        cgroup.freeze().expect("freeze");
        assert!(cgroup.place().is_frozen());
        assert_eq!(number(&below, "cgroup.events", "frozen"), 1);
        let before = children.each_ref().map(ticks);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(children.each_ref().map(ticks), before);
        cgroup.freeze().expect("once more");
        cgroup.thaw().expect("thaw");
        assert!(!cgroup.place().is_frozen());
        for (child, before) in children.iter().zip(before) {
            wait_for(|| ticks(child) > before);
        }
    }
    cgroup.thaw().expect("once more");
    cgroup.freeze().expect("freeze");
    cgroup.kill_all().expect("kill");
    for child in &mut children {
        child.wait().expect("wait");
    }
}

/// A container may have made cgroups of its own.
#[test]
fn sub_cgroups_are_listed_killed_and_removed() {
    let Some(place) = Place::new("below", false) else {
        return;
    };
    let cgroup = place.cgroup("a", "{}");
    let mut children = Vec::new();
    for name in ["one", "two", "two/three", "two/three/four", "five"] {
        fs::create_dir(path(&cgroup).join(name)).expect("mkdir");
        children.push(sleeper(&path(&cgroup).join(name)));
    }
    let mut expected: Vec<i32> = children.iter().map(|child| child.id() as i32).collect();
    let mut found = cgroup.processes().expect("processes");
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);

    let child = cgroup.child("/two/three").expect("child");
    assert_eq!(path(&child), path(&cgroup).join("two/three"));
    assert_eq!(child.processes().expect("processes").len(), 2);
    assert_eq!(path(&cgroup.child("/").expect("itself")), path(&cgroup));

    cgroup.kill_all().expect("kill");
    cgroup.remove().expect("remove");
    assert_eq!(place.names(), Vec::<String>::new());
    for mut child in children {
        child.wait().expect("wait");
    }
}

#[test]
fn no_way_out_of_a_cgroup() {
    let Some(place) = Place::new("out", false) else {
        return;
    };
    let cgroup = place.cgroup("a", "{}");
    fs::create_dir(place.directory.join("x")).expect("mkdir");
    for below in ["..", "../x", "/../x", "y/../../x", "nosuch", "cgroup.procs"] {
        let error = cgroup.child(below).expect_err(below);
        let expected =
            if below == "cgroup.procs" { ErrorKind::System } else { ErrorKind::InvalidArgument };
        assert_eq!(error.kind(), expected, "{below}: {error}");
    }
    let error = place.error("../../../x", "{}");
    assert!(error.contains("linux.cgroupsPath: "), "{error}");
    assert!(error.contains("must not contain `..`"), "{error}");
}

/// Deeper than a path can be long, as a hostile container may make them.
#[test]
fn a_tree_deeper_than_a_path_is_removed() {
    let Some(place) = Place::new("deep", false) else {
        return;
    };
    let cgroup = place.cgroup("a", "{}");
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut at = openat(AT_FDCWD, path(&cgroup), flags, Mode::empty()).expect("open");
    let name = "d".repeat(200);
    for _ in 0..25 {
        mkdirat(&at, name.as_str(), Mode::from_bits_truncate(0o755)).expect("mkdir");
        at = openat(&at, name.as_str(), flags, Mode::empty()).expect("open");
    }
    assert_eq!(cgroup.processes().expect("processes"), NOBODY);
    cgroup.remove().expect("remove");
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn many_at_once_leave_nothing() {
    let Some(place) = Place::new("many", false) else {
        return;
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let place = &place;
            scope.spawn(move || {
                for round in 0..50 {
                    let cgroup = place.cgroup(&format!("shared{}/t{thread}", round % 3), "{}");
                    cgroup.remove().expect("remove");
                }
            });
        }
    });
    for parent in place.names() {
        fs::remove_dir(place.directory.join(parent)).expect("empty");
    }
}

#[test]
fn devices_are_denied_unless_allowed() {
    let Some(place) = Place::new("devices", false) else {
        return;
    };
    let scratch = std::env::temp_dir().join(&place.name);
    fs::create_dir(&scratch).expect("mkdir");
    let node = scratch.join("kmsg");
    let mknod = format!("mknod {} c 1 11", node.display());
    let reads = format!(": < {}", node.display());
    let writes = format!(": >> {}", node.display());

    let denied = place.cgroup("denied", "{}");
    assert!(status(path(&denied), &mknod).success(), "a node may be made");
    assert!(!status(path(&denied), &reads).success(), "but not opened");
    let outside = Command::new("/bin/sh").args(["-c", &reads]).status();
    assert!(outside.expect("sh").success(), "others may");
    for device in ["null", "zero", "full", "random", "urandom"] {
        assert!(status(path(&denied), &format!(": < /dev/{device}")).success(), "{device}");
    }

    let read_only = place.cgroup(
        "read",
        r#"{"devices":[{"allow":false,"access":"rwm"},
        {"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}"#,
    );
    assert!(status(path(&read_only), &reads).success());
    assert!(!status(path(&read_only), &writes).success());

    let all_but_one = place.cgroup(
        "allbut",
        r#"{"devices":[{"allow":true,"access":"rwm"},
        {"allow":false,"type":"c","major":1,"minor":11,"access":"w"}]}"#,
    );
    assert!(status(path(&all_but_one), &reads).success());
    assert!(!status(path(&all_but_one), &writes).success());

    let all = place.cgroup("all", r#"{"devices":[{"allow":true,"access":"rwm"}]}"#);
    assert!(status(path(&all), &writes).success());
    fs::remove_dir_all(&scratch).expect("remove scratch");
}

#[test]
fn hybrid_hosts_have_their_limits_on_v1() {
    let Some(place) = Place::new("hybrid", false) else {
        return;
    };
    if place.host.layout != Layout::Hybrid {
        return skip("hybrid", "not a hybrid host").unwrap_or(());
    }
    let created =
        place.create("a", r#"{"memory":{"limit":1048576},"pids":{"limit":5}}"#).expect("create");
    assert_eq!(created.notes, [""; 0]);
    let cgroup = created.cgroup.expect("a cgroup");
    assert_eq!(read(&cgroup.place().v1["memory"], "memory.limit_in_bytes"), "1048576");
    assert_eq!(read(&cgroup.place().v1["pids"], "pids.max"), "5");
    let quiet = place.create("b", r#"{"devices":[{"allow":false,"access":"rwm"}],"blockIO":{}}"#);
    assert!(quiet.expect("create").notes.is_empty());
    let unmounted = place.create("c", r#"{"network":{"classID":5}}"#).expect("create");
    let line = "not enforced: linux.resources.network.classID \
                (cgroup v1 controller net_cls is not mounted, or read-only)";
    assert!(unmounted.notes == [line] || Path::new("/sys/fs/cgroup/net_cls").exists());
}

const NOBODY_ID: u32 = 65534;

/// Runs as `nobody`, in the cgroup and with the `linux.cgroupsPath` that [`nobody_makes`] gives it.
#[test]
#[ignore = "not a test but the unprivileged half of some"]
fn as_nobody() {
    let path = std::env::var_os("CGROUPS_PATH").map(PathBuf::from);
    let host = Host::detect(path.as_deref(), true).expect("host");
    let resources = serde_json::from_str(r#"{"memory":{"limit":1048576}}"#).expect("resources");
    let request = Request {
        id: "skep-test-nobody",
        cgroups_path: path.as_deref(),
        annotations: None,
        resources: Some(&resources),
        manager: Manager::Cgroupfs,
        owner: None,
        host: &host,
    };
    let created = Cgroup::create(&CgroupPlan::new(&request).expect("plan")).expect("create");
    let made = created.cgroup.as_ref().map(self::path);
    println!("made {made:?} notes {:?}", created.notes);
}

/// What [`as_nobody`] prints when it is in the cgroup `own`.
fn nobody_makes(place: &Place, own: &Path, cgroups_path: Option<&Path>) -> String {
    let binary = std::env::temp_dir().join(&place.name);
    fs::copy(std::env::current_exe().expect("exe"), &binary).expect("copy");
    let script = format!(
        "exec setpriv --reuid {NOBODY_ID} --regid {NOBODY_ID} --clear-groups \\
         {} --ignored --exact as_nobody --nocapture",
        binary.display()
    );
    let mut command = shell(own, &script);
    if let Some(path) = cgroups_path {
        command.env("CGROUPS_PATH", path);
    }
    let output = command.output().expect("run");
    fs::remove_file(&binary).expect("remove");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    let line = text.lines().find_map(|line| Some(&line[line.find("made ")?..]));
    line.expect("a line").to_string()
}

fn give_to_nobody(cgroup: &Path, files: &[&str]) {
    for file in files {
        std::os::unix::fs::chown(cgroup.join(file), Some(NOBODY_ID), Some(NOBODY_ID))
            .expect("chown");
    }
}

#[test]
fn without_rights_a_container_goes_without_a_cgroup() {
    let Some(place) = Place::new("nobody", false) else {
        return;
    };
    let own = place.directory.join("own");
    fs::create_dir(&own).expect("mkdir");
    let said = nobody_makes(&place, &own, None);
    assert!(
        said.starts_with("made None notes [\"not enforced: linux.resources.memory.limit ("),
        "{said}"
    );
    assert!(said.ends_with("EACCES))\"]") || said.contains("on cgroup v1"), "{said}");
    assert_eq!(place.names(), ["own"]);
}

/// May make a cgroup, but not move a process there.
#[test]
fn a_cgroup_that_may_not_be_entered_is_not_made() {
    let Some(place) = Place::new("entry", false) else {
        return;
    };
    let (own, given) = (place.directory.join("own"), place.directory.join("given"));
    fs::create_dir(&own).expect("mkdir");
    fs::create_dir(&given).expect("mkdir");
    give_to_nobody(&given, &["", "cgroup.procs", "cgroup.subtree_control"]);
    let path = Path::new("/").join(&place.name).join("given/a");
    let said = nobody_makes(&place, &own, Some(&path));
    assert!(said.starts_with("made None notes"), "{said}");
    assert!(!given.join("a").exists());
}

#[test]
fn a_delegated_cgroup_is_used() {
    let Some(place) = Place::new("delegated", true) else {
        return;
    };
    let given = place.cgroup("given", r#"{"memory":{"limit":33554432},"pids":{"limit":99}}"#);
    let own = path(&given).join("own");
    fs::create_dir(&own).expect("mkdir");
    give_to_nobody(path(&given), &["", "cgroup.procs"]);
    let made = path(&given).join("skep-test-nobody");
    let expected = format!("made Some({made:?}) notes ");

    let said = nobody_makes(&place, &own, None);
    let note = "not enforced: linux.resources.memory.limit (controller memory is not delegated to this user)";
    assert_eq!(said, format!("{expected}[{note:?}]"));
    fs::remove_dir(&made).expect("made");

    give_to_nobody(path(&given), &["cgroup.subtree_control"]);
    assert_eq!(nobody_makes(&place, &own, None), format!("{expected}[]"));
    assert_eq!(read(&made, "memory.max"), "1048576");
}

#[test]
fn limits_are_written_and_controllers_turned_on() {
    let Some(place) = Place::new("limits", true) else {
        return;
    };
    let json = r#"{"memory":{"limit":67108864,"reservation":33554432},
        "cpu":{"shares":512,"quota":50000,"period":200000,"burst":1000},
        "pids":{"limit":77},"unified":{"memory.high":"60000000","cgroup.max.depth":"9"}}"#;
    let cgroup = place.cgroup("deep/er/c1", json);
    for (file, value) in [
        ("memory.max", "67108864"),
        ("memory.low", "33554432"),
        ("memory.high", "59998208"),
        ("cpu.weight", "59"),
        ("cpu.max", "50000 200000"),
        ("cpu.max.burst", "1000"),
        ("pids.max", "77"),
        ("cgroup.max.depth", "9"),
    ] {
        assert_eq!(read(path(&cgroup), file), value, "{file}");
    }
    let parent = path(&cgroup).parent().expect("parent");
    for controller in ["cpu", "memory", "pids"] {
        assert!(read(parent, "cgroup.subtree_control").split(' ').any(|have| have == controller));
    }
    assert_eq!(read(path(&cgroup), "cgroup.subtree_control"), "", "the container's own stay off");
    let before = read(parent, "cgroup.subtree_control");
    place.cgroup("deep/er/c2", r#"{"pids":{"limit":1}}"#).remove().expect("remove");
    assert_eq!(read(parent, "cgroup.subtree_control"), before, "others are not disturbed");
}

#[test]
fn minus_one_is_max_and_no_limit_is_untouched() {
    let Some(place) = Place::new("max", true) else {
        return;
    };
    let cgroup =
        place.cgroup("a", r#"{"memory":{"limit":-1},"pids":{"limit":-1},"cpu":{"quota":-1}}"#);
    assert_eq!(read(path(&cgroup), "memory.max"), "max");
    assert_eq!(read(path(&cgroup), "pids.max"), "max");
    assert_eq!(read(path(&cgroup), "cpu.max"), "max 100000");
    let none = place.cgroup("b", r#"{"pids":{"limit":0}}"#);
    assert_eq!(read(path(&none), "pids.max"), "1");
    assert_eq!(read(path(&none), "cpu.weight"), "100");
}

#[test]
fn too_many_processes_are_refused() {
    let Some(place) = Place::new("pids", true) else {
        return;
    };
    let cgroup = place.cgroup("a", r#"{"pids":{"limit":3}}"#);
    let script = "sleep 9 & sleep 9 & sleep 9 & sleep 9 & kill $! ; exit 0";
    let refused = output(path(&cgroup), script);
    cgroup.kill_all().expect("kill");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("fork"), "{refused:?}");
    assert!(number(path(&cgroup), "pids.events", "max") >= 1);
}

#[test]
fn too_much_memory_is_an_oom_kill() {
    let Some(place) = Place::new("oom", true) else {
        return;
    };
    let cgroup = place.cgroup("a", r#"{"memory":{"limit":16777216,"swap":16777216}}"#);
    // tail holds what it was given until the end of the one line.
    let status = status(path(&cgroup), "head -c 64m /dev/zero | tail -n 1 > /dev/null");
    assert!(!status.success());
    assert!(number(path(&cgroup), "memory.events", "oom_kill") >= 1);
    assert!(status_ok_within(path(&cgroup)), "less is fine");
}

fn status_ok_within(cgroup: &Path) -> bool {
    status(cgroup, "head -c 1m /dev/zero | tail -n 1 > /dev/null").success()
}

#[test]
fn too_much_processor_time_is_throttled() {
    let Some(place) = Place::new("cpu", true) else {
        return;
    };
    let cgroup = place.cgroup("a", r#"{"cpu":{"quota":5000,"period":50000}}"#);
    status(path(&cgroup), "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
    assert!(number(path(&cgroup), "cpu.stat", "nr_throttled") >= 1);
}

#[test]
fn a_refused_value_is_named_and_leaves_nothing() {
    let Some(place) = Place::new("refused", true) else {
        return;
    };
    for (json, expected) in [
        (
            r#"{"unified":{"memory.max":"much"}}"#,
            "linux.resources.unified[memory.max]: write \"much\" to ",
        ),
        (
            r#"{"unified":{"memory.nosuch":"1"}}"#,
            "linux.resources.unified[memory.nosuch]: write \"1\" to ",
        ),
    ] {
        let error = place.error("x/y/z", json);
        assert!(error.starts_with(expected), "{error}");
        assert!(error.contains("(EINVAL)") || error.contains("(ENOENT)"), "{error}");
        assert_eq!(place.names(), Vec::<String>::new());
    }
    let error = place.error("x/y/z", r#"{"unified":{"nosuch.max":"1"}}"#);
    let expected =
        "linux.resources.unified[nosuch.max]: this host has no cgroup v2 controller nosuch";
    assert_eq!(error, expected);
    let error = place.error("x/y/z", r#"{"cpu":{"realtimeRuntime":1000}}"#);
    assert!(
        error.starts_with("linux.resources.cpu.realtimeRuntime: cgroup v2 shares out"),
        "{error}"
    );
    let error = place.error("x/y/z", r#"{"unified":{"rdma.max":"mlx hca_handle=1"}}"#);
    assert!(error.contains("linux.resources.unified[rdma.max]: "), "{error}");
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn a_parent_with_processes_cannot_limit_its_children() {
    let Some(place) = Place::new("internal", true) else {
        return;
    };
    fs::create_dir(place.directory.join("busy")).expect("mkdir");
    let mut child = sleeper(&place.directory.join("busy"));
    for (field, json) in [
        ("linux.resources.memory.limit", r#"{"memory":{"limit":16777216}}"#),
        ("linux.resources.pids.limit", r#"{"pids":{"limit":9}}"#),
    ] {
        let error = place.error("busy/a", json);
        assert!(error.starts_with(field), "{error}");
        assert!(error.contains("that cgroup has processes of its own"), "{error}");
        assert!(!place.directory.join("busy/a").exists());
    }
    assert_eq!(
        read(&place.directory.join("busy"), "cgroup.type"),
        "domain",
        "statistics are not worth making others threaded"
    );
    let plain = place.cgroup("busy/a", "{}");
    assert_eq!(plain.processes().expect("processes"), NOBODY);
    child.kill().expect("kill");
    child.wait().expect("wait");
}

#[test]
fn below_a_threaded_cgroup_nothing_can_live() {
    let Some(place) = Place::new("threaded", true) else {
        return;
    };
    let threaded = place.directory.join("t");
    fs::create_dir(&threaded).expect("mkdir");
    fs::write(threaded.join("cgroup.type"), "threaded").expect("threaded");
    let error = place.error("t/a", "{}");
    assert!(error.starts_with("linux.cgroupsPath: "), "{error}");
    assert!(error.contains("is threaded or below a threaded cgroup"), "{error}");
    assert!(!threaded.join("a").exists());
}

#[test]
fn in_and_below_a_threaded_domain_nothing_can_live() {
    let Some(place) = Place::new("domain", true) else {
        return;
    };
    let domain = place.directory.join("d");
    let threaded = domain.join("t");
    fs::create_dir_all(&threaded).expect("mkdir");
    fs::write(threaded.join("cgroup.type"), "threaded").expect("threaded");
    assert_eq!(read(&domain, "cgroup.type"), "domain threaded");
    for below in ["d/a", "d/t", "d/t/a"] {
        let error = place.error(below, r#"{"pids":{"limit":5}}"#);
        assert!(error.contains("is threaded or below a threaded cgroup"), "{below}: {error}");
    }
    assert!(!domain.join("a").exists());
    assert_eq!(read(&domain, "cgroup.subtree_control"), "", "nothing was turned on for it");
}

/// The number of a disk in memory that is nobody else's: only in a guest.
fn disk() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("osrelease");
    let module = format!("/usr/lib/uml/modules/{}/kernel/drivers/block/brd.ko", release.trim());
    if !Path::new("/sys/block/ram0").exists() && Path::new(&module).exists() {
        let load = Command::new("busybox").args(["insmod", &module, "rd_nr=1"]).status();
        load.expect("busybox");
    }
    let number = fs::read_to_string("/sys/block/ram0/dev").ok()?;
    Some(number.trim().to_string())
}

fn write_a_mebibyte() -> &'static str {
    "dd if=/dev/zero of=/dev/ram0 bs=64k count=16 oflag=direct 2>/dev/null"
}

#[test]
fn a_disk_is_throttled() {
    let Some(place) = Place::new("io", true) else {
        return;
    };
    let Some(number) = disk() else {
        return skip("io", "no disk to try it on").unwrap_or(());
    };
    let (major, minor) = number.split_once(':').expect("a number");
    let device = |rate: u64| format!(r#"[{{"major":{major},"minor":{minor},"rate":{rate}}}]"#);
    let json = format!(
        r#"{{"devices":[{{"allow":true,"access":"rwm"}}],"blockIO":{{"throttleReadBpsDevice":{},
            "throttleWriteBpsDevice":{},"throttleReadIOPSDevice":{},"throttleWriteIOPSDevice":{}}}}}"#,
        device(7_000_000),
        device(1 << 20),
        device(0),
        device(90)
    );
    let slow = place.cgroup("slow", &json);
    let line = format!("{number} rbps=7000000 wbps=1048576 riops=max wiops=90");
    assert_eq!(read(path(&slow), "io.max"), line);
    let timed = |cgroup: &Path| {
        let begin = Instant::now();
        assert!(status(cgroup, write_a_mebibyte()).success());
        begin.elapsed()
    };
    let fast = place.cgroup("fast", r#"{"devices":[{"allow":true,"access":"rwm"}]}"#);
    assert!(timed(path(&fast)) < Duration::from_millis(500));
    assert!(timed(path(&slow)) > Duration::from_millis(700), "a mebibyte at one in a second");

    let json = r#"{"blockIO":{"throttleReadBpsDevice":[{"major":99,"minor":0,"rate":1}]}}"#;
    let error = place.error("none", json);
    let expected = "linux.resources.blockIO.throttleReadBpsDevice[0]: write \"99:0 rbps=1\" to ";
    assert!(error.starts_with(expected), "{error}");
    assert!(error.contains("(no such disk; a partition cannot be limited)"), "{error}");
}

#[test]
fn weights_that_no_scheduler_heeds_are_named() {
    let Some(place) = Place::new("weight", true) else {
        return;
    };
    let json = r#"{"blockIO":{"weight":500,"leafWeight":10,
        "weightDevice":[{"major":1,"minor":0,"weight":20}]}}"#;
    let created = place.create("a", json).expect("create");
    let cgroup = created.cgroup.expect("a cgroup");
    for (file, value) in [("io.bfq.weight", "default 500"), ("io.weight", "default 4950")] {
        if path(&cgroup).join(file).exists() {
            assert_eq!(read(path(&cgroup), file).lines().next(), Some(value), "{file}");
            return;
        }
    }
    let line = "not enforced: linux.resources.blockIO.leafWeight (cgroup v2 has no such setting); \
                linux.resources.blockIO.weight, linux.resources.blockIO.weightDevice[0].weight \
                (this kernel has no io.weight)";
    assert_eq!(created.notes, [line]);
}

/// Written where there is such a controller, and an error that says so where not.
#[test]
fn rarer_controllers_are_turned_on_or_missed() {
    let Some(place) = Place::new("rarer", true) else {
        return;
    };
    let root = place.host.layout.root().expect("root");
    let available = read(root, "cgroup.controllers");
    let cases = [
        (
            "hugetlb",
            r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#,
            "hugetlb.2MB.max",
        ),
        ("cpuset", r#"{"cpu":{"cpus":"0"}}"#, "cpuset.cpus"),
        ("cpuset", r#"{"cpu":{"mems":"0"}}"#, "cpuset.mems"),
    ];
    for (controller, json, file) in cases {
        if available.split(' ').any(|have| have == controller) {
            let cgroup = place.cgroup("a", json);
            assert!(["4194304", "0"].contains(&read(path(&cgroup), file).as_str()), "{file}");
            cgroup.remove().expect("remove");
        } else {
            let error = place.error("a", json);
            let expected = format!(": this host has no cgroup v2 controller {controller}");
            assert!(error.ends_with(&expected), "{error}");
        }
    }
    let json = r#"{"rdma":{"nosuch":{"hcaHandles":1}}}"#;
    let error = place.error("a", json);
    assert!(error.starts_with("linux.resources.rdma.nosuch: "), "{error}");
}

#[test]
fn an_idle_cgroup_and_a_burst() {
    let Some(place) = Place::new("idle", true) else {
        return;
    };
    let idle = place.cgroup("idle", r#"{"cpu":{"shares":512,"idle":1}}"#);
    assert_eq!(read(path(&idle), "cpu.idle"), "1");
    let burst =
        place.cgroup("burst", r#"{"cpu":{"quota":5000,"period":50000,"burst":5000,"idle":0}}"#);
    assert_eq!(read(path(&burst), "cpu.max"), "5000 50000");
    assert_eq!(read(path(&burst), "cpu.max.burst"), "5000");
}

#[test]
fn swap_is_what_is_left_of_both() {
    let Some(place) = Place::new("swap", true) else {
        return;
    };
    for (name, json, swap) in [
        ("both", r#"{"memory":{"limit":16777216,"swap":50331648}}"#, "33554432"),
        ("same", r#"{"memory":{"limit":16777216,"swap":16777216}}"#, "0"),
        ("unset", r#"{"memory":{"limit":16777216}}"#, "max"),
        ("none", r#"{"memory":{"limit":16777216,"swap":-1}}"#, "max"),
        ("unlimited", r#"{"memory":{"limit":-1,"swap":50331648}}"#, "50331648"),
    ] {
        let cgroup = place.cgroup(name, json);
        assert_eq!(read(path(&cgroup), "memory.swap.max"), swap, "{name}");
    }
    let error = place.error("x", r#"{"memory":{"limit":16777216,"swap":16777215}}"#);
    assert!(error.starts_with("linux.resources.memory.swap: "), "{error}");
}

#[test]
fn the_device_filter_is_changed_in_one_step() {
    let Some(place) = Place::new("redevice", false) else {
        return;
    };
    let scratch = std::env::temp_dir().join(&place.name);
    fs::create_dir(&scratch).expect("mkdir");
    let node = scratch.join("kmsg");
    let rules = |json: &str| -> Vec<oci_spec::runtime::LinuxDeviceCgroup> {
        serde_json::from_str(json).expect("rules")
    };
    let cgroup = place.cgroup("a", "{}");
    let path = path(&cgroup);
    let reads = format!("[ -e {0} ] || mknod {0} c 1 11; : < {0}", node.display());
    let writes = format!(": >> {}", node.display());
    assert!(!status(path, &reads).success());
    let kmsg = |access: &str| {
        rules(&format!(r#"[{{"allow":true,"type":"c","major":1,"minor":11,"access":"{access}"}}]"#))
    };
    cgroup.replace_devices(&kmsg("r")).expect("replace");
    assert!(status(path, &reads).success() && !status(path, &writes).success());
    cgroup.replace_devices(&kmsg("w")).expect("replace");
    assert!(!status(path, &reads).success() && status(path, &writes).success());

    // What both lists allow is allowed all the time, and what neither allows never is.
    cgroup.replace_devices(&kmsg("rw")).expect("replace");
    let script = format!(
        "i=0; while [ $i -lt 300 ]; do i=$((i+1)); : < {0} || exit 1; done",
        node.display()
    );
    let mut child = shell(path, &script).spawn().expect("sh");
    let mut rounds = 0;
    let ended = loop {
        cgroup.replace_devices(&kmsg(["r", "rw"][rounds % 2])).expect("replace");
        rounds += 1;
        if let Some(ended) = child.try_wait().expect("wait") {
            break ended;
        }
    };
    assert!(ended.success() && rounds > 2, "{ended:?} after {rounds} rounds");

    cgroup.replace_devices(&rules(r#"[{"allow":true,"access":"rwm"}]"#)).expect("replace");
    assert!(status(path, &writes).success());
    cgroup.replace_devices(&[]).expect("replace");
    assert!(!status(path, &reads).success());
    let error = cgroup.replace_devices(&rules(r#"[{"allow":true,"access":"x"}]"#));
    let error = error.expect_err("access").to_string();
    assert_eq!(error, "linux.resources.devices[0].access: must be made of r, w and m");
    fs::remove_dir_all(&scratch).expect("remove scratch");
}

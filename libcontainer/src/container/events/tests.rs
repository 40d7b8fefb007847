//! On real cgroups, `skep-events-PID-NAME`, which are taken away again. Where there is no hierarchy of
//! the kind that a test is about, it prints `SKIP` and why.

use super::*;
use crate::cgroup::{self, stats};
use crate::sys::process::pidfd_open;
use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};

const SOON: Duration = Duration::from_secs(10);
const NOT_NOW: Option<Duration> = Some(Duration::from_millis(50));

/// A cgroup for one test.
struct Place(PathBuf);

impl Place {
    fn new(hierarchy: &Path, test: &str) -> Option<Self> {
        let path = hierarchy.join(format!("skep-events-{}-{test}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                println!("SKIP {test}: cannot make {}: {error}", path.display());
                None
            }
        }
    }

    fn v2(test: &str) -> Option<Self> {
        let host = cgroup::Host::detect(None, false).unwrap();
        let root = host.layout.root();
        if root.is_none() {
            println!("SKIP {test}: no cgroup v2");
        }
        Self::new(root?, test)
    }

    fn write(&self, file: &str, text: impl ToString) {
        fs::write(self.0.join(file), text.to_string()).expect(file);
    }

    fn kill(&self) {
        let pids = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        for pidfd in pids.lines().filter_map(|pid| pidfd_open(pid.parse().ok()?).ok()) {
            let _ = crate::sys::process::pidfd_send_signal(pidfd.as_raw_fd(), libc::SIGKILL);
        }
    }

    fn open(&self) -> File {
        File::open(&self.0).unwrap()
    }
}

impl Drop for Place {
    /// Kills who is left, as after a test that failed.
    fn drop(&mut self) {
        self.kill();
        let end = Instant::now() + SOON;
        while fs::remove_dir(&self.0)
            .is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound)
            && Instant::now() < end
        {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A shell that runs `line` once it gets an end of file.
struct Shell(Child);

impl Shell {
    fn new(line: &str) -> Self {
        let line = format!("read x; {line}");
        Self(Command::new("sh").args(["-c", &line]).stdin(Stdio::piped()).spawn().unwrap())
    }

    fn pidfd(&self) -> OwnedFd {
        pidfd_open(self.0.id() as i32).unwrap()
    }

    fn go(&mut self) {
        drop(self.0.stdin.take());
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_ready(events: &Events) -> bool {
    let mut fds = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, 5000_u16).unwrap() > 0
}

#[test]
fn without_a_cgroup_the_end_is_that_of_the_first_process() {
    let mut init = Shell::new("exit 3");
    let mut events = Events::new(init.pidfd(), None, None).unwrap();
    assert_eq!(events.next(NOT_NOW).unwrap(), None);
    init.go();
    assert!(is_ready(&events));
    assert_eq!(events.next(Some(Duration::ZERO)).unwrap(), Some(Event::Ended));
    assert_eq!(events.next(None).unwrap(), Some(Event::Ended), "it stays ended");
}

/// A cgroup in which the first process has ended, and another has not; `None` where there is no v2.
fn without_its_first_process(name: &str) -> Option<(Place, Shell, Events)> {
    let place = Place::v2(name)?;
    let (mut init, other) = (Shell::new("exit"), Shell::new("exit"));
    for shell in [&init, &other] {
        place.write("cgroup.procs", shell.0.id());
    }
    let events = Events::new(init.pidfd(), Some(place.open().as_fd()), None).unwrap();
    init.go();
    init.0.wait().unwrap();
    Some((place, other, events))
}

#[test]
fn with_a_cgroup_the_end_is_that_of_the_last_process() {
    let Some((_place, mut other, mut events)) = without_its_first_process("last") else { return };
    assert_eq!(events.next(Some(RECHECK * 3)).unwrap(), None);
    other.go();
    assert!(is_ready(&events));
    assert_eq!(events.next(Some(SOON)).unwrap(), Some(Event::Ended));
}

#[test]
fn a_cgroup_that_is_removed_at_once_has_ended_too() {
    let Some((place, mut other, mut events)) = without_its_first_process("removed") else { return };
    assert_eq!(events.next(NOT_NOW).unwrap(), None);
    other.go();
    other.0.wait().unwrap();
    drop(place);
    assert_eq!(events.next(Some(SOON)).unwrap(), Some(Event::Ended));
}

#[test]
fn the_oom_killer_of_v1_is_told_of() {
    let Some(place) = Place::new(Path::new("/sys/fs/cgroup/memory"), "oom") else { return };
    if !place.0.join("memory.oom_control").exists() {
        println!("SKIP oom: no memory controller of cgroup v1");
        return;
    }
    place.write("memory.limit_in_bytes", 16 << 20);
    let _no_swap = fs::write(place.0.join("memory.memsw.limit_in_bytes"), "16777216");
    // `tail` keeps all of a line.
    let mut init = Shell::new("tail /dev/zero; sleep 100");
    place.write("cgroup.procs", init.0.id());
    let mut events = Events::new(init.pidfd(), None, Some(&place.0)).unwrap();
    assert_eq!(events.next(NOT_NOW).unwrap(), None);
    init.go();
    assert!(is_ready(&events));
    assert_eq!(events.next(Some(SOON)).unwrap(), Some(Event::Oom));
    let killed = || fs::read_to_string(place.0.join("memory.oom_control")).unwrap();
    while !killed().contains("oom_kill 1\n") {
        std::thread::sleep(Duration::from_millis(5));
    }
    while events.next(NOT_NOW).unwrap() == Some(Event::Oom) {}
    let dirs = BTreeMap::from([("memory".to_owned(), place.0.clone())]);
    let memory = stats::v1::read(&dirs).unwrap().memory.unwrap();
    assert_eq!((memory.usage.limit, memory.events.oom_kill), (Some(16 << 20), 1));
    assert_eq!(memory.usage.peak, Some(16 << 20));
    place.kill();
    assert_eq!(events.next(Some(SOON)).unwrap(), Some(Event::Ended));
}

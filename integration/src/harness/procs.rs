//! Processes below this one, found in `/proc`.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

/// A process as the leak check shows it.
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) name: String,
    parent: i32,
    zombie: bool,
    begin: u64,
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses: the fields start behind the last one.
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_string();
    let mut fields = tail.split_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    // proc_pid_stat(5), field 22.
    let begin = fields.nth(17)?.parse().ok()?;
    Some(Process { pid, name, parent, zombie, begin })
}

/// When it began, in clock ticks since the machine did: with the pid, what no other process has.
pub(crate) fn begin(pid: i32) -> Option<u64> {
    Some(read(pid)?.begin)
}

/// All living descendants of `root`, which is not one of them.
pub(crate) fn below(root: i32) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut all: HashMap<i32, Process> =
        pids.filter_map(read).map(|each| (each.pid, each)).collect();
    let parents: HashMap<i32, i32> = all.values().map(|each| (each.pid, each.parent)).collect();
    let under = |pid: i32| {
        std::iter::successors(parents.get(&pid), |pid| parents.get(pid))
            .any(|&parent| parent == root)
    };
    all.retain(|&pid, process| !process.zombie && under(pid));
    all.into_values().collect()
}

/// Kills everything below `root` until nothing is left, or for two seconds.
pub(crate) fn kill_below(root: i32) {
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        let left = below(root);
        if left.is_empty() {
            return;
        }
        for process in left {
            let _gone = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Children that somebody will wait for himself. Locked while one is started, and while those are
/// collected who are none of these.
static STARTED: Mutex<Vec<i32>> = Mutex::new(Vec::new());

fn started() -> MutexGuard<'static, Vec<i32>> {
    STARTED.lock().expect("no panic while locked")
}

/// Starts a child that the caller waits for.
pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
    let mut started = started();
    let child = command.spawn()?;
    started.push(child.id() as i32);
    Ok(child)
}

/// The child was waited for: its number may become somebody else's.
pub(crate) fn waited_for(pid: i32) {
    started().retain(|other| *other != pid);
}

/// Collects the exit statuses of adopted processes, as any init does: the init process of a pid namespace
/// does not end before all others in it are waited for.
pub(crate) fn reap_adopted() {
    let started = started();
    let peek = WaitPidFlag::WNOHANG | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while let Ok(Some(pid)) = waitid(Id::All, peek).map(|status| status.pid()) {
        if started.contains(&pid.as_raw()) {
            return reap_behind(&started);
        }
        let _status = waitpid(pid, Some(WaitPidFlag::WNOHANG));
    }
}

/// The same where the first one to be collected is somebody's own.
fn reap_behind(started: &[i32]) {
    let own = std::process::id() as i32;
    let Ok(entries) = fs::read_dir("/proc") else {
        return;
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for process in pids.filter_map(read).filter(|each| each.zombie && each.parent == own) {
        if !started.contains(&process.pid) {
            let _status = waitpid(Pid::from_raw(process.pid), Some(WaitPidFlag::WNOHANG));
        }
    }
}

/// Collects the exit statuses of all that has ended.
pub(crate) fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}

/// True while the process lives (a zombie does not).
pub(crate) fn alive(pid: i32) -> bool {
    read(pid).is_some_and(|process| !process.zombie)
}

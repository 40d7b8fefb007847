//! A process that gets hold of others in its pid namespace as soon as the kernel lets it.

use std::fs;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid};

use crate::{field, read, say};

/// So many pids are tried at a time: more than one call of a runtime uses for what comes before the program.
const AHEAD: i32 = 8;

/// So often nobody is there before the last pid is looked up, which takes time.
const PATIENCE: u32 = 1000;

/// Prints 'ready', and then a line for each process that it got hold of, until it is killed.
pub(crate) fn newcomers() -> ! {
    say("ready");
    let (mut next, mut idle) = (getpid().as_raw() + 1, 0);
    loop {
        match (next..next + AHEAD).find(|&pid| seize(Pid::from_raw(pid))) {
            Some(pid) => {
                tell(Pid::from_raw(pid));
                (next, idle) = (pid + 1, 0);
            }
            None => {
                // Somebody may wait for the processor that has to come here first.
                std::thread::yield_now();
                idle += 1;
            }
        }
        if idle == PATIENCE {
            (next, idle) = (last_pid().max(next - 1) + 1, 0);
        }
    }
}

/// Tries as long as the process is there. False when nobody is.
fn seize(pid: Pid) -> bool {
    loop {
        match ptrace::seize(pid, Options::empty()) {
            Ok(()) => return true,
            Err(Errno::ESRCH) => return false,
            Err(_not_yet) => std::thread::yield_now(),
        }
    }
}

/// The last pid of this namespace that anybody got.
fn last_pid() -> i32 {
    let last = read("/proc/loadavg").rsplit(' ').next().and_then(|word| word.parse().ok());
    last.expect("the last pid in /proc/loadavg")
}

/// Prints what filter and what label the process has, and lets it go. It still runs when its filter is looked up: without
/// one, it had none when it was seized. In a stop it would only be seen behind the call that loads it.
fn tell(pid: Pid) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let label = read(&format!("/proc/{pid}/attr/current"));
    let (filter, name) = (field(&status, "Seccomp"), field(&status, "Name"));
    say(&format!("seized {pid} filter {filter} {name} label {label}"));
    let _gone = ptrace::interrupt(pid);
    let _stopped = waitpid(pid, Some(WaitPidFlag::__WALL));
    let _gone = ptrace::detach(pid, None);
}

//! The same at each single system call of a process that is being set up, by stopping it there.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::seen::{Descriptors, depth, descriptors, has_no_more, owner, shows, status};
use super::{CAPABILITIES, NONE, sleeper, stray};
use crate::call::{Call, WITH_CHILDREN};
use crate::ctx::Ctx;
use crate::harness::procs;
use crate::result::{Doing, Res, holds};
use crate::text;

/// A process at one of its stops.
struct Stop {
    pid: i32,
    /// The program that it executes.
    program: String,
    /// How many stops it had before.
    before: usize,
    descriptors: Descriptors,
    status: String,
    owner: u32,
}

/// What the container's processes execute, and what waits for `start`.
const PROGRAM: &str = "/bin/busybox";
const TRAMPOLINE: &str = "/memfd:skep (deleted)";

/// Runs it to the end, and what it makes until that executes the last program; gives what all processes
/// that it made looked like at each of their stops.
fn stops(call: Call, last: &str) -> Res<Vec<Stop>> {
    let running = call.spawn_traced(WITH_CHILDREN | Options::PTRACE_O_TRACESYSGOOD)?;
    let runtime = Pid::from_raw(running.pid());
    ptrace::syscall(runtime, None).doing("let the runtime begin")?;
    let (mut found, mut known) = (Vec::new(), BTreeMap::<i32, usize>::new());
    let (mut ended, mut executed) = (false, false);
    while !(ended && executed) {
        let status = waitpid(None, Some(WaitPidFlag::__WALL)).doing("wait for a stop")?;
        let Some(pid) = status.pid() else { continue };
        let before = known.entry(pid.as_raw()).or_default();
        match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) if pid == runtime => {
                procs::waited_for(runtime.as_raw());
                holds!(matches!(status, WaitStatus::Exited(_, 0)), "the runtime: {status:?}");
                ended = true;
                continue;
            }
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => continue,
            _ => (),
        }
        // Where there is nothing more to see it is let go. Somebody may have killed it meanwhile.
        let mut done = false;
        if pid != runtime {
            let stop = look(pid.as_raw(), *before);
            done = stop.as_ref().is_some_and(|stop| stop.program == last);
            found.extend(stop);
            *before += 1;
        }
        executed |= done;
        let _gone = if done { ptrace::detach(pid, None) } else { ptrace::syscall(pid, None) };
    }
    Ok(found)
}

fn look(pid: i32, before: usize) -> Option<Stop> {
    let (status, descriptors) = (status(pid).ok()?, descriptors(pid).ok()?);
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?.display().to_string();
    Some(Stop { pid, program, before, descriptors, status, owner: owner(pid).ok()? })
}

/// So many stops it takes at most to close what was open in the runtime: two for each call, and that of its birth.
const CLOSING: usize = 13;

fn keeps_to_itself(ctx: &Ctx, stop: &Stop) -> Res {
    let strays = [ctx.dir.clone(), ctx.dir.join("stray")].map(|path| path.display().to_string());
    let kept = stop.descriptors.values().find(|target| strays.contains(target));
    match kept {
        Some(target) if stop.before > CLOSING => {
            Err(format!("process {} has {target} at stop {}", stop.pid, stop.before))
        }
        _ => Ok(()),
    }
}

/// Behind an execve there is nothing of ours left: one FIFO, and that only where it waits.
fn has_shed(stop: &Stop, most: usize) -> Res {
    let found = &stop.descriptors;
    let standard = [0, 1, 2].iter().all(|number| found.contains_key(number));
    holds!(standard && found.len() <= most, "in {}: {found:?}", stop.program);
    Ok(())
}

/// Whoever is in the container sees nothing of what enters it but the trampoline, and that with nothing open but
/// what the program will have, and one socket, and with no more rights than the program's.
pub(super) fn steps_of_exec(ctx: &Ctx) -> Res {
    const FIRST: u32 = 100_000;
    let mut container = sleeper(ctx)?;
    container.remove("/linux/seccomp");
    container.map_ids(FIRST, 65536);
    std::os::unix::fs::chown(container.rootfs(), Some(FIRST), Some(FIRST)).doing("chown")?;
    container.run_detached()?;
    let _stray = stray(ctx)?;
    let stops = stops(container.exec_call(&["--detach"], &["/bin/sleep", "100"]), PROGRAM)?;
    for stop in &stops {
        keeps_to_itself(ctx, stop)?;
    }
    let inside: Vec<&Stop> = stops.iter().filter(|stop| depth(&stop.status) > 1).collect();
    let id = format!("{FIRST} {FIRST} {FIRST} {FIRST}");
    for stop in &inside {
        shows(&stop.status, &[("Uid", &id), ("Gid", &id), ("CapInh", NONE), ("CapAmb", NONE)])?;
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            has_no_more(&stop.status, set, CAPABILITIES)?;
        }
    }
    let (after, before): (Vec<&Stop>, Vec<&Stop>) =
        inside.into_iter().partition(|stop| stop.program == PROGRAM);
    holds!(before.len() > 2, "too few of {} stops", stops.len());
    for stop in before {
        let (at, program) = (stop.before, &stop.program);
        holds!(stop.owner == 0, "open to the container at stop {at}");
        holds!(program == TRAMPOLINE, "it is {program} at stop {at}");
        let sessions = text::field(&stop.status, "NSsid").doing("its session")?;
        let own = nix::unistd::getsid(None).doing("our session")?.to_string();
        holds!(
            sessions.split_whitespace().next() != Some(&own),
            "it has the caller's session at stop {at}"
        );
        has_shed(stop, 4)?;
        let other = stop.descriptors.range(3..).find(|(_, target)| !target.starts_with("socket:"));
        holds!(other.is_none(), "at stop {at} it has {other:?}");
    }
    holds!(!after.is_empty(), "no program was executed");
    for stop in after {
        has_shed(stop, 3)?;
        holds!(stop.owner == FIRST, "the program itself is closed, for {}", stop.owner);
    }
    Ok(())
}

pub(super) fn steps_of_create(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    let _stray = stray(ctx)?;
    let stops = stops(container.create_call(&[])?, TRAMPOLINE)?;
    for stop in &stops {
        keeps_to_itself(ctx, stop)?;
        if stop.program == TRAMPOLINE {
            has_shed(stop, 4)?;
        }
    }
    holds!(stops.iter().any(|stop| stop.program == TRAMPOLINE), "nobody waits for start");
    Ok(())
}

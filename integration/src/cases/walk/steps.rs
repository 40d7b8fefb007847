//! The same at each single system call of a process that is being set up, by stopping it there.

use std::collections::BTreeMap;
use std::fs::read_link;

use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::seen::{Descriptors, depth, descriptors, owner, status};
use super::{sleeper, stray};
use crate::call::Call;
use crate::ctx::Ctx;
use crate::harness::procs;
use crate::result::{Doing, Res, holds};

/// A process at one of its stops.
struct Stop {
    pid: i32,
    /// How often it has executed a program in the container's pid namespace.
    programs: usize,
    /// How many stops it had before.
    before: usize,
    descriptors: Descriptors,
    /// How many pid namespaces see it.
    depth: usize,
    owner: u32,
    /// The path of what it executes.
    program: String,
}

/// Runs it to the end, and what it makes until that has executed so many programs; gives what all processes
/// that it made looked like at each of their stops.
fn stops(call: Call, last: usize) -> Res<Vec<Stop>> {
    let running = call.traced().spawn()?;
    let runtime = Pid::from_raw(running.pid());
    waitpid(runtime, Some(WaitPidFlag::__WALL)).doing("wait for the runtime")?;
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_EXITKILL
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC;
    ptrace::setoptions(runtime, options).doing("trace the runtime")?;
    ptrace::syscall(runtime, None).doing("let the runtime begin")?;
    let (mut found, mut known) = (Vec::new(), BTreeMap::<i32, (usize, usize)>::new());
    let (mut ended, mut executed) = (false, false);
    while !(ended && executed) {
        let status = waitpid(None, Some(WaitPidFlag::__WALL)).doing("wait for a stop")?;
        let Some(pid) = status.pid() else { continue };
        let (programs, before) = known.entry(pid.as_raw()).or_default();
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
        if pid != runtime {
            let executes = matches!(status, WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC));
            let mut stop = look(pid.as_raw(), *programs, *before);
            if let Some(stop) = stop.as_mut().filter(|stop| executes && stop.depth > 1) {
                *programs += 1;
                stop.programs = *programs;
            }
            found.extend(stop);
            *before += 1;
        }
        // Where there is nothing more to see it is let go. Somebody may have killed it meanwhile.
        let done = pid != runtime && *programs == last;
        executed |= done;
        let _gone = if done { ptrace::detach(pid, None) } else { ptrace::syscall(pid, None) };
    }
    Ok(found)
}

fn look(pid: i32, programs: usize, before: usize) -> Option<Stop> {
    let status = status(pid).ok()?;
    let (descriptors, owner) = (descriptors(pid).ok()?, owner(pid).ok()?);
    let program = read_link(format!("/proc/{pid}/exe")).ok()?.display().to_string();
    Some(Stop { pid, programs, before, descriptors, depth: depth(&status), owner, program })
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
    holds!(standard && found.len() <= most, "after execve {}: {found:?}", stop.programs);
    Ok(())
}

/// Whoever is in the container sees nothing of what enters it but the trampoline, and that with nothing open but
/// what the program will have, and one socket.
pub(super) fn steps_of_exec(ctx: &Ctx) -> Res {
    const FIRST: u32 = 100_000;
    let mut container = sleeper(ctx)?;
    container.map_ids(FIRST, 65536);
    std::os::unix::fs::chown(container.rootfs(), Some(FIRST), Some(FIRST)).doing("chown")?;
    container.run_detached()?;
    let _stray = stray(ctx)?;
    let stops = stops(container.exec_call(&["--detach"], &["/bin/sleep", "100"]), 1)?;
    let inside = |stop: &&Stop| stop.depth > 1;
    holds!(stops.iter().filter(inside).count() > 2, "too few of {} stops", stops.len());
    for stop in &stops {
        keeps_to_itself(ctx, stop)?;
    }
    for stop in stops.iter().filter(inside) {
        let entered = stop.programs > 0;
        has_shed(stop, if entered { 3 } else { 4 })?;
        let owner = if entered { FIRST } else { 0 };
        holds!(stop.owner == owner, "it is {}'s at stop {}", stop.owner, stop.before);
        let ours = stop.program.starts_with("/memfd:");
        holds!(ours != entered, "{} at stop {}", stop.program, stop.before);
    }
    holds!(stops.iter().any(|stop| stop.programs == 1), "no program was executed");
    Ok(())
}

pub(super) fn steps_of_create(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    let _stray = stray(ctx)?;
    let stops = stops(container.create_call(&[])?, 1)?;
    for stop in &stops {
        keeps_to_itself(ctx, stop)?;
        if stop.programs > 0 {
            has_shed(stop, 4)?;
        }
    }
    holds!(stops.iter().any(|stop| stop.programs == 1), "nobody waits for start");
    Ok(())
}

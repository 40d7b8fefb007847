//! The runtime is killed at one of its system calls, and then at another, from the first to the last: what is
//! left can always be seen and deleted.
//!
//! It dies as it enters the call, which is not made any more. `races.killed_*` do the same by the clock, which
//! also catches it inside of calls. A sample of the calls is taken; with `SKEP_SWEEP=all`, every one of them.
//!
//! The calls are counted before. It must have been killed, by us and nobody else, at each number of the sample
//! but those of the last few calls, which it may not come to: see `FEWER`.

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::json;

use super::races::recover;
use crate::call::Call;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Case, Feature, either, root};
use crate::harness::needs::Need;
use crate::harness::procs;
use crate::result::{Doing, Res, holds};

pub(crate) const FEATURE: Feature = Feature {
    name: "sweep",
    cases: &[
        sweep(either!(create)),
        sweep(either!(create_with_hooks)),
        sweep(either!(run)),
        sweep(either!(start)),
        sweep(either!(exec)),
        sweep(either!(kill_all)),
        sweep(either!(delete)),
        sweep(either!(delete_of_running)),
        sweep(root!(pause)).needs(&[Need::Quick, Need::Freezer]),
        sweep(root!(resume)).needs(&[Need::Quick, Need::Freezer]),
        sweep(root!(update)).needs(&[Need::Quick, Need::Controller("pids")]),
    ],
};

const fn sweep(case: Case) -> Case {
    case.takes(120)
        .needs(&[Need::Quick])
        .ours("the peers cannot delete what is half made, or lose it")
}

/// By so many calls a round may be shorter than the shortest of `COUNTED`: what it asks for is there already, or it
/// has to ask again. Seen were up to 3, on each side.
const FEWER: usize = 8;

/// So often the calls are counted. The first of all makes the state root as well.
const COUNTED: usize = 3;

const KILLED: i32 = 128 + Signal::SIGKILL as i32;

/// What is swept over: a command, and what has to be there for it.
struct Sweep {
    prepare: fn(&mut Container<'_>) -> Res,
    call: fn(&Container<'_>) -> Res<Call>,
}

impl Sweep {
    fn over(&self, ctx: &Ctx) -> Res {
        let counts: Vec<usize> =
            (0..COUNTED).map(|_| self.killed_at(ctx, usize::MAX)).collect::<Res<_>>()?;
        let all = counts.into_iter().min().unwrap_or(0);
        holds!(all > 20, "only {all} system calls");
        for number in (0..all).step_by(step(all)) {
            let at = |error| format!("killed at call {number} of {all}: {error}");
            let made = self.killed_at(ctx, number).map_err(at)?;
            holds!(
                made == number || number + FEWER >= all,
                "not killed at call {number} of {all}: it made {made}"
            );
        }
        Ok(())
    }

    /// The number of calls that the runtime made: that number, if it was killed there.
    fn killed_at(&self, ctx: &Ctx, number: usize) -> Res<usize> {
        let mut container = ctx.sleeper()?;
        (self.prepare)(&mut container)?;
        let mut running = (self.call)(&container)?.spawn_traced(Options::PTRACE_O_TRACESYSGOOD)?;
        let pid = Pid::from_raw(running.pid());
        let made = step_through(pid, number)?;
        if made == number {
            running.child().kill().doing("kill the runtime")?;
            running.wait()?.is(KILLED)?;
        } else {
            procs::waited_for(pid.as_raw());
        }
        recover(ctx, &container)?;
        Ok(made)
    }
}

/// About so many calls of a command are tried.
fn step(all: usize) -> usize {
    if std::env::var_os("SKEP_SWEEP").is_some() { 1 } else { all.div_ceil(30) }
}

/// Lets the program go on to the entry of its system call of this number, or to its end; gives how many calls
/// it has made.
fn step_through(pid: Pid, number: usize) -> Res<usize> {
    // Each call has a stop before it and one behind it.
    let (mut stops, wanted) = (0, number.saturating_mul(2).saturating_add(1));
    let mut signal = None;
    while stops < wanted {
        ptrace::syscall(pid, signal).doing("let the runtime go on")?;
        let status = waitpid(pid, Some(WaitPidFlag::__WALL)).doing("wait for the runtime")?;
        signal = match status {
            WaitStatus::Stopped(_, signal) => Some(signal),
            WaitStatus::Exited(_, 0) => return Ok(stops / 2),
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                return Err(format!("it ended by itself: {status:?}"));
            }
            _ => None,
        };
        stops += usize::from(matches!(status, WaitStatus::PtraceSyscall(_)));
    }
    Ok(number)
}

fn nothing(_: &mut Container<'_>) -> Res {
    Ok(())
}

fn created(container: &mut Container<'_>) -> Res {
    container.create().map(drop)
}

fn running(container: &mut Container<'_>) -> Res {
    container.run_until("ready")
}

fn paused(container: &mut Container<'_>) -> Res {
    running(container)?;
    container.command("pause", &[]).ok().map(drop)
}

fn create(ctx: &Ctx) -> Res {
    Sweep { prepare: nothing, call: |container| container.create_call(&[]) }.over(ctx)
}

fn create_with_hooks(ctx: &Ctx) -> Res {
    let prepare = |container: &mut Container<'_>| {
        for hook in ["createRuntime", "createContainer", "poststop"] {
            container.push(&format!("/hooks/{hook}"), json!({"path": "/bin/true"}));
        }
        Ok(())
    };
    Sweep { prepare, call: |container| container.create_call(&[]) }.over(ctx)
}

fn run(ctx: &Ctx) -> Res {
    Sweep { prepare: nothing, call: |container| container.run_call(&["--detach"]) }.over(ctx)
}

fn start(ctx: &Ctx) -> Res {
    Sweep { prepare: created, call: |container| Ok(container.command("start", &[])) }.over(ctx)
}

fn exec(ctx: &Ctx) -> Res {
    let call = |container: &Container<'_>| Ok(container.exec_call(&[], &["/bin/true"]));
    Sweep { prepare: running, call }.over(ctx)
}

fn kill_all(ctx: &Ctx) -> Res {
    let call = |container: &Container<'_>| {
        Ok(container.ctx.runtime().args(["kill", "--all", &container.id, "KILL"]))
    };
    Sweep { prepare: running, call }.over(ctx)
}

fn delete(ctx: &Ctx) -> Res {
    Sweep { prepare: created, call: |container| Ok(container.command("delete", &[])) }.over(ctx)
}

fn delete_of_running(ctx: &Ctx) -> Res {
    let call = |container: &Container<'_>| Ok(container.command("delete", &["--force"]));
    Sweep { prepare: running, call }.over(ctx)
}

fn pause(ctx: &Ctx) -> Res {
    Sweep { prepare: running, call: |container| Ok(container.command("pause", &[])) }.over(ctx)
}

fn resume(ctx: &Ctx) -> Res {
    Sweep { prepare: paused, call: |container| Ok(container.command("resume", &[])) }.over(ctx)
}

fn update(ctx: &Ctx) -> Res {
    let call = |container: &Container<'_>| Ok(container.command("update", &["--pids-limit", "50"]));
    Sweep { prepare: running, call }.over(ctx)
}

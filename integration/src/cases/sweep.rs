//! The runtime is killed at one of its system calls, and then at another, from the first to the last: what is
//! left can always be seen and deleted.
//!
//! It dies as it enters the call, which is not made any more. `races.killed_*` do the same by the clock, which
//! also catches it inside of calls. A sample of the calls is taken; with `SKEP_SWEEP=all`, every one of them.

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
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

/// What is swept over: a command, and what has to be there for it.
struct Sweep {
    prepare: fn(&mut Container<'_>) -> Res,
    call: fn(&Container<'_>) -> Res<Call>,
}

impl Sweep {
    fn over(&self, ctx: &Ctx) -> Res {
        let all = self.killed_at(ctx, usize::MAX)?;
        holds!(all > 20, "only {all} system calls");
        for number in (0..all).step_by(step(all)) {
            let at = |error| format!("killed at call {number} of {all}: {error}");
            self.killed_at(ctx, number).map_err(at)?;
        }
        Ok(())
    }

    /// The number of calls that the runtime made.
    fn killed_at(&self, ctx: &Ctx, number: usize) -> Res<usize> {
        let mut container = ctx.sleeper()?;
        (self.prepare)(&mut container)?;
        let running = (self.call)(&container)?.traced().spawn()?;
        let pid = Pid::from_raw(running.pid());
        let made = step_through(pid, number)?;
        if made == number {
            kill(pid, Signal::SIGKILL).doing("kill the runtime")?;
            running.wait()?;
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
    let mut status = waitpid(pid, Some(WaitPidFlag::__WALL)).doing("wait for the runtime")?;
    holds!(matches!(status, WaitStatus::Stopped(..)), "it did not begin: {status:?}");
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(pid, options).doing("trace the runtime")?;
    // Each call has a stop before it and one behind it.
    let (mut stops, wanted) = (0, number.saturating_mul(2).saturating_add(1));
    while stops < wanted {
        let signal = match status {
            WaitStatus::Stopped(_, signal) if stops > 0 => Some(signal),
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Ok(stops / 2),
            _ => None,
        };
        ptrace::syscall(pid, signal).doing("let the runtime go on")?;
        status = waitpid(pid, Some(WaitPidFlag::__WALL)).doing("wait for the runtime")?;
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

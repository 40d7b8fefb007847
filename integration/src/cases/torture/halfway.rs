//! An exec whose joiner goes no further when it has made the process and has not told of it yet: it may be
//! frozen there, or be killed. A container whose end waits for that process must not wait for ever.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::ptrace::{self, Event};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use crate::call::{Call, Out, WITH_CHILDREN};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::procs;
use crate::result::{Doing, Res, holds, same};

/// Less than a container may take to end when it is deleted by force.
const PATIENCE: Duration = Duration::from_secs(8);

/// What has stopped or ended, left to be waited for.
const PEEK: WaitPidFlag = WaitPidFlag::WEXITED
    .union(WaitPidFlag::WSTOPPED)
    .union(WaitPidFlag::WNOWAIT)
    .union(WaitPidFlag::WNOHANG)
    .union(WaitPidFlag::__WALL);

/// What somebody does while the joiner is stopped.
type Blow = fn(&Container<'_>, Pid) -> Res;

pub(super) fn container_ends_while_the_joiner_is_stopped(ctx: &Ctx) -> Res {
    let blows: [Blow; 2] = [
        |container, _| container.kill("KILL").map(drop),
        |container, _| container.kill_all("KILL").map(drop),
    ];
    for (number, blow) in blows.into_iter().enumerate() {
        let container = ctx.sleeper()?;
        container.run_until("ready")?;
        let entering = container.exec_call(&["--detach"], &["/bin/sleep", "100"]);
        let out = with_joiner_stopped(&container, entering, blow)
            .map_err(|error| format!("blow {number}: {error}"))?;
        out.failed()?.says_one_of(&["container not running"])?;
        container.force_delete()?;
        container.gone()?;
    }
    Ok(())
}

pub(super) fn joiner_that_is_killed_takes_its_process_along(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    let entering = container.exec_call(&["--detach"], &["/bin/sleep", "100"]);
    let blow: Blow = |_, joiner| kill(joiner, Signal::SIGKILL).doing("kill the joiner");
    with_joiner_stopped(&container, entering, blow)?
        .failed()?
        .says_one_of(&["killed by signal 9"])?;
    container.until("running")?;
    same!(super::processes_of(&container)?, 1);
    container.kill("KILL")?;
    container.until("stopped")?;
    container.delete()?;
    container.gone()
}

/// Runs `exec` with its joiner stopped at the end of the clone, for good, and strikes then. It must have reaped
/// the process that was made when it ends: of a program that embeds the library it would stay for ever.
fn with_joiner_stopped(container: &Container<'_>, exec: Call, blow: Blow) -> Res<Out> {
    let running = exec.spawn_traced(WITH_CHILDREN)?;
    let runtime = Pid::from_raw(running.pid());
    ptrace::cont(runtime, None).doing("let the runtime begin")?;
    let end = Instant::now() + PATIENCE;
    let mut made = None;
    while Instant::now() < end {
        let stop = match waitid(Id::All, PEEK).doing("look for a stop")? {
            WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) if pid == runtime => {
                let left = made.doing("the joiner's clone")?;
                holds!(procs::begin(left).is_none(), "it has left process {left} to others");
                return running.wait();
            }
            WaitStatus::StillAlive => {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            status => waitpid(status.pid(), Some(WaitPidFlag::__WALL)).doing("see a stop")?,
        };
        match stop {
            WaitStatus::PtraceEvent(joiner, _, event)
                if joiner != runtime && event != Event::PTRACE_EVENT_EXEC as i32 =>
            {
                made = Some(ptrace::getevent(joiner).doing("the process")? as i32);
                blow(container, joiner)?;
            }
            WaitStatus::PtraceEvent(pid, ..) | WaitStatus::Stopped(pid, Signal::SIGSTOP) => {
                let _gone = ptrace::cont(pid, None);
            }
            WaitStatus::Stopped(pid, signal) => {
                let _gone = ptrace::cont(pid, signal);
            }
            _ => (),
        }
    }
    Err(format!("exec has not ended; it has made {made:?}"))
}

//! Calls that are handed to an agent: what it answers, and what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{HARMLESS, all_but, probe, returned};
use crate::agent::{Agent, Answer, Asked};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root, user};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(super) const RUNC_AS_USER: &str = "runc cannot fetch the filter of an ordinary user's exec";

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.notify",
    cases: &[
        either!(answers_in_run),
        either!(answers_in_created),
        either!(answers_in_exec).only_crun(RUNC_AS_USER),
        either!(state_of_create),
        root!(state_of_exec).only_runc("crun gives pid 0"),
        user!(state_of_a_users_exec).ours("crun gives pid 0, runc cannot fetch the filter"),
        either!(metadata_unset),
        either!(connections_are_closed).only_runc("crun keeps it until it ends itself"),
        either!(each_process_has_its_own_connection).only_crun(RUNC_AS_USER),
        either!(without_no_new_privileges),
        either!(with_flag_tsync)
            .only_runc("crun gives the kernel flags that it takes only with a third"),
        either!(with_flag_wait_killable)
            .needs(&[Need::WaitKillable])
            .only_crun("runc does not know the flag"),
    ],
};

pub(super) fn notify(names: &[&str]) -> Value {
    all_but([json!({"names": names, "action": "SCMP_ACT_NOTIFY"})])
}

/// A container whose calls of these names go to the agent.
pub(super) fn of<'a>(ctx: &'a Ctx, agent: &Agent, names: &[&str]) -> Res<Container<'a>> {
    let mut container = ctx.container()?;
    container.set("/linux/seccomp", notify(names));
    container.set("/linux/seccomp/listenerPath", shown(&agent.path));
    Ok(container)
}

pub(super) const NAMES: &[&str] = &[HARMLESS, "mkdirat", "sched_yield"];

/// A value, a success without anything done, and what the kernel says.
pub(super) fn answers(asked: &Asked<'_>) -> Answer {
    match asked.number() {
        libc::SYS_munlockall => Answer::Value(4711),
        libc::SYS_mkdirat => Answer::Value(0),
        _ => Answer::Continue,
    }
}

const CALLS: &str =
    "munlockall , mkdirat -100 /straw 0x1ed , mkdirat -100 /straw 0x1ed , sched_yield";

const WANTED: &[(&str, &str)] = &[
    ("munlockall", "4711"),
    ("mkdirat", "0"),
    ("mkdirat again, as nothing was made", "0"),
    ("sched_yield", "0"),
];

fn answers_in_run(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    container.args(&probe("syscall", CALLS));
    returned(&container.run()?.is(0)?, WANTED)?;
    holds!(!container.inside("/straw").exists(), "the directory was made");
    // And an error.
    let agent = Agent::new(ctx, |_| Answer::Errno(77))?;
    let mut container = of(ctx, &agent, &[HARMLESS])?;
    container.args(&probe("syscall", "munlockall"));
    container.run()?.is(0)?.prints(super::MARKED)?;
    Ok(())
}

fn answers_in_created(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    container.args(&probe("syscall", CALLS));
    container.create()?;
    container.start()?;
    container.until("stopped")?;
    let out = container.output();
    same!(out, "4711\n0\n0\n0\n");
    Ok(())
}

fn answers_in_exec(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    super::run_sleeping(&mut container)?;
    returned(&container.exec(&[], &probe("syscall", CALLS))?.is(0)?, WANTED)
}

/// What config-linux.md calls the container process state.
fn is_state_of(state: &Value, container: &Container<'_>, status: &str, pid: i32) -> Res {
    same!(state["fds"], json!(["seccompFd"]));
    same!(state["pid"], pid);
    holds!(state["ociVersion"].is_string(), "no ociVersion in {state}");
    let inner = &state["state"];
    holds!(inner["ociVersion"].is_string(), "no ociVersion in {inner}");
    same!(inner["id"], container.id);
    same!(inner["bundle"], shown(&container.bundle));
    same!(inner["status"], status);
    same!(inner["annotations"]["com.example.key"], "some value");
    Ok(())
}

fn state_of_create(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    container.set("/linux/seccomp/listenerMetadata", "MKNOD=/dev/null,\"quoted\"");
    container.set("/annotations/com.example.key", "some value");
    container.args(&["/bin/probe", "until-term"]);
    container.create()?;
    container.start()?;
    container.until_output("ready")?;
    let states = agent.states(ctx, 1)?;
    let pid = container.pid()?;
    is_state_of(&states[0], &container, "creating", pid)?;
    same!(states[0]["state"]["pid"], pid);
    same!(states[0]["metadata"], "MKNOD=/dev/null,\"quoted\"");
    Ok(())
}

/// `pid` is that of the process, `state` that of its container.
fn state_of_exec(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    container.set("/annotations/com.example.key", "some value");
    super::run_sleeping(&mut container)?;
    let file = ctx.dir.join("exec.pid");
    let flags = ["--detach", "--pid-file", &shown(&file)];
    container.exec(&flags, &["/bin/probe", "until-term"])?.is(0)?;
    let pid = std::fs::read_to_string(&file).doing("pid file")?.parse().doing("pid")?;
    let states = agent.states(ctx, 2)?;
    is_state_of(&states[1], &container, "running", pid)?;
    same!(states[1]["state"]["pid"], container.pid()?);
    agent.closed()
}

fn state_of_a_users_exec(ctx: &Ctx) -> Res {
    state_of_exec(ctx)
}

fn metadata_unset(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let container = of(ctx, &agent, NAMES)?;
    container.run()?.is(0)?;
    let metadata = &agent.states(ctx, 1)?[0]["metadata"];
    holds!(metadata.is_null() || metadata == "", "metadata is {metadata}");
    Ok(())
}

/// "exactly one container process state per connection", and closed although the runtime lives on.
fn connections_are_closed(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    container.args(&["/bin/probe", "until-term"]);
    let run = container.run_call(&[])?.spawn()?;
    container.until_output("ready")?;
    agent.states(ctx, 1)?;
    agent.closed()?;
    container.kill("KILL")?;
    run.wait()?.is(137)?;
    Ok(())
}

fn each_process_has_its_own_connection(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    super::run_sleeping(&mut container)?;
    let calls: Vec<_> = (0..3)
        .map(|_| container.exec_call(&[], &probe("syscall", CALLS)).spawn())
        .collect::<Res<_>>()?;
    for call in calls {
        returned(&call.wait()?.is(0)?, WANTED)?;
    }
    agent.states(ctx, 4)?;
    Ok(())
}

fn without_no_new_privileges(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    container.set("/process/noNewPrivileges", false);
    container.args(&probe("syscall", CALLS));
    returned(&container.run()?.is(0)?, WANTED)
}

fn with_flag_tsync(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    container.set("/linux/seccomp/flags", json!(["SECCOMP_FILTER_FLAG_TSYNC"]));
    container.args(&probe("syscall", CALLS));
    returned(&container.run()?.is(0)?, WANTED)
}

/// A signal that is caught interrupts a call that waits, unless the flag is set and the agent has it.
fn with_flag_wait_killable(ctx: &Ctx) -> Res {
    let flag = json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]);
    same!(waits_after_a_signal(ctx, &json!([]))?, false);
    same!(waits_after_a_signal(ctx, &flag)?, true);
    Ok(())
}

fn waits_after_a_signal(ctx: &Ctx, flags: &Value) -> Res<bool> {
    let waits = Arc::new(AtomicBool::new(false));
    let seen = waits.clone();
    let agent = Agent::new(ctx, move |asked| {
        let _sent = kill(Pid::from_raw(asked.pid()), Signal::SIGSYS);
        let mut tries = (0..20).map(|_| std::thread::sleep(Duration::from_millis(5)));
        while asked.still_waits() && tries.next().is_some() {}
        seen.store(asked.still_waits(), Ordering::Relaxed);
        Answer::Value(0)
    })?;
    let mut container = of(ctx, &agent, &[HARMLESS])?;
    container.set("/linux/seccomp/flags", flags.clone());
    // The probe's way that catches SIGSYS.
    container.args(&probe("trapped", "munlockall"));
    container.run()?.is(0)?;
    Ok(waits.load(Ordering::Relaxed))
}

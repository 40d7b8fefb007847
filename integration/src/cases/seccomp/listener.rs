//! The way of a filter to its agent over `listenerPath`, and what comes of it when that is not to be had.

use std::os::unix::net::UnixListener;

use serde_json::json;

use super::notify::{NAMES, RUNC_AS_USER, answers, notify, of};
use super::{HARMLESS, all_but, probe};
use crate::agent::{Agent, Answer};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Doing, Res, holds};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.listener",
    cases: &[
        either!(nobody_listens),
        either!(path_leads_nowhere),
        either!(agent_closes_at_once),
        either!(agent_goes_away),
        either!(agent_dies_before_the_program),
        either!(agent_that_never_answers_is_no_hold),
        either!(of_write).only_crun("runc refuses it"),
        either!(of_sendmsg).only_crun(RUNC_AS_USER),
        either!(of_all_that_a_runtime_may_call).only_crun("runc refuses write"),
        either!(path_without_notify_is_not_used).only_runc("crun connects to it"),
    ],
};

/// Nothing of the container may run or stay.
fn refused(container: &Container<'_>, texts: &[&str]) -> Res {
    container.run()?.refused(texts)?.prints("")?;
    container.gone()?;
    container.create_call(&[])?.done()?.refused(texts)?;
    container.gone()
}

fn nobody_listens(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    container.args(&["/bin/echo", "payload"]);
    let path = shown(&agent.path);
    drop(agent);
    refused(&container, &[&path])
}

fn path_leads_nowhere(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "payload"])?;
    container.set("/linux/seccomp", notify(NAMES));
    let file = shown(ctx.make_file("file", "")?);
    let long = format!("/{}", "straw".repeat(30));
    for path in ["/no/such/socket", &file, &long] {
        container.set("/linux/seccomp/listenerPath", path);
        refused(&container, &["listenerPath", path])?;
    }
    Ok(())
}

/// The state is sent or not: either the container fails, or its calls find nobody who answers.
fn agent_closes_at_once(ctx: &Ctx) -> Res {
    let path = ctx.dir.join("s");
    let listener = UnixListener::bind(&path).doing("bind")?;
    let closing = std::thread::spawn(move || drop(listener.accept()));
    let mut container = ctx.container()?;
    container.set("/linux/seccomp", notify(&[HARMLESS]));
    container.set("/linux/seccomp/listenerPath", shown(&path));
    container.args(&probe("syscall", "munlockall"));
    container.run()?.ran_or_failed("ENOSYS")?;
    let _accepted = closing.join();
    container.gone()
}

fn agent_goes_away(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, answers)?;
    let mut container = of(ctx, &agent, NAMES)?;
    container.sh("/bin/probe syscall munlockall; read line; /bin/probe syscall munlockall");
    let mut run = container.run_call(&[])?.stdin(std::process::Stdio::piped()).spawn()?;
    ctx.eventually("the first answer", || run.out_now().contains("4711").then_some(()))?;
    drop(agent);
    let stdin = run.child().stdin.take();
    std::io::Write::write_all(&mut stdin.doing("stdin")?, b"\n").doing("write")?;
    run.wait()?.is(0)?.prints("4711\nENOSYS")?;
    Ok(())
}

/// The program's own execve waits for an agent that there is no more: it fails, and nobody waits.
fn agent_dies_before_the_program(ctx: &Ctx) -> Res {
    let path = ctx.dir.join("s");
    let listener = UnixListener::bind(&path).doing("bind")?;
    let closing = std::thread::spawn(move || drop(listener.accept()));
    let mut container = ctx.container_of(&["/bin/echo", "payload"])?;
    container.set("/linux/seccomp", notify(&["execve"]));
    container.set("/linux/seccomp/listenerPath", shown(&path));
    container.run()?.refused(&[])?.prints("")?;
    let _accepted = closing.join();
    container.gone()
}

/// Nothing that waits for an agent keeps a container from being deleted.
fn agent_that_never_answers_is_no_hold(ctx: &Ctx) -> Res {
    let path = ctx.dir.join("s");
    let _silent = UnixListener::bind(&path).doing("bind")?;
    let mut container = ctx.container_of(&["/bin/echo", "payload"])?;
    container.set("/linux/seccomp", notify(&["execve"]));
    container.set("/linux/seccomp/listenerPath", shown(&path));
    container.create()?;
    let start = ctx.runtime().arg("start").arg(&container.id).spawn()?;
    std::thread::sleep(std::time::Duration::from_millis(200));
    container.force_delete()?;
    start.wait()?;
    container.gone()
}

/// The call with which the filter itself might be sent: the container runs, or the profile is refused and
/// it is said why.
fn of_call(ctx: &Ctx, name: &'static str) -> Res {
    let agent = Agent::new(ctx, |_| Answer::Continue)?;
    let mut container = of(ctx, &agent, &[name])?;
    container.args(&["/bin/echo", "payload"]);
    let out = container.run()?;
    if out.code != 0 {
        out.refused(&[name])?;
        return container.gone();
    }
    out.prints("payload")?;
    super::run_sleeping(&mut container)?;
    container.exec(&[], &["/bin/echo", "payload"])?.is(0)?.prints("payload")?;
    agent.states(ctx, 3)?;
    Ok(())
}

fn of_write(ctx: &Ctx) -> Res {
    of_call(ctx, "write")
}

fn of_sendmsg(ctx: &Ctx) -> Res {
    of_call(ctx, "sendmsg")
}

/// Nothing may wait for the agent before the agent has the filter; sendmsg is a case of its own.
fn of_all_that_a_runtime_may_call(ctx: &Ctx) -> Res {
    let agent = Agent::new(ctx, |_| Answer::Continue)?;
    let names = [
        "capset",
        "chdir",
        "clone",
        "clone3",
        "close",
        "close_range",
        "connect",
        "dup",
        "dup2",
        "dup3",
        "execve",
        "execveat",
        "exit",
        "exit_group",
        "fchdir",
        "fcntl",
        "futex",
        "getpid",
        "kill",
        "mmap",
        "munmap",
        "open",
        "openat",
        "openat2",
        "pidfd_getfd",
        "pidfd_open",
        "poll",
        "prctl",
        "read",
        "readv",
        "recvfrom",
        "recvmsg",
        "rt_sigprocmask",
        "seccomp",
        "sendto",
        "setgid",
        "setgroups",
        "setresgid",
        "setresuid",
        "setuid",
        "socket",
        "umask",
        "unshare",
        "write",
        "writev",
    ];
    let mut container = of(ctx, &agent, &names)?;
    container.args(&["/bin/echo", "payload"]);
    container.run()?.is(0)?.prints("payload")?;
    container.create()?;
    container.start()?;
    container.until("stopped")?;
    holds!(container.output() == "payload\n", "it prints {}", container.output());
    container.delete()?;
    super::run_sleeping(&mut container)?;
    container.exec(&[], &["/bin/echo", "payload"])?.is(0)?.prints("payload")?;
    Ok(())
}

/// The specification: "If the SCMP_ACT_NOTIFY action is not used this value is ignored."
fn path_without_notify_is_not_used(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "payload"])?;
    container.set("/linux/seccomp", all_but(json!([])));
    container.set("/linux/seccomp/listenerPath", "/no/such/socket");
    container.run()?.is(0)?.prints("payload")?;
    Ok(())
}

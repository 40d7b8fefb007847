//! A walk through `/proc` of the host: what processes of a container have open, and who they are, at each
//! point of their lives. `process.*` asks the processes themselves; here it is seen from outside, also of those
//! that cannot be asked, since they are not yet what they are to be.

mod seen;
mod steps;

use std::fs::File;
use std::os::fd::OwnedFd;

use serde_json::json;

use crate::call::{Call, inherit};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use seen::{Line, descriptors, has_only, ignores_nothing, says, status};
use steps::{steps_of_create, steps_of_exec};

pub(crate) const FEATURE: Feature = Feature {
    name: "walk",
    cases: &[
        either!(init),
        either!(init_of_another_user),
        either!(exec).ours(EXEC_OF_PEERS),
        either!(exec_of_another_user).ours(EXEC_OF_PEERS),
        either!(created).ours("runc and crun wait in themselves, with sockets and pipes open"),
        either!(while_hooks_run).ours("the peers hold descriptors of theirs there"),
        root!(steps_of_exec)
            .needs(&[Need::Quick, Need::Ptrace])
            .ours("it is about our own processes' steps"),
        root!(steps_of_create)
            .needs(&[Need::Quick, Need::Ptrace])
            .ours("it is about our own processes' steps"),
    ],
};

const EXEC_OF_PEERS: &str =
    "crun leaves out noNewPrivileges, runc at times what its caller ignores";

/// Of the default config's process: CAP_AUDIT_WRITE, CAP_KILL, CAP_NET_BIND_SERVICE.
const CAPABILITIES: &str = "0000000020000420";
const NONE: &str = "0000000000000000";

/// What is so of every process that has not done anything yet.
const PRISTINE: &[Line<'_>] = &[
    ("TracerPid", "0"),
    ("Umask", "0022"),
    ("Threads", "1"),
    ("SigPnd", NONE),
    ("ShdPnd", NONE),
    ("SigBlk", NONE),
    ("CapInh", NONE),
    ("CapAmb", NONE),
    ("CapBnd", CAPABILITIES),
    ("NoNewPrivs", "1"),
    ("CoreDumping", "0"),
];

/// A directory and a file that the runtime finds open, and has to keep to itself.
fn stray(ctx: &Ctx) -> Res<[OwnedFd; 2]> {
    let open = |path| File::open(path).map(OwnedFd::from).doing("open a stray file");
    let stray = [open(ctx.dir.clone())?, open(ctx.make_file("stray", "secret")?)?];
    stray.iter().try_for_each(inherit)?;
    Ok(stray)
}

/// The call as from somebody who ignores signals, as under nohup(1) or in a Rust program.
fn deaf(call: Call) -> Call {
    call.through(&["/bin/sh", "-c", "trap '' HUP INT PIPE USR1 CHLD; exec \"$@\"", "sh"])
}

/// A container with a filter, whose process sleeps as it was begun.
fn sleeper(ctx: &Ctx) -> Res<Container<'_>> {
    let mut container = ctx.container_of(&["/bin/sleep", "100"])?;
    container.set(
        "/linux/seccomp",
        json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["keyctl"], "action": "SCMP_ACT_ERRNO"}]}),
    );
    Ok(container)
}

/// That a process of the root of the container is as it should be.
fn is_root(ctx: &Ctx, pid: i32) -> Res {
    says(pid, PRISTINE)?;
    ignores_nothing(pid)?;
    let (uid, gid) = crate::ctx::own_ids();
    let id = |id: u32| format!("{id} {id} {id} {id}");
    let (uid, gid) = if ctx.is_root() { (id(0), id(0)) } else { (id(uid), id(gid)) };
    says(pid, &[("Uid", &uid), ("Gid", &gid), ("CapPrm", CAPABILITIES), ("CapEff", CAPABILITIES)])?;
    says(pid, &[("Seccomp", "2"), ("Seccomp_filters", "1")])
}

/// The same of an ordinary user of the container.
fn is_alice(pid: i32) -> Res {
    says(pid, PRISTINE)?;
    ignores_nothing(pid)?;
    says(pid, &[("Uid", "1000 1000 1000 1000"), ("Gid", "1000 1000 1000 1000"), ("Groups", "50")])?;
    says(pid, &[("CapPrm", NONE), ("CapEff", NONE), ("Seccomp", "2"), ("Seccomp_filters", "1")])
}

fn init(ctx: &Ctx) -> Res {
    let _stray = stray(ctx)?;
    let container = sleeper(ctx)?;
    deaf(container.run_call(&["--detach"])?).ok()?;
    let pid = container.pid()?;
    until_executed(ctx, pid)?;
    has_only(pid, &[0, 1, 2])?;
    is_root(ctx, pid)?;
    has_only_root(ctx, pid)
}

/// It sees nothing but its own tree.
fn has_only_root(ctx: &Ctx, pid: i32) -> Res {
    if ctx.is_root() {
        for link in ["root", "cwd"] {
            let seen = std::fs::read_link(format!("/proc/{pid}/{link}")).doing(link)?;
            same!(seen, std::path::Path::new("/"));
        }
    }
    Ok(())
}

/// Its program may not have begun when the runtime is done.
fn until_executed(ctx: &Ctx, pid: i32) -> Res {
    let is_it = || {
        let name = status(pid).ok()?;
        (crate::text::field(&name, "Name") == Some("sleep")).then_some(())
    };
    ctx.eventually("its program runs", is_it)
}

fn alice(ctx: &Ctx) -> Res<Option<Container<'_>>> {
    // An ordinary user has one id alone here.
    if !ctx.is_root() {
        return Ok(None);
    }
    let mut container = sleeper(ctx)?;
    container.user(1000, 1000).set("/process/user/additionalGids", json!([50]));
    Ok(Some(container))
}

fn init_of_another_user(ctx: &Ctx) -> Res {
    let Some(container) = alice(ctx)? else { return Ok(()) };
    container.run_detached()?;
    let pid = container.pid()?;
    until_executed(ctx, pid)?;
    has_only(pid, &[0, 1, 2])?;
    is_alice(pid)
}

/// The host's pid of a process that was begun with these flags.
fn executed(ctx: &Ctx, container: &Container<'_>) -> Res<i32> {
    let file = ctx.dir.join("exec.pid");
    let path = crate::text::shown(&file);
    let call = container.exec_call(&["--detach", "--pid-file", &path], &["/bin/sleep", "100"]);
    deaf(call).ok()?;
    let pid = std::fs::read_to_string(file).doing("pid file")?.trim().parse().doing("pid")?;
    until_executed(ctx, pid)?;
    Ok(pid)
}

fn exec(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    container.run_detached()?;
    let _stray = stray(ctx)?;
    let pid = executed(ctx, &container)?;
    has_only(pid, &[0, 1, 2])?;
    is_root(ctx, pid)?;
    has_only_root(ctx, pid)
}

fn exec_of_another_user(ctx: &Ctx) -> Res {
    let Some(container) = alice(ctx)? else { return Ok(()) };
    container.run_detached()?;
    let pid = executed(ctx, &container)?;
    has_only(pid, &[0, 1, 2])?;
    is_alice(pid)
}

/// It waits under its filter and with its own credentials, holding its FIFO. The program that waits has been
/// executed, so its file need not be open.
fn created(ctx: &Ctx) -> Res {
    let _stray = stray(ctx)?;
    let container = sleeper(ctx)?;
    deaf(container.create_call(&[])?).ok()?;
    let pid = container.pid()?;
    let waits = || {
        let found = descriptors(pid).ok()?;
        (found.len() == 4).then_some(found)
    };
    let found = ctx.eventually("it waits with four descriptors", waits)?;
    let fifo = ctx.state_root().join(&container.id).join("start.fifo");
    let fifo = fifo.display().to_string();
    let others: Vec<&String> = found.values().filter(|target| **target == fifo).collect();
    holds!(others.len() == 1, "descriptors {found:?}");
    let numbers: Vec<i32> = found.keys().copied().collect();
    has_only(pid, &numbers)?;
    same!(&numbers[..3], &[0, 1, 2]);
    is_root(ctx, pid)?;
    container.start()?;
    until_executed(ctx, pid)?;
    has_only(pid, &[0, 1, 2])
}

/// Nothing that the runtime was given and did not ask for comes to the process, however early one looks.
fn while_hooks_run(ctx: &Ctx) -> Res {
    let stray = stray(ctx)?;
    let mut container = sleeper(ctx)?;
    let line = "cat >state; : >waits; while ! [ -e go ]; do sleep 0.01; done";
    let line = format!("cd {} && {line}", ctx.make_dir("hook")?.display());
    let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", line], "env": ["PATH=/bin"]});
    container.push("/hooks/createRuntime", hook);
    let creating = container.create_call(&[])?.spawn()?;
    let dir = ctx.dir.join("hook");
    ctx.eventually("the hook runs", || dir.join("waits").exists().then_some(()))?;
    let text = std::fs::read_to_string(dir.join("state")).doing("the hook's state")?;
    let state: serde_json::Value = serde_json::from_str(&text).doing("the hook's state")?;
    let pid = state["pid"].as_i64().doing("the state's pid")? as i32;
    let found = descriptors(pid);
    std::fs::write(dir.join("go"), "").doing("let the hook go on")?;
    creating.wait()?.is(0)?;
    let own: Vec<String> = [ctx.dir.clone(), ctx.dir.join("stray")]
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    for (number, target) in found? {
        holds!(!own.contains(&target), "descriptor {number} is {target}, which is the caller's");
    }
    drop(stray);
    Ok(())
}

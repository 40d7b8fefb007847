//! `exec`: another process in a container.

use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "exec",
    cases: &[
        root!(exit_codes_and_output),
        root!(missing_and_not_executable)
            .needs(&[Need::Docker(23)])
            .only_runc("crun says it in words that Docker does not know"),
        root!(joins_the_container),
        root!(environment_user_and_directory),
        root!(stdin_is_passed_on),
        root!(detached),
        root!(privileged),
        root!(many_at_the_same_time),
        root!(of_stopped_refused),
    ],
};

fn exit_codes_and_output(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    for code in [0, 3, 255] {
        let line = format!("echo out; echo err >&2; exit {code}");
        let out = container.exec(&[], &["sh", "-c", &line])?.is(code)?;
        same!((out.out.as_str(), out.err.as_str()), ("out\n", "err\n"));
    }
    container.exec(&[], &["/bin/probe", "signal", "9"])?.is(137).map(drop)
}

fn missing_and_not_executable(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    container.exec(&[], &["no-such-program"])?.is(127)?;
    container.exec(&[], &["/no/such/program"])?.is(127)?;
    container.exec(&[], &["/etc/passwd"])?.is(126).map(drop)
}

/// The same namespaces, cgroup, capabilities and filter as the first process has.
fn joins_the_container(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&["--cap-drop", "ALL", "--cap-add", "CHOWN"])?;
    let own = "readlink /proc/$1/ns/*; cat /proc/$1/cgroup; grep -E '^(Cap|Seccomp:|NoNew)' /proc/$1/status";
    let of = |pid: &str| container.exec(&[], &["sh", "-c", own, "sh", pid]);
    let (first, other) = (of("1")?.is(0)?.out, of("self")?.is(0)?.out);
    same!(first, other);
    holds!(first.contains("CapEff:\t0000000000000001"), "not only CAP_CHOWN: {first}");
    Ok(())
}

fn environment_user_and_directory(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&["--env", "KEPT=1"])?;
    let flags = ["--env", "ADDED=2", "--user", "alice", "--workdir", "/tmp"];
    let line = "echo $KEPT $ADDED $HOME $(id -u):$(id -g) $(pwd)";
    let out = container.exec(&flags, &["sh", "-c", line])?.is(0)?;
    out.prints("1 2 /home/alice 1000:1000 /tmp").map(drop)
}

fn stdin_is_passed_on(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    let text = "straw\n".repeat(10_000);
    let out =
        container.exec_call(&["--interactive"], &["/bin/probe", "echo"]).input(&text)?.ok()?;
    holds!(out.out == text, "{} of {} bytes came back", out.out.len(), text.len());
    Ok(())
}

fn detached(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    container.exec(&["--detach"], &["sh", "-c", "echo done >/tmp/done"])?.is(0)?;
    let done = || container.exec(&[], &["cat", "/tmp/done"]).ok().filter(|out| out.out == "done\n");
    ctx.eventually("it wrote its file", done).map(drop)
}

/// Of the capabilities; the container's filter stays.
fn privileged(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&["--security-opt", "seccomp=unconfined"])?;
    let line = "mkdir -p /tmp/a && mount -t tmpfs tmpfs /tmp/a";
    container.exec(&[], &["sh", "-c", line])?.failed()?;
    container.exec(&["--privileged"], &["sh", "-c", line])?.is(0).map(drop)
}

fn many_at_the_same_time(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    let start = |number: i32| {
        let line = format!("echo {number}; exit {number}");
        container.exec_call(&[], &["sh", "-c", &line]).spawn()
    };
    let running = (1..=8).map(start).collect::<Res<Vec<_>>>()?;
    for (call, number) in running.into_iter().zip(1..) {
        call.wait()?.is(number)?.prints(&number.to_string())?;
    }
    Ok(())
}

fn of_stopped_refused(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    container.call(&["kill"]).ok()?;
    container.wait()?;
    let out = container.exec(&[], &["true"])?.failed()?;
    out.says_one_of(&["is not running", "container state improper"]).map(drop)
}

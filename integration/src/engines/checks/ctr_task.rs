//! `ctr task`: what is done with a container that runs.

use std::fs;

use crate::call::Call;
use crate::ctx::Ctx;
use crate::engines::containerd::IMAGE;
use crate::engines::ctr::Ctr;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::harness::procs;
use crate::pty::Terminal;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "ctr_task",
    cases: &[
        root!(created_then_started).needs(&[Need::Containerd(2)]),
        root!(exec_exit_codes_and_output),
        root!(exec_joins_the_container),
        root!(exec_user_and_directory),
        root!(exec_stdin),
        root!(exec_terminal),
        root!(exec_detached),
        root!(exec_errors).only_runc(super::OTHER_WORDS),
        root!(kill_signals),
        root!(kill_an_exec),
        root!(kill_all),
        root!(pause_and_resume).needs(&[Need::Freezer]),
        root!(ps),
        root!(attach),
        root!(delete_force),
        root!(of_stopped_refused),
    ],
};

fn created_then_started(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let task = ctr.named(&ctx.id());
    ctr.call(&["container", "create", IMAGE, &task.name])
        .args(["sh", "-c", "echo out; exit 4"])
        .ok()?;
    // Twice: the container outlives its task.
    for _ in 0..2 {
        task.call(&["start"]).done()?.is(4)?.prints("out")?;
        holds!(task.listed().is_err(), "the task is still there");
    }
    ctr.call(&["container", "rm", &task.name]).ok().map(drop)
}

fn exec_exit_codes_and_output(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&[])?;
    for code in [0, 3, 255] {
        let line = format!("echo out; echo err >&2; exit {code}");
        super::has_both(code, || task.exec(&[], &["sh", "-c", &line]))?;
    }
    task.exec(&[], &["/bin/probe", "signal", "9"])?.is(137).map(drop)
}

/// The same namespaces, cgroup, capabilities and filter as the first process has.
fn exec_joins_the_container(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&["--seccomp", "--cap-drop", "CAP_CHOWN"])?;
    let own = "readlink /proc/$1/ns/*; cat /proc/$1/cgroup; grep -E '^(Cap|Seccomp:|NoNew)' /proc/$1/status";
    let of = |pid: &str| task.exec(&[], &["sh", "-c", own, "sh", pid]);
    let (first, other) = (of("1")?.is(0)?.out, of("self")?.is(0)?.out);
    same!(first, other);
    Ok(())
}

fn exec_user_and_directory(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&["--env", "KEPT=1"])?;
    let flags = ["--user", "1000:1000", "--cwd", "/tmp"];
    let out = task.exec(&flags, &["sh", "-c", "echo $KEPT $(id -u):$(id -g) $(pwd)"])?;
    out.is(0)?.prints("1 1000:1000 /tmp").map(drop)
}

fn exec_stdin(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&[])?;
    let text = "straw\n".repeat(10_000);
    let out = task.exec_call(&[], &["/bin/probe", "echo"]).input(&text)?.ok()?;
    holds!(out.out == text, "{} of {} bytes came back", out.out.len(), text.len());
    Ok(())
}

fn talks(call: Call) -> Res {
    let mut terminal = Terminal::open(31, 97)?;
    let running = call.on_terminal(terminal.slave()?)?.spawn()?;
    terminal.let_go();
    let begin = terminal.until("ready")?;
    holds!(begin.contains("/dev/pts/"), "no tty in {begin:?}");
    terminal.types("typed\n")?;
    terminal.until("<typed>")?;
    terminal.until("31 97")?;
    running.wait()?.is(5).map(drop)
}

fn exec_terminal(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&[])?;
    talks(task.exec_call(&["--tty"], super::TALK))
}

fn exec_detached(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&[])?;
    let line = "echo done >/tmp/done; exec sleep 1000";
    task.exec(&["--detach"], &["sh", "-c", line])?.is(0)?;
    let done = || task.exec(&[], &["cat", "/tmp/done"]).ok().filter(|out| out.out == "done\n");
    ctx.eventually("it wrote its file", done).map(drop)
}

fn exec_errors(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&[])?;
    let out = task.exec(&[], &["no-such-program"])?.failed()?;
    out.says_one_of(&["executable file not found in $PATH"])?;
    let out = task.exec(&[], &["/etc/passwd"])?.failed()?;
    out.says_one_of(&["permission denied"]).map(drop)
}

fn kill_signals(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let task = ctr.detached(&[], &["/bin/probe", "catch"])?;
    task.until_log("ready")?;
    for signal in ["SIGUSR1", "SIGHUP"] {
        task.call(&["kill", "--signal", signal]).ok()?;
        task.until_log(signal)?;
    }
    task.call(&["kill", "--signal", "SIGTERM"]).ok()?;
    task.until_is("STOPPED")
}

fn kill_an_exec(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&[])?;
    let running = task.call_exec("other", &[]).args(["/bin/probe", "until-term"]).spawn()?;
    ctx.eventually("it is ready", || running.out_now().contains("ready").then_some(()))?;
    task.call(&["kill", "--exec-id", "other"]).ok()?;
    running.wait()?.is(42)?;
    same!(task.listed()?.1, "RUNNING");
    Ok(())
}

/// Nothing of it outlives the first process, also where the pid namespace does.
fn kill_all(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let other = ctr.sleeper(&[])?;
    let flag = format!("pid:/proc/{}/ns/pid", other.pid()?);
    let line = "sleep 1000 & exec /bin/probe until-term";
    let task = ctr.detached(&["--with-ns", &flag], &["sh", "-c", line])?;
    task.until_log("ready")?;
    let place = crate::cgroups::places(task.pid()?)?;
    let place = place.first().doing("its cgroup")?;
    let members = || fs::read_to_string(place.dir.join("cgroup.procs")).unwrap_or_default();
    let all: Vec<i32> = members().lines().filter_map(|line| line.parse().ok()).collect();
    same!(all.len(), 2);
    task.call(&["kill", "--all", "--signal", "SIGKILL"]).ok()?;
    task.until_is("STOPPED")?;
    let gone = || all.iter().all(|pid| !procs::alive(*pid)).then_some(());
    ctx.eventually("all processes are gone", gone)?;
    same!(other.listed()?.1, "RUNNING");
    Ok(())
}

fn pause_and_resume(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let line = "echo ready; while :; do echo . >>/tmp/dots; sleep 0.01; done";
    let task = ctr.detached(&[], &["sh", "-c", line])?;
    task.until_log("ready")?;
    let root = format!("/proc/{}/root/tmp/dots", task.pid()?);
    let dots = || fs::metadata(&root).map(|file| file.len()).unwrap_or_default();
    ctx.eventually("it writes", || (dots() > 0).then_some(()))?;
    task.call(&["pause"]).ok()?;
    same!(task.listed()?.1, "PAUSED");
    let before = dots();
    std::thread::sleep(std::time::Duration::from_millis(100));
    same!(dots(), before);
    let out = task.exec(&[], &["true"])?.failed()?;
    out.says_one_of(&["paused"])?;
    task.call(&["resume"]).ok()?;
    same!(task.listed()?.1, "RUNNING");
    ctx.eventually("it writes again", || (dots() > before).then_some(()))
}

fn ps(ctx: &Ctx) -> Res {
    let task =
        Ctr::of(ctx).detached(&[], &["sh", "-c", "sleep 1000 & exec /bin/probe until-term"])?;
    task.until_log("ready")?;
    let listed = task.call(&["ps"]).ok()?;
    let pids: Vec<i32> = listed
        .out
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    same!(pids.len(), 2);
    holds!(pids.contains(&task.pid()?), "the first process is not among {pids:?}");
    Ok(())
}

fn attach(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let name = ctx.id();
    let binary = shown(&ctx.runtime);
    let line = "while read a; do echo \"<$a>\"; done";
    ctr.call(&["run", "--detach", "--runc-binary", &binary, "--tty", IMAGE, &name])
        .args(["sh", "-c", line])
        // Which it wants although nothing comes of it.
        .on_terminal(Terminal::open(24, 80)?.slave()?)?
        .ok()?;
    let task = ctr.named(&name);
    let mut terminal = Terminal::open(24, 80)?;
    let running = task.call(&["attach"]).on_terminal(terminal.slave()?)?.spawn()?;
    terminal.let_go();
    terminal.types("typed\n")?;
    terminal.until("<typed>")?;
    task.call(&["kill", "--signal", "SIGKILL"]).ok()?;
    running.wait()?.is(137).map(drop)
}

fn delete_force(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&[])?;
    let pid = task.pid()?;
    task.call(&["delete"]).done()?.failed()?;
    same!(task.listed()?.1, "RUNNING");
    task.call(&["delete", "--force"]).ok()?;
    holds!(!procs::alive(pid), "its process lives on");
    holds!(task.listed().is_err(), "the task is still there");
    Ok(())
}

fn of_stopped_refused(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&[])?;
    task.call(&["kill", "--signal", "SIGKILL"]).ok()?;
    task.until_is("STOPPED")?;
    task.exec(&[], &["true"])?.failed()?;
    let out = task.call(&["kill", "--signal", "SIGKILL"]).done()?.failed()?;
    out.says_one_of(&["not found", "already finished"])?;
    same!(task.end()?, 137);
    Ok(())
}

//! run: in the foreground and detached, its exit status, its streams.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::shell;
use serde_json::json;

use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root, user};
use crate::result::{Doing, Res, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "run",
    cases: &[
        either!(prints_output),
        either!(exit_code),
        either!(exit_code_of_killed),
        either!(exit_code_where_children_are_ignored).only_runc("crun has no status to tell"),
        either!(exit_code_of_shell_child),
        either!(reads_stdin),
        either!(detached),
        either!(detached_writes_pid_file),
        either!(pid_file_in_foreground),
        either!(keep),
        either!(no_subreaper).only_runc("crun has no such flag"),
        either!(rootless_flag).only_runc("crun has no such flag"),
        either!(forwards_signals),
        either!(orphans_are_killed_with_init),
        either!(bundle_from_cwd),
        either!(bundle_relative),
        either!(root_path_absolute),
        user!(default_root_is_in_xdg_runtime_dir),
        root!(default_root_is_in_run).only_runc("crun follows XDG_RUNTIME_DIR as root too"),
    ],
};

fn prints_output(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/sh", "-c", "echo out; echo err >&2"])?;
    let out = container.run()?.is(0)?.prints("out")?;
    same!(out.err, "err\n");
    container.gone()
}

fn exit_code(ctx: &Ctx) -> Res {
    for code in [0, 1, 42, 255] {
        let container = ctx.container_of(&["/bin/probe", "exit", &code.to_string()])?;
        container.run()?.is(code)?;
        container.gone()?;
    }
    Ok(())
}

/// A caller that ignores SIGCHLD hands that on.
fn exit_code_where_children_are_ignored(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/sh", "-c", "exit 5"])?;
    container.push("/hooks/createRuntime", json!({"path": "/bin/true"}));
    let deaf = ["/bin/sh", "-c", "trap '' CHLD; exec \"$@\"", "sh"];
    container.run_call(&[])?.through(&deaf).done()?.is(5)?;
    Ok(())
}

fn exit_code_of_killed(ctx: &Ctx) -> Res {
    for (signal, code) in [("KILL", 128 + 9), ("9", 128 + 9)] {
        let container = ctx.sleeper()?;
        let running = container.run_call(&[])?.spawn()?;
        container.until_output("ready")?;
        container.until("running")?;
        container.kill(signal)?;
        running.wait()?.is(code)?;
        container.gone()?;
    }
    Ok(())
}

fn exit_code_of_shell_child(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/sh", "-c", "/bin/probe signal 15; exit $?"])?;
    container.run()?.is(128 + 15)?;
    Ok(())
}

fn reads_stdin(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "echo"])?;
    let text = "line\n".repeat(20_000);
    let out = container.run_call(&[])?.input(&text)?.ok()?;
    same!(out.out.len(), text.len());
    Ok(())
}

fn detached(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    same!(container.status()?, "running");
    container.kill("KILL")?;
    container.until("stopped")?;
    container.delete()?;
    container.gone()
}

fn detached_writes_pid_file(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    let file = ctx.dir.join("pid");
    container.run_call(&["-d", "--pid-file", &shown(&file)])?.ok()?;
    same!(fs::read_to_string(&file).unwrap_or_default(), container.pid()?.to_string());
    Ok(())
}

fn pid_file_in_foreground(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    let file = ctx.dir.join("pid");
    let running = container.run_call(&["--pid-file", &shown(&file)])?.spawn()?;
    container.until_output("ready")?;
    let pid = container.pid()?.to_string();
    let written = || fs::read_to_string(&file).ok().filter(|text| *text == pid);
    ctx.eventually("pid file has the pid", written)?;
    container.kill("TERM")?;
    running.wait()?.is(42)?;
    Ok(())
}

fn keep(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "exit", "3"])?;
    container.run_call(&["--keep"])?.done()?.is(3)?;
    same!(container.status()?, "stopped");
    container.delete()?;
    container.gone()
}

fn no_subreaper(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "exit", "3"])?;
    container.run_call(&["--no-subreaper"])?.done()?.is(3)?;
    container.gone()
}

fn rootless_flag(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/echo", "runs"])?;
    container.save()?;
    for value in ["auto", if ctx.is_root() { "false" } else { "true" }] {
        let call = ctx.runtime().args(["--rootless", value, "run", "--bundle"]);
        call.arg(&container.bundle).arg(&container.id).ok()?.prints("runs")?;
    }
    Ok(())
}

fn forwards_signals(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "catch"])?;
    let running = container.run_call(&[])?.spawn()?;
    container.until_output("ready")?;
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGINT, Signal::SIGTERM] {
        kill(Pid::from_raw(running.pid()), signal).doing("signal the runtime")?;
        container.until_output(signal.as_str())?;
    }
    running.wait()?.is(0)?;
    container.gone()
}

fn orphans_are_killed_with_init(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&[
        "/bin/sh",
        "-c",
        "setsid /bin/probe ignore-term >/tmp/said & until grep ready /tmp/said; do sleep 0.02; done; echo end",
    ])?;
    container.run()?.is(0)?.has("ready")?.has("end")?;
    container.gone()
}

fn bundle_from_cwd(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/echo", "here"])?;
    container.save()?;
    container.command("run", &[]).cwd(&container.bundle).ok()?.prints("here")?;
    Ok(())
}

fn bundle_relative(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/echo", "here"])?;
    container.save()?;
    let name = container.bundle.file_name().unwrap_or_default().to_string_lossy().into_owned();
    container.command("run", &["-b", &name]).cwd(&ctx.dir).ok()?.prints("here")?;
    Ok(())
}

fn root_path_absolute(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "here"])?;
    let elsewhere = ctx.dir.join("elsewhere");
    fs::rename(container.rootfs(), &elsewhere).doing("move the rootfs")?;
    container.set("/root/path", elsewhere.to_string_lossy());
    container.run()?.is(0)?.prints("here")?;
    Ok(())
}

fn default_root_is_in_xdg_runtime_dir(ctx: &Ctx) -> Res {
    default_root(ctx, &ctx.dir.join("xdg"))
}

fn default_root_is_in_run(ctx: &Ctx) -> Res {
    default_root(ctx, std::path::Path::new("/run"))
}

/// Without `--root`, the states are in a directory named after the runtime.
fn default_root(ctx: &Ctx, parent: &std::path::Path) -> Res {
    let container = ctx.sleeper()?;
    container.save()?;
    let root = parent.join(ctx.runtime.file_name().unwrap_or_default());
    ctx.will_delete(&root, &container.id);
    let call = |args: &[&str]| ctx.program(&ctx.runtime.to_string_lossy()).args(args);
    call(&["create", "--bundle", &container.bundle.to_string_lossy(), &container.id]).ok()?;
    same!(root.join(&container.id).exists(), true);
    call(&["delete", "--force", &container.id]).ok()?;
    same!(shell(ctx, "echo $PPID")?, "0");
    Ok(())
}

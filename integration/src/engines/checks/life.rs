//! A container's life as the engine's user follows it: ps, logs, stop, kill, pause, top, restart policies,
//! health.

use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "life",
    cases: &[
        root!(ps),
        root!(inspect),
        root!(logs),
        root!(logs_follow),
        root!(stop_is_term_then_kill),
        root!(stop_signal),
        root!(kill_sends_signals),
        root!(kill_of_stopped_refused),
        root!(rm_of_running_wants_force),
        root!(pause).needs(&[Need::Cgroup]),
        root!(killed_while_paused)
            .needs(&[Need::Cgroup])
            .only_runc("crun's stays frozen where the cgroup is of v1"),
        root!(restart),
        root!(restart_on_failure),
        root!(restart_always),
        root!(top),
        root!(wait),
        root!(healthcheck),
        root!(events),
        root!(leftovers_are_killed),
        root!(leftovers_in_the_hosts_pid_namespace_are_killed).needs(&[Need::Cgroup]),
        root!(rename),
        root!(attach),
    ],
};

fn ps(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let container = cli.sleeper(&["--label", "straw=gold"])?;
    let list = |flags: &[&str]| {
        let name = format!("name={}", container.name);
        let call = cli.call(&["ps", "--filter", &name, "--format", "{{.Names}}"]);
        Ok::<String, String>(call.args(flags).ok()?.text().to_string())
    };
    same!(list(&["--filter", "label=straw=gold", "--filter", "status=running"])?, container.name);
    same!(list(&["--all", "--filter", "status=exited"])?, "");
    container.call(&["kill"]).ok()?;
    container.wait()?;
    same!(list(&[])?, "");
    same!(list(&["--all", "--filter", "exited=137", "--filter", "status=exited"])?, container.name);
    Ok(())
}

fn inspect(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    same!(
        container.is("{{.State.Status}} {{.State.ExitCode}} {{.Config.Cmd}}")?,
        "running 0 [/bin/probe until-term]"
    );
    let pid = container.pid()?;
    holds!(crate::harness::procs::alive(pid), "its pid {pid} is nobody's");
    container.call(&["stop"]).ok()?;
    same!(container.is("{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}")?, "exited 42 0");
    Ok(())
}

fn logs(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let both = cli.detached(&[], &["sh", "-c", "echo out; echo err >&2"])?;
    both.wait()?;
    let out = both.logs()?;
    same!((out.out.as_str(), out.err.as_str()), ("out\n", "err\n"));
    let container = cli.detached(&[], &["seq", "1", "100"])?;
    container.wait()?;
    same!(container.logs()?.out.lines().count(), 100);
    container.call(&["logs", "--tail", "2"]).ok()?.prints("99\n100").map(drop)
}

fn logs_follow(ctx: &Ctx) -> Res {
    let line = "echo first; while [ ! -e /go ]; do sleep 0.02; done; echo last";
    let container = Cli::of(ctx).detached(&[], &["sh", "-c", line])?;
    let follower = container.call(&["logs", "--follow"]).spawn()?;
    ctx.eventually("it shows the first line", || {
        follower.out_now().contains("first").then_some(())
    })?;
    container.exec(&[], &["touch", "/go"])?.is(0)?;
    follower.wait()?.is(0)?.prints("first\nlast").map(drop)
}

fn stop_is_term_then_kill(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let obeys = cli.sleeper(&[])?;
    obeys.call(&["stop"]).ok()?;
    same!(obeys.is("{{.State.ExitCode}}")?, "42");
    let ignores = cli.detached(&[], &["/bin/probe", "ignore-term"])?;
    ignores.until_log("ready")?;
    ignores.call(&["stop", "--time", "1"]).ok()?;
    same!(ignores.is("{{.State.ExitCode}}")?, "137");
    Ok(())
}

fn stop_signal(ctx: &Ctx) -> Res {
    let line = "trap 'exit 33' USR1; echo ready; while :; do sleep 0.02; done";
    let flags = ["--stop-signal", "USR1"];
    let container = Cli::of(ctx).detached(&flags, &["sh", "-c", line])?;
    container.until_log("ready")?;
    container.call(&["stop"]).ok()?;
    same!(container.wait()?, 33);
    Ok(())
}

fn kill_sends_signals(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).detached(&[], &["/bin/probe", "catch"])?;
    container.until_log("ready")?;
    for (signal, name) in [("HUP", "SIGHUP"), ("SIGUSR2", "SIGUSR2"), ("10", "SIGUSR1")] {
        container.call(&["kill", "--signal", signal]).ok()?;
        container.until_log(name)?;
    }
    container.call(&["kill"]).ok()?;
    same!(container.wait()?, 137);
    Ok(())
}

fn kill_of_stopped_refused(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).detached(&[], &["true"])?;
    container.wait()?;
    let out = container.call(&["kill"]).done()?.failed()?;
    out.says_one_of(&["is not running", "container state improper"]).map(drop)
}

fn rm_of_running_wants_force(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    container.call(&["rm"]).done()?.failed()?;
    same!(container.is("{{.State.Status}}")?, "running");
    let pid = container.pid()?;
    container.call(&["rm", "--force"]).ok()?;
    container.until_gone()?;
    holds!(!crate::harness::procs::alive(pid), "its process lives on");
    Ok(())
}

fn pause(ctx: &Ctx) -> Res {
    let line = "while :; do echo tick; sleep 0.01; done";
    let container = Cli::of(ctx).detached(&[], &["sh", "-c", line])?;
    container.until_log("tick")?;
    let ticks = || Ok::<usize, String>(container.logs()?.out.len());
    container.call(&["pause"]).ok()?;
    same!(container.is("{{.State.Status}}")?, "paused");
    // What it had written may still be on its way.
    let settled = ctx.eventually("no more ticks", || {
        let before = ticks().ok()?;
        std::thread::sleep(std::time::Duration::from_millis(100));
        (ticks().ok()? == before).then_some(before)
    })?;
    container
        .exec(&[], &["true"])?
        .failed()?
        .says_one_of(&["paused", "container state improper"])?;
    container.call(&["unpause"]).ok()?;
    same!(container.is("{{.State.Status}}")?, "running");
    ctx.eventually("it ticks again", || (ticks().ok()? > settled).then_some(()))?;
    Ok(())
}

fn killed_while_paused(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    container.call(&["pause"]).ok()?;
    container.call(&["kill"]).ok()?;
    same!(container.wait()?, 137);
    Ok(())
}

fn restart(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    let before = container.pid()?;
    container.call(&["restart"]).ok()?;
    holds!(container.pid()? != before, "it is the same process");
    same!(container.is("{{.State.Status}}")?, "running");
    Ok(())
}

fn restart_on_failure(ctx: &Ctx) -> Res {
    let flags = ["--restart", "on-failure:2"];
    let container = Cli::of(ctx).detached(&flags, &["sh", "-c", "echo began; exit 3"])?;
    container.until_is("{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}", "2 exited 3")?;
    container.logs()?.prints("began\nbegan\nbegan").map(drop)
}

fn restart_always(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&["--restart", "always"])?;
    let before = container.pid()?;
    // Not by the engine, which would take it for the user's wish.
    let first = nix::unistd::Pid::from_raw(before);
    nix::sys::signal::kill(first, nix::sys::signal::Signal::SIGKILL).doing("kill it")?;
    ctx.eventually("another process", || {
        container.pid().ok().filter(|&pid| pid != 0 && pid != before)
    })?;
    container.until_is("{{.State.Status}}", "running")?;
    // The user's wish holds.
    container.call(&["stop"]).ok()?;
    same!(container.is("{{.State.Status}}")?, "exited");
    Ok(())
}

fn top(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    container.exec(&["--detach"], &["sleep", "1000"])?.is(0)?;
    let shown = || {
        let out = container.call(&["top"]).ok().ok()?.out;
        (out.contains("probe until-term") && out.contains("sleep 1000")).then_some(out)
    };
    let out = ctx.eventually("both processes", shown)?;
    same!(out.lines().count(), 3);
    Ok(())
}

fn wait(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    let waiting = container.call(&["wait"]).spawn()?;
    container.call(&["kill", "--signal", "TERM"]).ok()?;
    waiting.wait()?.is(0)?.prints("42").map(drop)
}

fn healthcheck(ctx: &Ctx) -> Res {
    let flags = [
        "--health-cmd",
        "test -e /tmp/well",
        "--health-interval",
        "200ms",
        "--health-retries",
        "2",
        "--health-timeout",
        "5s",
    ];
    let container = Cli::of(ctx).sleeper(&flags)?;
    let health = "{{.State.Health.Status}}";
    container.until_is(health, "unhealthy")?;
    container.exec(&[], &["touch", "/tmp/well"])?.is(0)?;
    container.until_is(health, "healthy")?;
    container.exec(&[], &["rm", "/tmp/well"])?.is(0)?;
    container.until_is(health, "unhealthy")
}

fn events(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let container = cli.sleeper(&[])?;
    container.exec(&[], &["sh", "-c", "exit 5"])?.is(5)?;
    container.call(&["pause"]).ok()?;
    container.call(&["unpause"]).ok()?;
    container.call(&["stop"]).ok()?;
    let filter = format!("container={}", container.name);
    let call = ["events", "--since", "10m", "--until", "0s", "--filter", &filter, "--format"];
    let wanted = ["create", "start", "exec_die", "pause", "unpause", "die"];
    let all = || {
        // Up to this second, which is not over yet.
        let out = cli.call(&call).arg("{{.Action}}").ok().ok()?.out;
        wanted.iter().all(|each| out.lines().any(|line| line == *each)).then_some(())
    };
    ctx.eventually(&wanted.join(", "), all)
}

/// What the first process leaves ends with it.
fn leftovers_end(ctx: &Ctx, flags: &[&str]) -> Res {
    let marked = format!("10{}", std::process::id());
    let line = format!("setsid sleep {marked} & exec /bin/probe until-term");
    let container = Cli::of(ctx).detached(flags, &["sh", "-c", &line])?;
    container.until_log("ready")?;
    container.call(&["stop"]).ok()?;
    container.call(&["rm"]).ok()?;
    let gone = || {
        let found = ctx.program("pgrep").args(["-f", &format!("^sleep {marked}")]).done().ok()?;
        (found.code == 1).then_some(())
    };
    ctx.eventually("nothing is left", gone)
}

fn leftovers_are_killed(ctx: &Ctx) -> Res {
    leftovers_end(ctx, &[])
}

fn leftovers_in_the_hosts_pid_namespace_are_killed(ctx: &Ctx) -> Res {
    leftovers_end(ctx, &["--pid", "host"])
}

fn rename(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let container = cli.sleeper(&[])?;
    let name = ctx.id();
    container.call(&["rename"]).arg(&name).ok()?;
    cli.named(&name).exec(&[], &["true"])?.is(0)?;
    cli.named(&name).call(&["stop"]).ok().map(drop)
}

/// What it prints from now on, its exit status, and signals that are passed on to it.
fn attach(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).detached(&[], &["/bin/probe", "catch"])?;
    container.until_log("ready")?;
    let attached = container.call(&["attach", "--no-stdin"]).spawn()?;
    // It says nothing when it listens.
    ctx.eventually("a signal in what is attached", || {
        container.call(&["kill", "--signal", "USR1"]).ok().ok()?;
        attached.out_now().contains("SIGUSR1").then_some(())
    })?;
    let pid = nix::unistd::Pid::from_raw(attached.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).doing("kill")?;
    attached.wait()?.is(0)?.has("SIGTERM").map(drop)
}

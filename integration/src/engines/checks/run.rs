//! `run`: what it gives the container's first process, and what comes back of it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::ctx::Ctx;
use crate::engines::cli::{Cli, IMAGE};
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "run",
    cases: &[
        root!(exit_codes_and_output),
        root!(killed_by_a_signal),
        root!(output_is_complete),
        root!(stdin_is_passed_on),
        root!(environment),
        root!(working_directory),
        root!(working_directory_is_made),
        root!(user_and_groups),
        root!(hostname),
        root!(domainname),
        root!(entrypoint),
        root!(no_descriptors_but_stdio),
        root!(signals_are_passed_on),
        root!(cgroup_parent).needs(&[Need::Cgroup]),
        root!(long_arguments),
        root!(rm_removes_it),
        root!(detached),
        root!(created_then_started),
        root!(init_reaps),
        root!(many_at_the_same_time),
    ],
};

/// What the probe says of itself in a container with these flags.
pub(super) fn report(cli: &Cli<'_>, flags: &[&str]) -> Res<Value> {
    cli.run(flags, &["/bin/probe", "report"])?.is(0)?.json()
}

fn exit_codes_and_output(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    for code in [0, 1, 42, 255] {
        let out = cli.run(&[], &["sh", "-c", &format!("echo out; echo err >&2; exit {code}")])?;
        let out = out.is(code)?;
        same!((out.out.as_str(), out.err.as_str()), ("out\n", "err\n"));
    }
    Ok(())
}

/// 128 and the number of the signal.
fn killed_by_a_signal(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    cli.run(&["--init"], &["/bin/probe", "signal", "9"])?.is(137)?;
    cli.run(&["--init"], &["/bin/probe", "signal", "15"])?.is(143).map(drop)
}

fn output_is_complete(ctx: &Ctx) -> Res {
    let line = "seq 1 50000; echo the last line";
    let out = Cli::of(ctx).run(&[], &["sh", "-c", line])?.is(0)?;
    same!(out.out.lines().count(), 50001);
    holds!(out.out.ends_with("50000\nthe last line\n"), "the end is missing");
    Ok(())
}

fn stdin_is_passed_on(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let text = "straw\n".repeat(20_000);
    let call = cli.run_call(&["--interactive"], &["/bin/probe", "echo"]).input(&text)?;
    let out = call.ok()?;
    holds!(out.out == text, "{} of {} bytes came back", out.out.len(), text.len());
    // Without --interactive there is nothing to read.
    cli.run_call(&[], &["/bin/probe", "echo"]).input(&text)?.ok()?.prints("").map(drop)
}

fn environment(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let file = ctx.make_file("env", "FROM_FILE=of a file\n# a comment\n")?;
    let file = crate::text::shown(file);
    let flags = ["--env", "STRAW=gold thread", "--env", "EMPTY=", "--env-file", &file];
    let env = &report(&cli, &flags)?["env"];
    same!(env["STRAW"], "gold thread");
    same!(env["EMPTY"], "");
    same!(env["FROM_FILE"], "of a file");
    same!(env["HOME"], "/root");
    holds!(env["PATH"].as_str().is_some_and(|path| path.contains("/bin")), "no PATH in {env}");
    Ok(())
}

fn working_directory(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    same!(cli.shell(&["--workdir", "/home/alice"], "pwd")?, "/home/alice");
    Ok(())
}

/// One that the image has not.
fn working_directory_is_made(ctx: &Ctx) -> Res {
    same!(Cli::of(ctx).shell(&["--workdir", "/made/for it"], "pwd")?, "/made/for it");
    Ok(())
}

fn user_and_groups(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let by_name = report(&cli, &["--user", "alice"])?;
    same!(by_name["ids"]["uid"], serde_json::json!([1000, 1000, 1000, 1000]));
    same!(by_name["ids"]["gid"], serde_json::json!([1000, 1000, 1000, 1000]));
    same!(by_name["env"]["HOME"], "/home/alice");
    same!(by_name["caps"]["effective"], 0);
    let flags = ["--user", "77:88", "--group-add", "99", "--group-add", "staff"];
    let by_number = report(&cli, &flags)?;
    same!(by_number["ids"]["uid"][0], 77);
    same!(by_number["ids"]["gid"][0], 88);
    let groups: Vec<u64> =
        serde_json::from_value(by_number["ids"]["groups"].clone()).doing("read the groups")?;
    holds!(groups.contains(&99) && groups.contains(&50), "the groups are {groups:?}");
    Ok(())
}

fn hostname(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let line = "hostname; grep -c skep-host /etc/hosts";
    same!(cli.shell(&["--hostname", "skep-host"], line)?, "skep-host\n1");
    // Otherwise it is the beginning of its id.
    let container = cli.sleeper(&[])?;
    let name = container.exec(&[], &["hostname"])?.is(0)?;
    holds!(container.is("{{.Id}}")?.starts_with(name.text()), "it is {}", name.text());
    Ok(())
}

fn domainname(ctx: &Ctx) -> Res {
    let flags = ["--domainname", "hive.test"];
    same!(Cli::of(ctx).shell(&flags, "cat /proc/sys/kernel/domainname")?, "hive.test");
    Ok(())
}

fn entrypoint(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    cli.run(&["--entrypoint", "/bin/echo"], &["from", "it"])?.is(0)?.prints("from it")?;
    // The image's own command.
    cli.call(&["run", "--rm", "--interactive", IMAGE]).input("echo $0\n")?.ok()?.prints("sh")?;
    Ok(())
}

fn no_descriptors_but_stdio(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let only_stdio = |report: &Value| -> Res {
        let fds: Vec<&String> = report["fds"].as_object().doing("descriptors")?.keys().collect();
        same!(fds, ["0", "1", "2"]);
        Ok(())
    };
    only_stdio(&report(&cli, &[])?)?;
    let container = cli.sleeper(&[])?;
    only_stdio(&container.exec(&[], &["/bin/probe", "report"])?.is(0)?.json()?)
}

fn rm_removes_it(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    cli.run(&[], &["true"])?.is(0)?;
    let container = cli.detached(&["--rm"], &["/bin/probe", "until-term"])?;
    container.until_log("ready")?;
    container.call(&["stop"]).ok()?;
    container.until_gone()
}

fn detached(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).detached(&[], &["sh", "-c", "echo first; exit 9"])?;
    same!(container.wait()?, 9);
    // Podman knows the status before it has cleaned up.
    container.until_is("{{.State.Status}} {{.State.ExitCode}}", "exited 9")?;
    container.logs()?.prints("first")?;
    container.call(&["start"]).ok()?;
    same!(container.wait()?, 9);
    container.logs()?.prints("first\nfirst")?;
    container.call(&["start", "--attach"]).done()?.is(9)?.prints("first").map(drop)
}

fn created_then_started(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let name = ctx.id();
    cli.ok(&["create", "--name", &name, IMAGE, "/bin/probe", "until-term"])?;
    let container = cli.named(&name);
    same!(container.is("{{.State.Status}}")?, "created");
    container.call(&["start"]).ok()?;
    container.until_log("ready")?;
    same!(container.is("{{.State.Status}}")?, "running");
    let real = std::fs::read_to_string(format!("/proc/{}/cmdline", container.pid()?));
    same!(real.doing("its command line")?, "/bin/probe\0until-term\0");
    Ok(())
}

/// The first process is the engine's init, and collects what nobody waits for.
fn init_reaps(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&["--init"])?;
    let first = container.exec(&[], &["cat", "/proc/1/comm"])?.is(0)?;
    holds!(first.text().contains("init"), "the first process is {}", first.text());
    container.exec(&[], &["sh", "-c", "setsid sleep 0.01 & exit 0"])?.is(0)?;
    let zombies = || {
        let line = "grep -l '^State:.Z' /proc/[0-9]*/status";
        container.exec(&[], &["sh", "-c", line]).is_ok_and(|out| out.out.is_empty()).then_some(())
    };
    ctx.eventually("no process is a zombie", zombies)?;
    // It passes signals on, and gives the status of what it runs.
    container.call(&["stop"]).ok()?;
    same!(container.is("{{.State.ExitCode}}")?, "42");
    Ok(())
}

fn many_at_the_same_time(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let start = |number: i32| {
        cli.run_call(&[], &["sh", "-c", &format!("echo {number}; exit {number}")]).spawn()
    };
    let running = (1..=8).map(start).collect::<Res<Vec<_>>>()?;
    for (call, number) in running.into_iter().zip(1..) {
        call.wait()?.is(number)?.prints(&number.to_string())?;
    }
    Ok(())
}

/// What comes to the engine's program in the foreground goes to the container's first process.
fn signals_are_passed_on(ctx: &Ctx) -> Res {
    let running = Cli::of(ctx).run_call(&[], &["/bin/probe", "catch"]).spawn()?;
    let says = |text: &str| {
        let said = || running.out_now().lines().any(|line| line == text).then_some(());
        ctx.eventually(&format!("it prints {text}"), said)
    };
    says("ready")?;
    let send = |signal| kill(Pid::from_raw(running.pid()), signal).doing("kill");
    // The container can run before Podman listens. A signal that is lost till then, and ends nobody, is sent again.
    ctx.eventually("it prints SIGWINCH", || {
        send(Signal::SIGWINCH).ok()?;
        running.out_now().lines().any(|line| line == "SIGWINCH").then_some(())
    })?;
    send(Signal::SIGUSR1)?;
    says("SIGUSR1")?;
    send(Signal::SIGTERM)?;
    running.wait()?.is(0)?.has("SIGTERM").map(drop)
}

fn cgroup_parent(ctx: &Ctx) -> Res {
    let parent = format!("parent-{}", ctx.id());
    let flags = ["--cgroup-parent", &format!("/{parent}"), "--cgroupns", "host"];
    let container = Cli::of(ctx).sleeper(&flags)?;
    let places = crate::cgroups::places(container.pid()?)?;
    for place in &places {
        holds!(place.dir.to_string_lossy().contains(&parent), "it is in {}", place.dir.display());
    }
    container.call(&["rm", "--force"]).ok()?;
    // The parent is nobody's but its maker's; the container's own are gone.
    for place in &places {
        holds!(!place.dir.exists(), "{} is left", place.dir.display());
        let above = place.dir.parent().doing("the parent")?;
        // Podman's monitor has one there, too, until it has ended.
        ctx.eventually(&format!("{} can be removed", above.display()), || {
            let _others = std::fs::remove_dir(above.join("conmon"));
            std::fs::remove_dir(above).ok()
        })?;
    }
    Ok(())
}

fn long_arguments(ctx: &Ctx) -> Res {
    let long = "straw ".repeat(10_000);
    let out = Cli::of(ctx)
        .run(&["--env", &format!("LONG={long}")], &["sh", "-c", "echo ${#LONG} ${#0}", &long])?;
    out.is(0)?.prints("60000 60000").map(drop)
}

//! What Podman alone asks of its runtime: through conmon, and by its settings.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::call::Call;
use crate::ctx::Ctx;
use crate::engines::cli::{Cli, IMAGE};
use crate::engines::podman::settings_file;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "podman",
    cases: &[
        root!(info_shows_the_runtime),
        root!(cgroups_enabled).needs(&[Need::Cgroup]),
        root!(cgroups_disabled).only_crun("runc has no such flag"),
        root!(cgroups_disabled_wants_an_entry),
        root!(cgroups_split).needs(&[Need::Systemd]),
        root!(no_conmon_cgroup).needs(&[Need::Cgroup]),
        root!(preserve_fds),
        root!(listen_fds),
        root!(sdnotify_of_the_container),
        root!(sdnotify_is_handed_on_whole).needs(&[Need::Podman(5)]),
        root!(sdnotify_of_conmon),
        root!(log_file_of_conmon),
        root!(exit_status_of_conmon),
        root!(errors_have_the_runtimes_words),
        root!(errors_without_json)
            .ours("runc says it on several lines, and crun in words that are not looked for"),
        root!(checkpoint_is_refused),
        root!(health),
        root!(events),
        root!(rootfs_without_an_image),
        root!(umask_secret_and_timeout),
        root!(volumes_by_overlay_and_owner),
    ],
};

fn info_shows_the_runtime(ctx: &Ctx) -> Res {
    let info = Cli::of(ctx).ok(&["info", "--format", "json"])?.json()?;
    let runtime = &info["host"]["ociRuntime"];
    same!(runtime["path"].as_str(), ctx.runtime.to_str());
    let version = runtime["version"].as_str().unwrap_or_default();
    holds!(version.contains("version") && version.contains("spec: 1."), "it says {version:?}");
    Ok(())
}

const OWN_CGROUP: &[&str] = &["cat", "/proc/self/cgroup"];

fn cgroups_enabled(ctx: &Ctx) -> Res {
    let flags = ["--cgroups", "enabled", "--cgroupns", "host"];
    Cli::of(ctx).run(&flags, OWN_CGROUP)?.is(0)?.has("/libpod-").map(drop)
}

/// It stays where Podman is.
fn cgroups_disabled(ctx: &Ctx) -> Res {
    let flags = ["--cgroups", "disabled", "--cgroupns", "host"];
    let own = fs::read_to_string("/proc/self/cgroup").doing("own cgroup")?;
    Cli::of(ctx).run(&flags, OWN_CGROUP)?.is(0)?.prints(own.trim_end()).map(drop)
}

/// As Quadlet starts it: below the cgroup that systemd has made for its service, and not by systemd.
fn cgroups_split(ctx: &Ctx) -> Res {
    let own = crate::cgroups::place_of(std::process::id() as i32, "memory")?.dir;
    let service = own.with_file_name(format!("{}.service", ctx.id()));
    fs::create_dir(&service).doing("make a cgroup")?;
    let cli = Cli::of(ctx);
    let name = ctx.id();
    let flags = ["run", "--detach", "--name", &name, "--cgroups", "split", "--memory", "64m"];
    let join = ["sh", "-c", "echo 0 >$0/cgroup.procs && exec \"$@\"", &shown(&service)];
    cli.call(&flags).args([IMAGE, "/bin/probe", "until-term"]).through(&join).ok()?;
    let container = cli.named(&name);
    let payload = crate::cgroups::place_of(container.pid()?, "memory")?.dir;
    holds!(payload.starts_with(&service), "it is in {}", payload.display());
    let limit = fs::read_to_string(payload.join("memory.max")).doing("its limit")?;
    same!(limit.trim_end(), (64u64 << 20).to_string());
    same!(container.exec(&[], &["sh", "-c", "exit 5"])?.code, 5);
    container.call(&["rm", "--force", "--time", "0"]).ok()?;
    holds!(!payload.exists(), "{} is left", payload.display());
    // Podman itself was in others below.
    ctx.eventually("the service's cgroup is empty", || {
        for below in fs::read_dir(&service).ok()?.flatten() {
            let _in_use = fs::remove_dir(below.path());
        }
        fs::remove_dir(&service).ok()
    })
}

/// Podman without this line in its settings.
fn without(ctx: &Ctx, line: &str, flags: &[&str], command: &[&str]) -> Res<Call> {
    let file = settings_file(ctx, &ctx.runtime, Some(line))?;
    Ok(Cli::of(ctx).run_call(flags, command).env("CONTAINERS_CONF", file))
}

fn cgroups_disabled_wants_an_entry(ctx: &Ctx) -> Res {
    let flags = ["--cgroups", "disabled"];
    let out = without(ctx, "runtime_supports_nocgroup", &flags, &["true"])?.done()?;
    out.is(125)?.says_one_of(&["is not compatible with NoCgroups"]).map(drop)
}

fn no_conmon_cgroup(ctx: &Ctx) -> Res {
    let flags = ["--cgroups", "no-conmon", "--cgroupns", "host"];
    Cli::of(ctx).run(&flags, OWN_CGROUP)?.is(0)?.has("/libpod-").map(drop)
}

/// The call with these descriptors, from 3 up.
fn with_open(call: Call, open: &str) -> Call {
    call.through(&["/bin/sh", "-c", &format!("exec {open}; exec \"$@\""), "sh"])
}

fn preserve_fds(ctx: &Ctx) -> Res {
    let file = shown(ctx.make_file("passed", "in the file\n")?);
    let line = "cat <&3; ls /proc/self/fd | tr '\\n' ' '";
    let call = Cli::of(ctx).run_call(&["--preserve-fds", "2"], &["sh", "-c", line]);
    let out = with_open(call, &format!("3<{file} 4<{file}")).ok()?;
    out.prints("in the file\n0 1 2 3 4 5 ").map(drop)
}

/// Podman's caller may leave LISTEN_PID out.
fn listen_fds(ctx: &Ctx) -> Res {
    let file = shown(ctx.make_file("passed", "in the file\n")?);
    let line = "cat <&3; echo $LISTEN_FDS; ls /proc/self/fd | tr '\\n' ' '";
    let call = || Cli::of(ctx).run_call(&[], &["sh", "-c", line]).env("LISTEN_FDS", "1");
    let wanted = "in the file\n1\n0 1 2 3 4 ";
    with_open(call(), &format!("3<{file}")).ok()?.prints(wanted)?;
    let own = call().through(&["/bin/sh", "-c", "export LISTEN_PID=$$; exec \"$@\"", "sh"]);
    with_open(own, &format!("3<{file}")).ok()?.prints(wanted).map(drop)
}

/// A container that a service manager has started, and what that hears.
struct Service {
    socket: UnixDatagram,
    heard: String,
}

impl Service {
    fn start(ctx: &Ctx, who: &str, command: &[&str]) -> Res<Service> {
        let path = ctx.dir.join(ctx.id());
        let socket = UnixDatagram::bind(&path).doing("bind")?;
        let call = ["run", "--detach", "--name", &ctx.id(), "--sdnotify", who, IMAGE];
        let call = Cli::of(ctx).call(&call);
        call.args(command).env("NOTIFY_SOCKET", &path).ok()?;
        Ok(Service { socket, heard: String::new() })
    }

    fn hear(&mut self, patience: Duration) -> Res {
        self.socket.set_read_timeout(Some(patience)).doing("socket")?;
        let mut text = [0; 4096];
        let length = self
            .socket
            .recv(&mut text)
            .map_err(|error| format!("{error} after {:?}", self.heard))?;
        self.heard += &String::from_utf8_lossy(&text[..length]);
        self.heard += "\n";
        Ok(())
    }

    fn until_heard(&mut self, wanted: &[&str]) -> Res {
        while !wanted.iter().all(|each| self.heard.contains(each)) {
            self.hear(Duration::from_secs(10))?;
        }
        Ok(())
    }
}

/// Only who says it is ready.
fn sdnotify_of_the_container(ctx: &Ctx) -> Res {
    let mut service = Service::start(ctx, "container", &["/bin/probe", "notify"])?;
    service.until_heard(&["MAINPID=", "READY=1"])?;
    let mut silent = Service::start(ctx, "container", &["/bin/probe", "until-term"])?;
    silent.until_heard(&["MAINPID="])?;
    while silent.hear(Duration::from_secs(1)).is_ok() {}
    holds!(!silent.heard.contains("READY"), "it has not said {:?}", silent.heard);
    Ok(())
}

/// Before Podman 5, conmon took nothing but READY=1.
fn sdnotify_is_handed_on_whole(ctx: &Ctx) -> Res {
    let mut service = Service::start(ctx, "container", &["/bin/probe", "notify"])?;
    service.until_heard(&["STATUS=from the container"])
}

fn sdnotify_of_conmon(ctx: &Ctx) -> Res {
    let mut service = Service::start(ctx, "conmon", &["/bin/probe", "until-term"])?;
    service.until_heard(&["MAINPID=", "READY=1"])
}

/// Each line with its time, its stream, and whether it is whole.
fn log_file_of_conmon(ctx: &Ctx) -> Res {
    let log = shown(ctx.dir.join("log"));
    let container = Cli::of(ctx).detached(
        &["--log-opt", &format!("path={log}")],
        &["sh", "-c", "echo out; echo err >&2; printf 'no end'"],
    )?;
    same!(container.wait()?, 0);
    let log = fs::read_to_string(log).doing("the log")?;
    let mut lines: Vec<&str> =
        log.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    lines.sort_unstable();
    same!(lines, ["stderr F err", "stdout F out", "stdout P no end"]);
    Ok(())
}

/// What conmon writes down is what the process ended with.
fn exit_status_of_conmon(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    for (command, code) in [("exit 42", 42), ("kill -KILL $$", 137)] {
        let line = format!("sh -c '{command}'; exit $?");
        let container = cli.detached(&[], &["sh", "-c", &line])?;
        same!(container.wait()?, code);
        same!(container.is("{{.State.ExitCode}} {{.State.Running}}")?, format!("{code} false"));
    }
    Ok(())
}

fn errors_have_the_runtimes_words(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let refused = |command: &str, code: i32, kind: &str| {
        let out = cli.run(&[], &[command])?.is(code)?;
        let line = out.err.lines().next().unwrap_or_default();
        holds!(line.starts_with("Error: skep: "), "not in the runtime's name: {line}");
        holds!(line.contains(command) && line.ends_with(kind), "not about {command}: {line}");
        Ok(())
    };
    refused("/no/such/program", 127, "attempted to invoke a command that was not found")?;
    refused("/etc/passwd", 126, "OCI permission denied")?;
    let container = cli.sleeper(&[])?;
    let out = container.exec(&[], &["/no/such/program"])?.is(127)?;
    out.says_one_of(&["attempted to invoke a command that was not found"])?;
    let out = container.exec(&["--workdir", "/no/such"], &["true"])?.failed()?;
    out.says_one_of(&["/no/such"]).map(drop)
}

/// A runtime that Podman does not know gets no log file: the error is the first line on stderr.
fn errors_without_json(ctx: &Ctx) -> Res {
    let without_log =
        |command: &[&str]| without(ctx, "runtime_supports_json", &[], command)?.done();
    without_log(&["/no/such/program"])?.is(127)?.says_one_of(&["no such file or directory"])?;
    without_log(&["sh", "-c", "exit 7"])?.is(7).map(drop)
}

/// Whatever it lacks for it: one line, and the container goes on.
fn checkpoint_is_refused(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    let out = container.call(&["container", "checkpoint"]).done()?.failed()?;
    out.refused(&["checkpoint", "criu"])?;
    container.exec(&[], &["true"])?.is(0)?;
    same!(container.is("{{.State.Status}}")?, "running");
    Ok(())
}

/// Without systemd nobody runs the checks but the user.
fn health(ctx: &Ctx) -> Res {
    let flags = ["--health-cmd", "test -e /tmp/well", "--health-retries", "1"];
    let container = Cli::of(ctx).sleeper(&flags)?;
    let check = |code: i32, health: &str| {
        container.call(&["healthcheck", "run"]).done()?.is(code)?;
        same!(container.is("{{.State.Health.Status}}")?, health);
        Ok(())
    };
    check(1, "unhealthy")?;
    container.exec(&[], &["touch", "/tmp/well"])?.is(0)?;
    check(0, "healthy")
}

fn events(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let container = cli.sleeper(&[])?;
    container.exec(&[], &["sh", "-c", "exit 5"])?.is(5)?;
    container.call(&["stop"]).ok()?;
    let filter = format!("container={}", container.name);
    let call = ["events", "--stream=false", "--filter", &filter, "--format", "{{.Status}}"];
    let wanted = ["create", "init", "start", "exec", "exec_died", "died", "cleanup"];
    ctx.eventually(&wanted.join(", "), || {
        let out = cli.ok(&call).ok()?.out;
        wanted.iter().all(|each| out.lines().any(|line| line == *each)).then_some(())
    })
}

fn rootfs_without_an_image(ctx: &Ctx) -> Res {
    let rootfs = ctx.dir.join("rootfs");
    crate::image::copy(ctx.template(), &rootfs)?;
    let name = ctx.id();
    let cli = Cli::of(ctx);
    let call = cli.call(&["run", "--rm", "--name", &name, "--rootfs"]).arg(&rootfs);
    call.args(["sh", "-c", "exit 8"]).done()?.is(8).map(drop)
}

fn umask_secret_and_timeout(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let name = ctx.id();
    let file = shown(ctx.make_file("secret", "honey")?);
    cli.ok(&["secret", "create", &name, &file])?;
    let flags = ["--umask", "0077", "--secret", &format!("{name},target=it,mode=0440")];
    let line = "umask; cat /run/secrets/it; stat -c ' %a' /run/secrets/it";
    let out = cli.shell(&flags, line);
    cli.ok(&["secret", "rm", &name])?;
    same!(out?, "0077\nhoney 440");
    cli.run(&["--timeout", "1"], &["/bin/probe", "until-term"])?.failed().map(drop)
}

/// `:O` keeps what the container writes from the host, `:U` gives it to the container's user.
fn volumes_by_overlay_and_owner(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let dir = ctx.make_dir("source")?;
    fs::write(dir.join("file"), "kept\n").doing("write")?;
    let volume = |kind: &str| format!("{}:/data:{kind}", shown(&dir));
    same!(cli.shell(&["--volume", &volume("O")], "echo x >/data/file; cat /data/file")?, "x");
    same!(fs::read_to_string(dir.join("file")).doing("read")?, "kept\n");
    let flags = ["--user", "alice", "--volume", &volume("U")];
    same!(cli.shell(&flags, "stat -c %U /data /data/file")?, "alice\nalice");
    // It is the user's again, who is to remove it.
    let flags = ["--user", "root", "--volume", &volume("U")];
    same!(cli.shell(&flags, "stat -c %U /data")?, "root");
    Ok(())
}

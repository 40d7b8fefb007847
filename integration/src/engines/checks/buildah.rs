//! Buildah's `run`: a program in a container that is worked on.

use crate::call::Call;
use crate::ctx::Ctx;
use crate::engines::cli::{Cli, IMAGE};
use crate::harness::case::{Feature, root};
use crate::pty::Terminal;
use crate::result::{Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "buildah",
    cases: &[
        root!(exit_codes_and_output),
        root!(what_runs_stays),
        root!(user_directory_and_environment),
        root!(terminal),
        root!(capabilities_and_seccomp),
        root!(no_descriptors_but_stdio),
        root!(volume),
        root!(networks),
        root!(missing_program),
        root!(interrupted),
    ],
};

/// A container that is worked on; it is removed with all that has a name of the check.
struct Working<'a> {
    cli: Cli<'a>,
    name: String,
}

impl<'a> Working<'a> {
    fn new(ctx: &'a Ctx) -> Res<Working<'a>> {
        let (cli, name) = (Cli::of(ctx), ctx.id());
        cli.builder(&["from", "--name", &name, IMAGE]).ok()?;
        Ok(Working { cli, name })
    }

    fn run(&self, flags: &[&str], command: &[&str]) -> Call {
        self.cli.builder(&["run"]).args(flags).args(["--", &self.name]).args(command)
    }

    fn shell(&self, flags: &[&str], line: &str) -> Res<String> {
        Ok(self.run(flags, &["sh", "-c", line]).ok()?.text().to_string())
    }
}

fn exit_codes_and_output(ctx: &Ctx) -> Res {
    let working = Working::new(ctx)?;
    for code in [0, 3, 255] {
        let line = format!("echo out; echo err >&2; exit {code}");
        let out = working.run(&[], &["sh", "-c", &line]).done()?.is(code)?;
        same!(out.out.as_str(), "out\n");
        holds!(out.err.starts_with("err\n"), "stderr is {}", out.err);
    }
    Ok(())
}

fn what_runs_stays(ctx: &Ctx) -> Res {
    let working = Working::new(ctx)?;
    working.shell(&[], "echo kept >/file")?;
    same!(working.shell(&[], "cat /file")?, "kept");
    let image = format!("localhost/{}:latest", working.name);
    let cli = working.cli;
    cli.builder(&["config", "--cmd", "cat /file", &working.name]).ok()?;
    cli.builder(&["commit", &working.name, &image]).ok()?;
    let out = cli.call(&["run", "--rm", "--name", &ctx.id(), &image]).done();
    cli.ok(&["rmi", "--force", &image])?;
    out?.is(0)?.prints("kept").map(drop)
}

fn user_directory_and_environment(ctx: &Ctx) -> Res {
    let working = Working::new(ctx)?;
    let flags = ["--user", "alice", "--workingdir", "/tmp", "--env", "STRAW=gold"];
    let out = working.shell(&flags, "echo $(id -un) $(id -gn) $(pwd) $STRAW $HOME")?;
    same!(out, "alice alice /tmp gold /home/alice");
    Ok(())
}

fn terminal(ctx: &Ctx) -> Res {
    let working = Working::new(ctx)?;
    let mut terminal = Terminal::open(31, 97)?;
    let line = "tty; : >/dev/tty && echo ready; read a; echo \"<$a>\"; exit 5";
    let call = working.run(&["--tty"], &["sh", "-c", line]);
    let running = call.on_terminal(terminal.slave()?)?.spawn()?;
    terminal.let_go();
    let begin = terminal.until("ready")?;
    holds!(begin.contains("/dev/pts/") || begin.contains("/dev/console"), "no tty in {begin:?}");
    terminal.types("typed\n")?;
    terminal.until("<typed>")?;
    running.wait()?.is(5).map(drop)
}

fn capabilities_and_seccomp(ctx: &Ctx) -> Res {
    let working = Working::new(ctx)?;
    let line = "grep -E '^(CapEff|Seccomp):' /proc/self/status";
    // It adds first and takes away then.
    let out = working.shell(&["--cap-drop", "all"], line)?;
    same!(out, "CapEff:\t0000000000000000\nSeccomp:\t2");
    Ok(())
}

/// Buildah itself has a dozen open when it calls the runtime.
fn no_descriptors_but_stdio(ctx: &Ctx) -> Res {
    let report = Working::new(ctx)?.run(&[], &["/bin/probe", "report"]).ok()?.json()?;
    let fds: Vec<&String> =
        report["fds"].as_object().into_iter().flat_map(|map| map.keys()).collect();
    same!(fds, ["0", "1", "2"]);
    Ok(())
}

fn volume(ctx: &Ctx) -> Res {
    let dir = ctx.make_dir("source")?;
    std::fs::write(dir.join("file"), "of the host\n").map_err(|error| error.to_string())?;
    let volume = format!("{}:/data:ro", shown(&dir));
    let line = "cat /data/file; echo x >/data/file || echo refused";
    same!(Working::new(ctx)?.shell(&["--volume", &volume], line)?, "of the host\nrefused");
    Ok(())
}

fn networks(ctx: &Ctx) -> Res {
    let working = Working::new(ctx)?;
    same!(working.shell(&["--network", "none"], "ls /sys/class/net")?, "lo");
    let own = ctx.program("readlink").arg("/proc/self/ns/net").ok()?;
    let out = working.shell(&["--network", "host"], "readlink /proc/self/ns/net")?;
    same!(out, own.text());
    Ok(())
}

/// No log file is asked for: the runtime's words are on stderr.
fn missing_program(ctx: &Ctx) -> Res {
    let out = Working::new(ctx)?.run(&[], &["no-such-program"]).done()?.failed()?;
    out.says_one_of(&["executable file not found in $PATH", "`no-such-program` not found"])
        .map(drop)
}

/// Buildah kills and deletes what it has begun. It listens for signals when its `start` has returned, which
/// may be after the container's first words, and one that comes before ends it where it stands.
fn interrupted(ctx: &Ctx) -> Res {
    let working = Working::new(ctx)?;
    let running =
        working.run(&[], &["sh", "-c", "sleep 1; echo ready; exec sleep 1000"]).spawn()?;
    ctx.eventually("it runs", || running.out_now().contains("ready").then_some(()))?;
    let pid = nix::unistd::Pid::from_raw(running.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT)
        .map_err(|error| error.to_string())?;
    running.wait()?.failed()?;
    working.shell(&[], "true").map(drop)
}

//! `-it`: the container's process and those of `exec` on the user's terminal.

use crate::call::{Call, Running};
use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::pty::Terminal;
use crate::result::{Doing, Res, holds};

pub(crate) const FEATURE: Feature = Feature {
    name: "terminal",
    cases: &[
        root!(run_has_it_with_its_size).needs(&[Need::Docker(23)]),
        root!(run_interrupt_reaches_the_process),
        root!(run_resize_is_passed_on),
        root!(run_detached_and_attached),
        root!(exec_has_it_with_its_size).needs(&[Need::Docker(23)]),
        root!(exec_interrupt_reaches_the_process),
        root!(needs_a_terminal_on_stdin),
    ],
};

const TTY: &[&str] = &["--interactive", "--tty"];

fn on(call: Call, terminal: &mut Terminal) -> Res<Running> {
    let running = call.on_terminal(terminal.slave()?)?.spawn()?;
    terminal.let_go();
    Ok(running)
}

/// The size is there before the program can look (but for Podman's conmon), it is the controlling terminal, and
/// input comes.
fn talks(cli: Cli<'_>, call: impl Fn(&[&str]) -> Call) -> Res {
    let mut line =
        "stty size; tty; : >/dev/tty && echo ready; read a; echo \"<$a>\"; exit 5".to_string();
    if cli.tells_size_late() {
        line.insert_str(0, "until stty size 2>/dev/null | grep -q 97; do sleep 0.02; done; ");
    }
    let mut terminal = Terminal::open(31, 97)?;
    let running = on(call(&["sh", "-c", &line]), &mut terminal)?;
    let begin = terminal.until("ready")?;
    holds!(begin.contains("31 97"), "no size in {begin:?}");
    holds!(begin.contains("/dev/pts/") || begin.contains("/dev/console"), "no tty in {begin:?}");
    terminal.types("typed\n")?;
    terminal.until("<typed>")?;
    running.wait()?.is(5).map(drop)
}

fn run_has_it_with_its_size(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    talks(cli, |program| cli.run_call(TTY, program))
}

fn exec_has_it_with_its_size(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let container = cli.sleeper(&[])?;
    talks(cli, |program| container.exec_call(TTY, program))
}

const INTERRUPTED: &[&str] =
    &["sh", "-c", "trap 'echo interrupted; exit 7' INT; echo ready; while :; do sleep 0.02; done"];

fn interrupted(call: Call) -> Res {
    let mut terminal = Terminal::open(24, 80)?;
    let running = on(call, &mut terminal)?;
    terminal.until("ready")?;
    terminal.types("\x03")?;
    terminal.until("interrupted")?;
    running.wait()?.is(7).map(drop)
}

fn run_interrupt_reaches_the_process(ctx: &Ctx) -> Res {
    interrupted(Cli::of(ctx).run_call(TTY, INTERRUPTED))
}

fn exec_interrupt_reaches_the_process(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    interrupted(container.exec_call(TTY, INTERRUPTED))
}

fn run_resize_is_passed_on(ctx: &Ctx) -> Res {
    let line = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done";
    let mut terminal = Terminal::open(24, 80)?;
    let call = Cli::of(ctx).run_call(&["--interactive", "--tty", "--init"], &["sh", "-c", line]);
    let running = on(call, &mut terminal)?;
    terminal.until("ready")?;
    // Docker may not listen yet when it has just told the first size.
    let mut rows = (41..91).map(|rows| rows.to_string());
    while !terminal.has(" 123") {
        let rows = rows.next().doing("a size that is passed on")?;
        terminal.stty(ctx, &["rows", &rows, "cols", "123"])?;
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    terminal.types("\x03")?;
    running.wait()?.is(130).map(drop)
}

/// A key that leaves a container, and `attach`.
fn run_detached_and_attached(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let container = cli.detached(TTY, &["sh", "-c", "while read a; do echo \"<$a>\"; done"])?;
    for word in ["one", "two"] {
        let mut terminal = Terminal::open(24, 80)?;
        let running = on(container.call(&["attach", "--detach-keys", "ctrl-x"]), &mut terminal)?;
        terminal.types(&format!("{word}\n"))?;
        terminal.until(&format!("<{word}>"))?;
        terminal.types("\x18")?;
        running.wait()?;
        container.until_is("{{.State.Running}}", "true")?;
    }
    Ok(())
}

fn needs_a_terminal_on_stdin(ctx: &Ctx) -> Res {
    // The container's has one all the same when nobody asks for input.
    Cli::of(ctx).run(&["--tty"], &["tty"])?.is(0)?.has("/dev/pts/0").map(drop)
}

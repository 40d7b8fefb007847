//! Terminals: sent over a console socket, or owned by a foreground `run -t` or `exec -t`.

use serde_json::json;

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::pty::{ConsoleSocket, Terminal};
use crate::result::{Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "terminal",
    cases: &[
        either!(create_sends_the_master),
        either!(create_is_its_controlling_terminal),
        either!(create_console_is_the_terminal),
        either!(create_console_size),
        either!(create_resize_through_the_master),
        either!(create_without_socket_refused),
        either!(create_socket_missing_refused),
        either!(create_socket_without_terminal_refused).only_runc("crun ignores the socket"),
        either!(detached_without_socket_refused),
        either!(run_foreground),
        either!(run_exit_code),
        either!(run_size_is_the_callers).only_runc("crun leaves it 0 x 0"),
        either!(run_resize_is_passed_on),
        either!(run_raw_mode_and_back),
        either!(run_interrupt_reaches_the_process),
        either!(run_output_is_complete).only_runc("crun loses some of it"),
        either!(run_leaves_caller_terminal_usable_after_kill),
        either!(run_without_terminal_on_stdin),
        either!(exec_foreground),
        either!(exec_size_is_the_callers),
        either!(exec_resize_is_passed_on).only_runc("crun may pass the old size on"),
        either!(exec_output_is_complete).only_runc("crun loses some of it"),
        either!(exec_console_socket),
        either!(exec_terminal_is_not_taken_by_others)
            .takes(60)
            .ours("the peers fail when it is taken before the program has it"),
        either!(exec_process_file_terminal),
        either!(exec_process_file_console_size).only_runc("crun may set it too late"),
        either!(exec_detached_without_socket_refused).only_runc("crun names the system call alone"),
    ],
};

/// So often an `exec` is to get its terminal from others.
const ROUNDS: usize = 40;

fn with_terminal<'a>(ctx: &'a Ctx, line: &str) -> Res<Container<'a>> {
    let mut container = ctx.container()?;
    container.set("/process/terminal", true).sh(line);
    Ok(container)
}

/// Creates it with a console socket and starts it; the terminal is what came over the socket.
fn over_socket(ctx: &Ctx, container: &Container<'_>) -> Res<Terminal> {
    let socket = ConsoleSocket::new(ctx)?;
    container.create_call(&["--console-socket", &socket.flag()])?.ok()?;
    let terminal = socket.terminal(ctx)?;
    container.start()?;
    Ok(terminal)
}

fn create_sends_the_master(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, "tty; read line; echo \"<$line>\"")?;
    let mut terminal = over_socket(ctx, &container)?;
    terminal.until("/dev/pts/0\r\n")?;
    terminal.types("typed\n")?;
    terminal.until("<typed>\r\n")?;
    container.until("stopped")?;
    terminal.until_end()?;
    container.delete()?;
    container.gone()
}

fn create_is_its_controlling_terminal(ctx: &Ctx) -> Res {
    let container = with_terminal(
        ctx,
        "echo to the terminal >/dev/tty && ps -o pid,tty >/dev/null; stat -c %u:%a /dev/pts/0",
    )?;
    let mut terminal = over_socket(ctx, &container)?;
    terminal.until("to the terminal\r\n")?;
    let stat = terminal.until("\n")?;
    holds!(stat.starts_with("0:6"), "/dev/pts/0 is {stat}");
    Ok(())
}

/// CVE-2025-52565 is about this mount.
fn create_console_is_the_terminal(ctx: &Ctx) -> Res {
    let container = with_terminal(
        ctx,
        "test -c /dev/console && echo to the console >/dev/console; readlink /proc/self/fd/0",
    )?;
    let mut terminal = over_socket(ctx, &container)?;
    terminal.until("to the console\r\n")?;
    terminal.until("/dev/pts/0\r\n")?;
    Ok(())
}

/// The size is there before the process runs: docker sends it so.
fn create_console_size(ctx: &Ctx) -> Res {
    let mut container = with_terminal(ctx, "stty size")?;
    container.set("/process/consoleSize", json!({"height": 33, "width": 101}));
    let mut terminal = over_socket(ctx, &container)?;
    terminal.until("33 101\r\n")?;
    Ok(())
}

fn create_resize_through_the_master(ctx: &Ctx) -> Res {
    let container =
        with_terminal(ctx, "trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done")?;
    let mut terminal = over_socket(ctx, &container)?;
    terminal.until("ready")?;
    terminal.stty(ctx, &["rows", "44", "cols", "99"])?;
    terminal.until("44 99\r\n")?;
    Ok(())
}

fn create_without_socket_refused(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, "true")?;
    container.create_call(&[])?.done()?.refused(&["console socket", "--console-socket", "tty"])?;
    container.gone()
}

fn create_socket_missing_refused(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, "true")?;
    let call = container.create_call(&["--console-socket", "/no/such/socket"])?;
    call.done()?.refused(&["no such file", "console socket"])?;
    container.gone()
}

fn create_socket_without_terminal_refused(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    let socket = ConsoleSocket::new(ctx)?;
    let call = container.create_call(&["--console-socket", &socket.flag()])?;
    call.done()?.refused(&["console socket", "terminal", "tty"])?;
    container.gone()
}

fn detached_without_socket_refused(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, "true")?;
    container.run_call(&["-d"])?.done()?.refused(&["console socket", "--console-socket", "tty"])?;
    container.gone()
}

/// `run` on a terminal of the test's, in the foreground.
fn on_terminal(container: &Container<'_>, terminal: &mut Terminal) -> Res<crate::call::Running> {
    let running = container.run_call(&[])?.on_terminal(terminal.slave()?)?.spawn()?;
    terminal.let_go();
    Ok(running)
}

fn run_foreground(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, "tty; read line; echo \"<$line>\"")?;
    let mut terminal = Terminal::open(24, 80)?;
    let running = on_terminal(&container, &mut terminal)?;
    terminal.until("/dev/pts/0\r\n")?;
    terminal.types("typed\r")?;
    terminal.until("<typed>\r\n")?;
    running.wait()?.is(0)?;
    container.gone()
}

fn run_exit_code(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, "exit 42")?;
    let mut terminal = Terminal::open(24, 80)?;
    on_terminal(&container, &mut terminal)?.wait()?.is(42)?;
    container.gone()
}

fn run_size_is_the_callers(ctx: &Ctx) -> Res {
    // The size may arrive after the process: it waits for it as programs do.
    let container = with_terminal(ctx, "sleep 0.3; stty size")?;
    let mut terminal = Terminal::open(37, 91)?;
    let running = on_terminal(&container, &mut terminal)?;
    terminal.until("37 91\r\n")?;
    running.wait()?.is(0)?;
    Ok(())
}

fn run_resize_is_passed_on(ctx: &Ctx) -> Res {
    let container =
        with_terminal(ctx, "trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done")?;
    let mut terminal = Terminal::open(24, 80)?;
    let running = on_terminal(&container, &mut terminal)?;
    terminal.until("ready")?;
    terminal.stty(ctx, &["rows", "45", "cols", "123"])?;
    terminal.until("45 123\r\n")?;
    container.kill("KILL")?;
    running.wait()?.is(128 + 9)?;
    Ok(())
}

fn run_raw_mode_and_back(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, "echo ready; read line")?;
    let mut terminal = Terminal::open(24, 80)?;
    let before = terminal.stty(ctx, &["-g"])?;
    let keep = terminal.slave()?.try_clone().map_err(|error| error.to_string())?;
    let running = on_terminal(&container, &mut terminal)?;
    terminal.until("ready")?;
    let during = terminal.stty(ctx, &["-a"])?;
    for mode in ["-icanon", "-echo", "-isig", "-opost"] {
        let raw = during.split([' ', '\n', ';']).any(|word| word == mode);
        // crun leaves opost on, and that is right too: it is about output that is shown twice.
        holds!(raw || mode == "-opost", "the caller's terminal is not raw: no {mode} in {during}");
    }
    terminal.types("\r")?;
    running.wait()?.is(0)?;
    same!(terminal.stty(ctx, &["-g"])?, before);
    drop(keep);
    Ok(())
}

fn run_interrupt_reaches_the_process(ctx: &Ctx) -> Res {
    let container = with_terminal(
        ctx,
        "trap 'echo interrupted; exit 7' INT; echo ready; while :; do sleep 0.02; done",
    )?;
    let mut terminal = Terminal::open(24, 80)?;
    let running = on_terminal(&container, &mut terminal)?;
    terminal.until("ready")?;
    terminal.types("\x03")?;
    terminal.until("interrupted")?;
    running.wait()?.is(7)?;
    Ok(())
}

/// 300 KB and the last line right before the end.
const FLOOD: &str = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789; i=$((i+1)); done; echo the last line";

fn whole_flood(text: &str) -> Res {
    same!(text.matches("0123456789\r\n").count(), 3000);
    holds!(
        text.ends_with("the last line\r\n"),
        "ends with {:?}",
        text.get(text.len().saturating_sub(40)..)
    );
    Ok(())
}

fn run_output_is_complete(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, FLOOD)?;
    let mut terminal = Terminal::open(24, 200)?;
    let running = on_terminal(&container, &mut terminal)?;
    let text = terminal.until_end()?;
    running.wait()?.is(0)?;
    whole_flood(&text)
}

fn run_leaves_caller_terminal_usable_after_kill(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, "echo ready; sleep 100")?;
    let mut terminal = Terminal::open(24, 80)?;
    let before = terminal.stty(ctx, &["-g"])?;
    let keep = terminal.slave()?.try_clone().map_err(|error| error.to_string())?;
    let running = on_terminal(&container, &mut terminal)?;
    terminal.until("ready")?;
    container.kill("KILL")?;
    running.wait()?.is(128 + 9)?;
    same!(terminal.stty(ctx, &["-g"])?, before);
    drop(keep);
    Ok(())
}

/// Output to a pipe, as in a script: the process has a terminal of its own all the same.
fn run_without_terminal_on_stdin(ctx: &Ctx) -> Res {
    let container = with_terminal(ctx, "tty")?;
    let out = container.run()?;
    holds!(
        out.code != 0 || out.text() == "/dev/pts/0",
        "neither refused nor on a terminal: {}",
        out.out
    );
    container.gone()
}

fn running(ctx: &Ctx) -> Res<Container<'_>> {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    Ok(container)
}

pub(super) fn exec_on(
    container: &Container<'_>,
    terminal: &mut Terminal,
    line: &str,
) -> Res<crate::call::Running> {
    let call = container.exec_call(&["-t"], &["/bin/sh", "-c", line]);
    let exec = call.on_terminal(terminal.slave()?)?.spawn()?;
    terminal.let_go();
    Ok(exec)
}

fn exec_foreground(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let mut terminal = Terminal::open(24, 80)?;
    let exec = exec_on(&container, &mut terminal, "tty; read line; echo \"<$line>\"; exit 5")?;
    terminal.until("/dev/pts/0\r\n")?;
    terminal.types("typed\r")?;
    terminal.until("<typed>\r\n")?;
    exec.wait()?.is(5)?;
    Ok(())
}

fn exec_size_is_the_callers(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let mut terminal = Terminal::open(39, 93)?;
    let exec = exec_on(&container, &mut terminal, "sleep 0.3; stty size")?;
    terminal.until("39 93\r\n")?;
    exec.wait()?.is(0)?;
    Ok(())
}

fn exec_resize_is_passed_on(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let mut terminal = Terminal::open(24, 80)?;
    let line = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done";
    let exec = exec_on(&container, &mut terminal, line)?;
    terminal.until("ready")?;
    terminal.stty(ctx, &["rows", "46", "cols", "124"])?;
    terminal.until("46 124\r\n")?;
    container.kill("KILL")?;
    exec.wait()?.is(128 + 9)?;
    Ok(())
}

fn exec_output_is_complete(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let mut terminal = Terminal::open(24, 200)?;
    let exec = exec_on(&container, &mut terminal, FLOOD)?;
    let text = terminal.until_end()?;
    exec.wait()?.is(0)?;
    whole_flood(&text)
}

/// A session of the container's own takes whatever terminal it can open, another opens all there are, and
/// neither spoils them.
fn exec_terminal_is_not_taken_by_others(ctx: &Ctx) -> Res {
    let open = "for n in 0 1 2 3; do true <>/dev/pts/$n; done 2>/dev/null";
    let line = format!(
        "trap '' HUP; (while :; do {open}; done) & setsid sh -c 'trap \"\" HUP; while :; do {open}; done' & \
         echo ready; while :; do {open}; done"
    );
    let container = ctx.container_of(&["/bin/sh", "-c", &line])?;
    container.run_until("ready")?;
    for _ in 0..ROUNDS {
        let mut terminal = Terminal::open(24, 80)?;
        let exec = exec_on(&container, &mut terminal, "stty -F /dev/tty size; echo done")?;
        terminal.until("24 80")?;
        terminal.until("done")?;
        exec.wait()?.is(0)?;
    }
    container.force_delete()?;
    container.gone()
}

fn exec_console_socket(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let socket = ConsoleSocket::new(ctx)?;
    let flags = ["-d", "-t", "--console-socket", &socket.flag()];
    container.exec(&flags, &["/bin/sh", "-c", "tty; read line; echo \"<$line>\""])?.is(0)?;
    let mut terminal = socket.terminal(ctx)?;
    terminal.until("/dev/pts/0\r\n")?;
    terminal.types("typed\n")?;
    terminal.until("<typed>\r\n")?;
    terminal.until_end()?;
    Ok(())
}

fn exec_of_file(
    ctx: &Ctx,
    container: &Container<'_>,
    process: &serde_json::Value,
) -> Res<Terminal> {
    let file = ctx.make_file("process.json", &process.to_string())?;
    let socket = ConsoleSocket::new(ctx)?;
    let call = ctx.runtime().arg("exec").arg("--process").arg(file);
    call.args(["--console-socket", &socket.flag(), "--detach", &container.id]).ok()?;
    socket.terminal(ctx)
}

fn exec_process_file_terminal(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let process = json!({"terminal": true, "user": {"uid": 0, "gid": 0}, "cwd": "/",
        "args": ["/bin/sh", "-c", "tty; echo $TERM"], "env": ["PATH=/bin", "TERM=straw"]});
    let mut terminal = exec_of_file(ctx, &container, &process)?;
    terminal.until("/dev/pts/0\r\n")?;
    terminal.until("straw\r\n")?;
    Ok(())
}

fn exec_process_file_console_size(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let process = json!({"terminal": true, "user": {"uid": 0, "gid": 0}, "cwd": "/",
        "args": ["/bin/stty", "size"], "env": ["PATH=/bin"], "consoleSize": {"height": 31, "width": 77}});
    let mut terminal = exec_of_file(ctx, &container, &process)?;
    terminal.until("31 77\r\n")?;
    Ok(())
}

fn exec_detached_without_socket_refused(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container.exec(&["-d", "-t"], &["/bin/true"])?.refused(&[
        "console socket",
        "--console-socket",
        "tty",
    ])?;
    Ok(())
}

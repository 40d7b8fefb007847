//! One call of a program, usually the runtime, and what came of it.
//!
//! stdout and stderr go to files and not to pipes: a container that lives on holds them open, and
//! nobody should wait for it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::ctx::Ctx;
use crate::harness::procs;
use crate::result::{Doing, Res};
use crate::text::{brief, lines};

/// A single call of a runtime takes less than this, also in a slow guest.
const LIMIT: Duration = Duration::from_secs(20);

/// The same of an engine.
const ENGINES_LIMIT: Duration = Duration::from_secs(90);

/// A warning of runc's beside nearly every error.
const PEER_NOISE: &str = "unable to get oom kill count";

/// For who traces what the program makes as well, and is told when one of these executes something.
pub(crate) const WITH_CHILDREN: Options = Options::PTRACE_O_TRACEFORK
    .union(Options::PTRACE_O_TRACEVFORK)
    .union(Options::PTRACE_O_TRACECLONE)
    .union(Options::PTRACE_O_TRACEEXEC);

pub(crate) struct Call {
    command: Command,
    stem: PathBuf,
    stdin: Stdio,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    limit: Duration,
}

/// A call that has not ended.
pub(crate) struct Running {
    child: Child,
    what: String,
    stem: PathBuf,
    limit: Duration,
}

/// What came of a call. `code` is 128 + signal when a signal ended it.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) what: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Call {
    pub(crate) fn new(ctx: &Ctx, program: &Path) -> Call {
        let mut command = Command::new(program);
        command.env_clear();
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", ctx.dir.join("home"));
        command.env("TMPDIR", ctx.dir.join("tmp"));
        if ctx.uses_systemd() {
            command.envs(own_manager());
        } else {
            command.env("XDG_RUNTIME_DIR", ctx.dir.join("xdg"));
        }
        command.current_dir(&ctx.dir);
        let stem = ctx.dir.join(format!("call{}", ctx.next()));
        let limit = if ctx.engine.is_some() { ENGINES_LIMIT } else { LIMIT };
        Call { command, stem, stdin: Stdio::null(), stdout: None, stderr: None, limit }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Call {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Call {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Call {
        self.command.env(key, value);
        self
    }

    pub(crate) fn env_remove(mut self, key: &str) -> Call {
        self.command.env_remove(key);
        self
    }

    pub(crate) fn cwd(mut self, dir: &Path) -> Call {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Call {
        self.stdin = stdin.into();
        self
    }

    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Call {
        self.stdout = Some(stdout.into());
        self
    }

    pub(crate) fn stderr(mut self, stderr: impl Into<Stdio>) -> Call {
        self.stderr = Some(stderr.into());
        self
    }

    /// Gives the program this text on its stdin.
    pub(crate) fn input(self, text: &str) -> Res<Call> {
        let path = self.stem.with_extension("in");
        fs::write(&path, text).doing("write stdin")?;
        let file = File::open(path).doing("open stdin")?;
        Ok(self.stdin(file))
    }

    /// Starts it with another program, which has to execute its arguments.
    pub(crate) fn through(self, program: &[&str]) -> Call {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear();
        command.envs(self.command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.current_dir(self.command.get_current_dir().unwrap_or(Path::new("/")));
        Call { command, ..self }
    }

    /// All three standard streams on one terminal, as its controlling terminal.
    pub(crate) fn on_terminal(self, terminal: &OwnedFd) -> Res<Call> {
        let copy = || terminal.try_clone().doing("copy the terminal");
        let call = self.through(&["/usr/bin/setsid", "--ctty", "--wait"]);
        Ok(call.stdin(copy()?).stdout(copy()?).stderr(copy()?))
    }

    /// Where its stdout goes unless it was given one.
    pub(crate) fn stdout_path(&self) -> PathBuf {
        self.stem.with_extension("out")
    }

    pub(crate) fn spawn(mut self) -> Res<Running> {
        let what = self.describe();
        let file = |kind| File::create(self.stem.with_extension(kind)).map(Stdio::from);
        let stdout = self.stdout.take().map_or_else(|| file("out"), Ok).doing("make stdout")?;
        let stderr = self.stderr.take().map_or_else(|| file("err"), Ok).doing("make stderr")?;
        self.command.stdin(self.stdin).stdout(stdout).stderr(stderr);
        let child = procs::start(&mut self.command).doing(&what)?;
        Ok(Running { child, what, stem: self.stem, limit: self.limit })
    }

    /// The caller traces it, and has to let it begin; it is killed when the caller ends.
    pub(crate) fn spawn_traced(mut self, options: Options) -> Res<Running> {
        crate::sys::be_traced(&mut self.command);
        let running = self.spawn()?;
        let pid = Pid::from_raw(running.pid());
        let status = waitpid(pid, Some(WaitPidFlag::__WALL)).doing("wait for it to begin")?;
        if !matches!(status, WaitStatus::Stopped(..)) {
            return Err(format!("it did not begin: {status:?}"));
        }
        ptrace::setoptions(pid, options | Options::PTRACE_O_EXITKILL).doing("trace it")?;
        Ok(running)
    }

    /// Runs it to its end.
    pub(crate) fn done(self) -> Res<Out> {
        self.spawn()?.wait()
    }

    /// Runs it to its end, which must be exit status 0.
    pub(crate) fn ok(self) -> Res<Out> {
        self.done()?.is(0)
    }

    /// The call without the parts that are the same everywhere.
    fn describe(&self) -> String {
        let program = Path::new(self.command.get_program()).file_name().unwrap_or_default();
        let args: Vec<OsString> = self.command.get_args().map(OsStr::to_os_string).collect();
        let skip = if args.first().is_some_and(|arg| arg == "--root") { 2 } else { 0 };
        let words = args.iter().skip(skip).map(|arg| arg.to_string_lossy());
        let text =
            words.fold(program.to_string_lossy().into_owned(), |line, word| line + " " + &word);
        brief(&text, 200)
    }
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has written so far.
    pub(crate) fn out_now(&self) -> String {
        read(&self.stem.with_extension("out"))
    }

    pub(crate) fn wait(mut self) -> Res<Out> {
        let end = Instant::now() + self.limit;
        // Dropping it closes a piped stdin, without which a reader in the container would not end.
        drop(self.child.stdin.take());
        loop {
            procs::reap_adopted();
            match self.child.try_wait().doing(&self.what)? {
                Some(status) => {
                    procs::waited_for(self.pid());
                    return Ok(self.out(status));
                }
                None if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
                None => {
                    let _gone = self.child.kill();
                    let said = self.out(ExitStatus::from_raw(9));
                    return Err(format!(
                        "{}: no end within {} s{}",
                        self.what,
                        self.limit.as_secs(),
                        said.words()
                    ));
                }
            }
        }
    }

    fn out(&self, status: ExitStatus) -> Out {
        Out {
            what: self.what.clone(),
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            out: read(&self.stem.with_extension("out")),
            err: read(&self.stem.with_extension("err")),
        }
    }
}

/// What leads to the caller's systemd.
fn own_manager() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];
    names.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

impl Out {
    fn words(&self) -> String {
        let part = |name, text: &str| match text.trim().is_empty() {
            true => String::new(),
            false => format!(", {name} `{}`", brief(text, 300)),
        };
        part("stdout", &self.out) + &part("stderr", &self.err)
    }

    /// It must have ended with this exit status.
    pub(crate) fn is(self, code: i32) -> Res<Out> {
        if self.code == code {
            Ok(self)
        } else {
            Err(format!(
                "`{}` gave exit status {}, wanted {code}{}",
                self.what,
                self.code,
                self.words()
            ))
        }
    }

    /// It must have failed.
    pub(crate) fn failed(self) -> Res<Out> {
        if self.code != 0 {
            Ok(self)
        } else {
            Err(format!("`{}` did not fail{}", self.what, self.words()))
        }
    }

    /// A hostile config may be refused or made harmless; either has to show.
    pub(crate) fn ran_or_failed(self, text: &str) -> Res<Out> {
        if self.code != 0 && !self.err.is_empty() {
            return Ok(self);
        }
        self.has(text)
    }

    /// It must have failed with one line of error that has one of these texts, in upper or lower case.
    pub(crate) fn refused(self, texts: &[&str]) -> Res<Out> {
        let out = self.failed()?;
        let said: Vec<&str> =
            lines(&out.err).into_iter().filter(|line| !line.contains(PEER_NOISE)).collect();
        if said.len() != 1 {
            return Err(format!(
                "`{}` wants one line on stderr, has {}{}",
                out.what,
                said.len(),
                out.words()
            ));
        }
        out.says_one_of(texts)
    }

    /// Its stderr must have one of these texts, in upper or lower case.
    pub(crate) fn says_one_of(self, texts: &[&str]) -> Res<Out> {
        let said = self.err.to_lowercase();
        if texts.is_empty() || texts.iter().any(|text| said.contains(&text.to_lowercase())) {
            Ok(self)
        } else {
            Err(format!("`{}` does not say {}{}", self.what, texts.join(" or "), self.words()))
        }
    }

    /// Its stdout without the last line end.
    pub(crate) fn text(&self) -> &str {
        self.out.trim_end_matches('\n').trim_end_matches('\r')
    }

    /// Its stdout must be this, apart from the last line end.
    pub(crate) fn prints(self, text: &str) -> Res<Out> {
        if self.text() == text {
            Ok(self)
        } else {
            Err(format!("`{}` wants stdout `{}`{}", self.what, brief(text, 300), self.words()))
        }
    }

    /// Its stdout must have this text.
    pub(crate) fn has(self, text: &str) -> Res<Out> {
        if self.out.contains(text) {
            Ok(self)
        } else {
            Err(format!("`{}` wants `{}` in stdout{}", self.what, brief(text, 300), self.words()))
        }
    }

    pub(crate) fn json(&self) -> Res<serde_json::Value> {
        serde_json::from_str(&self.out)
            .map_err(|error| format!("`{}`: {error}{}", self.what, self.words()))
    }
}

/// Lets children inherit this descriptor, under the number it has.
pub(crate) fn inherit(fd: &impl AsFd) -> Res {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).doing("clear FD_CLOEXEC")?;
    Ok(())
}

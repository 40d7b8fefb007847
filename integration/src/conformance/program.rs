//! Runs one validation program, in a process and a directory of its own, and cleans up after it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::harness::{leaks, procs};
use crate::options::{Inner, Options};
use crate::result::{Doing, Res};

/// What a program said.
pub(super) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// How it ended.
    pub(super) end: String,
}

/// The longest makes 32 containers one after the other, in the guest as well.
const LEAST_LIMIT: Duration = Duration::from_secs(180);

pub(super) const GOOD_END: &str = "exit status 0";

/// The whole of it, from outside.
pub(super) fn run(options: &Options, name: &str, work: &Path) -> Res<Output> {
    let dir = work.join(name);
    fs::create_dir(&dir).doing("make its directory")?;
    crate::ctx::open_to_all(&dir)?;
    let mut own = Command::new(std::env::current_exe().doing("own path")?);
    own.arg("--runtime").arg(&options.runtime);
    own.arg("--time-limit").arg(options.time_limit.as_secs().to_string());
    own.arg("--conformance").args(&options.conformance).arg("--inner").arg(name).arg(&dir);
    let status = own.stdin(Stdio::null()).status().doing("start its process");
    let read = |file: &str| fs::read(dir.join(file)).unwrap_or_default();
    let text = |file: &str| String::from_utf8_lossy(&read(file)).into_owned();
    let output = Output { stdout: text("stdout"), stderr: text("stderr"), end: text("end") };
    leaks::remove_directory(&dir);
    status?;
    Ok(output)
}

/// In a process of its own, which as a subreaper can tell what is the program's.
pub(super) fn inner(options: &Options, inner: &Inner) -> Res<ExitCode> {
    set_child_subreaper(true).doing("become subreaper")?;
    let dir = &inner.dir;
    let tmp = dir.join("tmp");
    fs::create_dir(&tmp).doing("make TMPDIR")?;
    crate::ctx::open_to_all(&tmp)?;
    let runtime = wrapper(&options.runtime, dir)?;
    let programs = options.conformance.as_deref().doing("--conformance")?;
    let file = |name: &str| File::create(dir.join(name)).doing(name);
    // It finds the root filesystem and the payload in its working directory.
    let mut program = Command::new(programs.join(&inner.case));
    program.current_dir(programs).env("RUNTIME", &runtime).env("TMPDIR", &tmp);
    program.stdin(Stdio::null()).stdout(file("stdout")?).stderr(file("stderr")?);
    let child = program.spawn().doing("start it")?;
    let end = wait(Pid::from_raw(child.id() as i32), options.time_limit.max(LEAST_LIMIT));
    delete_all(&runtime, &dir.join("state"));
    procs::kill_below(std::process::id() as i32);
    fs::write(dir.join("end"), end).doing("write how it ended")?;
    Ok(ExitCode::SUCCESS)
}

/// The programs give the runtime no `--root`.
fn wrapper(runtime: &Path, dir: &Path) -> Res<std::path::PathBuf> {
    let path = dir.join("runtime");
    let (program, state) = (runtime.display(), dir.join("state"));
    let text = format!("#!/bin/sh\nexec '{program}' --root '{}' \"$@\"\n", state.display());
    fs::write(&path, text).doing("write the runtime's script")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).doing("make it a program")?;
    Ok(path)
}

/// How it ended. Containers' processes end in between, and belong to this process by then.
fn wait(program: Pid, limit: Duration) -> String {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == program => {
                return format!("exit status {code}");
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == program => {
                return format!("killed by {signal}");
            }
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(2)),
            Ok(_) => {}
            Err(error) => return format!("wait: {error}"),
        }
    }
    format!("no end within {} s", limit.as_secs())
}

fn delete_all(runtime: &Path, state: &Path) {
    for entry in fs::read_dir(state).into_iter().flatten().flatten() {
        let mut delete = Command::new(runtime);
        delete.args(["delete", "--force"]).arg(entry.file_name());
        let _what_is_left_is_killed =
            delete.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

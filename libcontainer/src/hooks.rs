//! Hooks: programs that run at points of a container's life (runtime-spec config.md, "POSIX-platform Hooks").
//!
//! | hook | when | where | when it fails |
//! |---|---|---|---|
//! | prestart, createRuntime | namespaces and mounts are there, the root has not changed | the caller's namespaces | creation fails |
//! | createContainer | after those | the container's namespaces, the host's paths | creation fails |
//! | startContainer | at start, before the program | the container, as its user | start fails |
//! | poststart | the program runs | the caller's namespaces | a warning |
//! | poststop | the container is deleted | the caller's namespaces | a warning |

use crate::cgroup::{Cgroup, Place};
use crate::config::hooks::{
    CREATE_CONTAINER, CREATE_RUNTIME, Kind, POSTSTART, POSTSTOP, PRESTART, START_CONTAINER,
};
use crate::error::{Error, ErrorKind, Result, describe};
use crate::parent::{self, Launch, Midwife, Process};
use crate::plan::{ALL_NAMESPACES, ExecTarget, HookPlan, Host, for_hook, namespace_of};
use crate::procfs;
use crate::sys::{self, process::Ended};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use oci_spec::runtime::{Hook, Spec};
use serde_json::{Value, json};
use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Whether the child has to stop before the change of root.
pub(crate) fn run_before_pivot(spec: &Spec) -> bool {
    [PRESTART, CREATE_RUNTIME, CREATE_CONTAINER].iter().any(|kind| !kind.of(spec).is_empty())
}

/// The hooks of one container.
pub(crate) struct Hooks<'a> {
    id: &'a str,
    spec: &'a Spec,
    bundle: &'a Path,
    host: &'a Host,
    keyring: bool,
    /// One of them has run.
    begun: Cell<bool>,
}

impl<'a> Hooks<'a> {
    pub(crate) fn new(
        id: &'a str,
        spec: &'a Spec,
        bundle: &'a Path,
        host: &'a Host,
        keyring: bool,
    ) -> Self {
        Self { id, spec, bundle, host, keyring, begun: Cell::new(false) }
    }

    /// Whether the container is made without anybody looking on.
    pub(crate) fn none_in_creation(&self) -> bool {
        START_CONTAINER.of(self.spec).is_empty() && !run_before_pivot(self.spec)
    }

    /// The state of a container that is being made.
    pub(crate) fn creating(&self, pid: i32) -> Value {
        state(self.id, self.spec, self.bundle, "creating", pid)
    }

    /// prestart, createRuntime and createContainer.
    pub(crate) fn before_pivot(&self, process: Process, cgroup: Option<&Place>) -> Result<()> {
        self.begun.set(true);
        let state = self.state("creating", process.pid);
        self.outside(&PRESTART, &state)?;
        self.outside(&CREATE_RUNTIME, &state)?;
        let inside = Inside { process, cgroup, status: "creating", as_process: false };
        self.inside(&CREATE_CONTAINER, &inside)
    }

    /// startContainer.
    pub(crate) fn start_container(&self, process: Process, cgroup: Option<&Place>) -> Result<()> {
        let inside = Inside { process, cgroup, status: "created", as_process: true };
        self.inside(&START_CONTAINER, &inside)
    }

    /// poststart; what goes wrong is only warned of.
    pub(crate) fn poststart(&self, pid: i32) {
        let state = self.state("running", pid);
        warn(&POSTSTART, self.spec, &state);
    }

    /// poststop, for a creation that came as far as its first hook.
    pub(crate) fn poststop_if_begun(&self) {
        if self.begun.get() {
            poststop(self.id, self.spec, self.bundle);
        }
    }

    fn outside(&self, kind: &Kind, state: &[u8]) -> Result<()> {
        let mut numbered = kind.of(self.spec).iter().enumerate();
        numbered.try_for_each(|(number, hook)| {
            let mut command = Command::new(hook.path());
            // Hooks know it from runc, and look for config.json there.
            command.current_dir(self.bundle);
            run_outside(&name(kind, number, hook), hook, command, state)
        })
    }

    fn inside(&self, kind: &Kind, inside: &Inside) -> Result<()> {
        let hooks = kind.of(self.spec);
        if hooks.is_empty() {
            return Ok(());
        }
        let pid = inside.process.pid;
        let root = root_of(pid)?;
        let target = ExecTarget {
            id: self.id,
            spec: self.spec,
            pidfd: inside.process.pidfd.as_raw_fd(),
            namespaces: namespaces_of(self.spec, pid, self.host)?,
            root: Some(root.as_raw_fd()),
            keyring: self.keyring,
            awaits_cgroup: inside.cgroup.is_some_and(Place::may_need_systemd),
        };
        let cgroup = inside.cgroup.map(Cgroup::open).transpose()?.flatten();
        let state = self.state(inside.status, pid_inside(pid)?);
        let mut numbered = hooks.iter().enumerate();
        numbered.try_for_each(|(number, hook)| {
            let name = name(kind, number, hook);
            check_exit_status(&name)?;
            let (stdin, output) = (memory_file(&state)?, memory_file(b"")?);
            let wanted = HookPlan {
                hook,
                stdin: stdin.as_raw_fd(),
                output: output.as_raw_fd(),
                as_process: inside.as_process,
            };
            let plan = for_hook(&target, &wanted, self.host)?;
            let launch = Launch {
                plan: &plan,
                host: self.host,
                cgroup: cgroup.as_ref(),
                start_fifo: None,
                entered: Some(inside.process.pidfd),
            };
            let started = Midwife::idle(|midwife| parent::launch(launch, midwife))
                .and_then(|ready| ready.execute(&plan, &mut |_| Ok(())));
            let (_, pidfd, _) = started.map_err(|error| failed(&name, &error.to_string()))?;
            finish(&name, hook, &pidfd, output)
        })
    }

    fn state(&self, status: &str, pid: i32) -> Vec<u8> {
        state(self.id, self.spec, self.bundle, status, pid).to_string().into_bytes()
    }
}

/// Where hooks in the container's namespaces run.
struct Inside<'a> {
    process: Process<'a>,
    cgroup: Option<&'a Place>,
    status: &'static str,
    /// As the container's process would, not as root of the container.
    as_process: bool,
}

/// The pid of a process as the innermost pid namespace has it: what hooks in there are told.
fn pid_inside(pid: i32) -> Result<i32> {
    let path = format!("/proc/{pid}/status");
    let text = procfs::read(&path).map_err(|error| Error::system(format!("read {path}"), error))?;
    let line = text.lines().find_map(|line| line.strip_prefix("NSpid:"));
    Ok(line.and_then(|line| line.split_whitespace().last()?.parse().ok()).unwrap_or(pid))
}

/// Whether there are poststop hooks.
pub(crate) fn has_poststop(spec: &Spec) -> bool {
    !POSTSTOP.of(spec).is_empty()
}

/// poststop; what goes wrong is only warned of.
pub(crate) fn poststop(id: &str, spec: &Spec, bundle: &Path) {
    warn(&POSTSTOP, spec, state(id, spec, bundle, "stopped", 0).to_string().as_bytes());
}

fn warn(kind: &Kind, spec: &Spec, state: &[u8]) {
    for (number, hook) in kind.of(spec).iter().enumerate() {
        let command = Command::new(hook.path());
        if let Err(error) = run_outside(&name(kind, number, hook), hook, command, state) {
            log::warn!("{error}");
        }
    }
}

fn name(kind: &Kind, number: usize, hook: &Hook) -> String {
    format!("hooks.{}[{number}] ({})", kind.name, hook.path().display())
}

/// The state of a container (runtime-spec runtime.md, "State") at a point of its life, for others to read.
pub(crate) fn state(id: &str, spec: &Spec, bundle: &Path, status: &str, pid: i32) -> Value {
    let mut state = json!({
        "ociVersion": spec.version(),
        "id": id,
        "status": status,
        "bundle": bundle,
        "annotations": spec.annotations().clone().unwrap_or_default(),
    });
    if pid != 0 {
        state["pid"] = pid.into();
    }
    state
}

/// A hook that does not read its state must not block us, so it is given a file rather than a pipe.
fn memory_file(bytes: &[u8]) -> Result<OwnedFd> {
    let make = || {
        let fd = nix::sys::memfd::memfd_create(c"state", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)?;
        let mut file = File::from(fd);
        file.write_all(bytes)?;
        file.rewind()?;
        Ok::<_, std::io::Error>(OwnedFd::from(file))
    };
    make().map_err(|error| Error::system("make a hook's standard input", error))
}

fn run_outside(name: &str, hook: &Hook, mut command: Command, state: &[u8]) -> Result<()> {
    check_exit_status(name)?;
    if let [first, rest @ ..] = hook.args().as_deref().unwrap_or_default() {
        command.arg0(first).args(rest);
    }
    let output = memory_file(b"")?;
    let copy =
        |fd: &OwnedFd| fd.try_clone().map(Stdio::from).map_err(|error| Error::system("dup", error));
    let env = hook.env().iter().flatten().filter_map(|variable| variable.split_once('='));
    command.env_clear().envs(env).stdin(Stdio::from(memory_file(state)?));
    command.stdout(copy(&output)?).stderr(copy(&output)?);
    sys::signal::begin_clean(&mut command);
    let child = command.spawn().map_err(|error| failed(name, &describe(&error)))?;
    let pidfd = sys::process::pidfd_open(child.id() as i32)
        .map_err(|errno| Error::system("pidfd_open", errno))?;
    finish(name, hook, &pidfd, output)
}

fn check_exit_status(name: &str) -> Result<()> {
    parent::check_exit_status().map_err(|error| failed(name, &error.to_string()))
}

/// Waits for a hook, no longer than it may take; then it is killed. What it has printed is not the
/// container's output, but the last line of it says why it failed.
fn finish(name: &str, hook: &Hook, pidfd: &OwnedFd, output: OwnedFd) -> Result<()> {
    let seconds = hook.timeout().and_then(|seconds| u64::try_from(seconds).ok());
    let in_time = ended_in_time(pidfd, seconds.map(Duration::from_secs))?;
    if !in_time {
        let _ = sys::process::pidfd_send_signal(pidfd.as_raw_fd(), libc::SIGKILL);
    }
    let ended = sys::process::wait(pidfd.as_raw_fd(), true)
        .map_err(|errno| Error::system("wait for a hook", errno))?;
    let how = match ended {
        _ if !in_time => {
            let limit = seconds.unwrap_or_default();
            format!("ran longer than its timeout of {limit} s and was killed")
        }
        Some(Ended::Exited(0)) => return Ok(()),
        Some(Ended::Exited(code)) => format!("exit status {code}"),
        Some(Ended::Killed(signal)) => format!("killed by signal {signal}"),
        None => "vanished".to_owned(),
    };
    Err(failed(
        name,
        &match last_line(output) {
            Some(line) => format!("{how}: {line}"),
            None => how,
        },
    ))
}

/// The last line that has something on it.
fn last_line(output: OwnedFd) -> Option<String> {
    const MOST: i64 = 4096;
    let mut file = File::from(output);
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::End(-MOST.min(length as i64))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.map(str::to_owned)
}

fn ended_in_time(pidfd: &OwnedFd, limit: Option<Duration>) -> Result<bool> {
    let Some(limit) = limit else { return Ok(true) };
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(Error::system("wait for a hook", errno)),
        }
    }
}

fn failed(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::Hook, format!("{name}: {why}"))
}

/// The root directory of a process. Before pivot_root it is the host's, in the container's mount
/// namespace.
pub(crate) fn root_of(pid: i32) -> Result<File> {
    let path = format!("/proc/{pid}/root");
    File::open(&path).map_err(|error| Error::system(format!("open {path}"), error))
}

/// `CLONE_NEW*` of the namespaces of `pid` that the config names. Entering one's own user namespace
/// again is an error, and for an ordinary user so is any other: those are left out.
pub(crate) fn namespaces_of(spec: &Spec, pid: i32, host: &Host) -> Result<u64> {
    let linux = spec.linux().as_ref();
    let configured = linux.and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    let mut flags = 0;
    for kind in ALL_NAMESPACES {
        let named = configured.iter().any(|namespace| namespace_of(namespace.typ()) == kind);
        let compare = host.is_rootless() || kind.flag == libc::CLONE_NEWUSER as u64;
        let own =
            || Ok(procfs::namespace(pid, kind.file)? == procfs::namespace("self", kind.file)?);
        if named && !(compare && own()?) {
            flags |= kind.flag;
        }
    }
    Ok(flags)
}

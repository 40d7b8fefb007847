//! `exec`.

use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;

use libcontainer::{Container, ExecOptions, Spawned, Terminal};
use oci_spec::runtime::{Process, Spec};

use crate::args::{Args, CommandLine, flags};
use crate::failure::{Failure, Result};
use crate::foreground::{Attached, Foreground};
use crate::relay::Relay;
use crate::terminal::{self, HostTerminal};
use crate::{exec_process, launch, logger, pidfd_socket, sys};

/// Runs a process in a container and, unless detached, stays until its end.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let args = &line.args;
    let container = line.root()?.open(args.id())?;
    let mut process = process(args, &container)?;
    let detached = args.switch(&flags::DETACH);
    let options = options(args, &process, detached)?;
    if detached {
        spawn(args, &container, &process, &options)?;
        logger::drop_held_back();
        return Ok(0);
    }
    let host = matches!(options.terminal, Terminal::Master).then(HostTerminal::find).flatten();
    if let Some(size) = host.as_ref().and_then(HostTerminal::console_size) {
        process.set_console_size(Some(size));
    }
    let foreground = Foreground::enter(false)?;
    let mut spawned = spawn(args, &container, &process, &options)?;
    logger::show_held_back();
    attend(&foreground, &mut spawned, host).inspect_err(|_| kill(&spawned))
}

fn process(args: &Args, container: &Container) -> Result<Process> {
    match args.path(&flags::PROCESS) {
        Some(path) => {
            let wrong = |error| Failure::system(format!("--process {}", path.display()), error);
            let (mut process, warnings) =
                libcontainer::config::process_from_bytes(&fs::read(path).map_err(wrong)?)?;
            warnings.iter().for_each(|warning| log::warn!("{warning}"));
            confine(&mut process, container.config()?.spec());
            Ok(process)
        }
        None => {
            let config = container.config()?;
            let process = config.spec().process().clone();
            exec_process::from_flags(args, process.unwrap_or_default())
        }
    }
}

/// What confines the container confines whoever enters it, if the file says nothing of that: labels, and
/// capabilities. All else is the file's, as with runc and crun.
fn confine(process: &mut Process, spec: &Spec) {
    let Some(own) = spec.process() else { return };
    if process.capabilities().is_none() {
        process.set_capabilities(own.capabilities().clone());
    }
    if process.apparmor_profile().is_none() {
        process.set_apparmor_profile(own.apparmor_profile().clone());
    }
    if process.selinux_label().is_none() {
        process.set_selinux_label(own.selinux_label().clone());
    }
}

fn options(args: &Args, process: &Process, detached: bool) -> Result<ExecOptions> {
    let wanted = process.terminal().unwrap_or(false);
    let mut options = ExecOptions::default();
    options.terminal = terminal::choose(wanted, detached, args.path(&flags::CONSOLE_SOCKET))?;
    options.preserve_fds = args.number(&flags::PRESERVE_FDS);
    options.cgroup = cgroup(args)?;
    options.ignore_paused = args.switch(&flags::IGNORE_PAUSED);
    Ok(options)
}

/// runc takes one path for each v1 controller; here a process has one cgroup.
fn cgroup(args: &Args) -> Result<Option<PathBuf>> {
    let mut paths = args.texts(&flags::CGROUP);
    match (paths.next(), paths.next()) {
        (Some(path), None) if path.contains(':') => Err(Failure::new(format!(
            "--cgroup {path:?}: a path for single controllers is not supported, give only the path"
        ))),
        (path, None) => Ok(path.map(PathBuf::from)),
        (_, Some(_)) => Err(Failure::new("--cgroup: can be given only once")),
    }
}

/// A process that the caller cannot be told about is killed.
fn spawn(
    args: &Args,
    container: &Container,
    process: &Process,
    options: &ExecOptions,
) -> Result<Spawned> {
    let spawned = container.exec(process, options)?;
    launch::publish(args, &spawned, pidfd_socket::EXEC).inspect_err(|_| kill(&spawned))?;
    Ok(spawned)
}

fn attend(
    foreground: &Foreground,
    spawned: &mut Spawned,
    host: Option<HostTerminal>,
) -> Result<u8> {
    let relay = spawned.terminal.take().map(Relay::new).transpose();
    let relay = relay.map_err(|error| Failure::system("terminal of the process", error))?;
    foreground.attend(spawned, Attached { host, relay, proxy: None })
}

/// Because of a failure, which is what the caller wants to hear of.
fn kill(spawned: &Spawned) {
    let killed = sys::pidfd_send_signal(spawned.pidfd.as_fd(), libc::SIGKILL);
    if let Err(error) = killed.and_then(|()| spawned.wait()) {
        log::warn!("process {} could not be killed after a failure: {error}", spawned.pid);
    }
}

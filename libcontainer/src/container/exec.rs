//! `exec`: a further process in a running container.

use super::agent::Agent;
use super::create::Console;
use super::options::check_preserved;
use super::record::Record;
use super::{Container, ExecOptions, Spawned, status};
use crate::cgroup::{Cgroup, Place};
use crate::config::validate_process;
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::{namespaces_of, root_of, state};
use crate::parent::{self, After, Launch, Midwife, Process};
use crate::plan::{ExecTarget, Host, for_exec};
use crate::procfs::Stat;
use crate::sys::file::Flock;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use oci_spec::runtime::Process as Configured;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

impl Container {
    /// Starts `process` in the container's namespaces and cgroup, and returns when its program is
    /// being executed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRunning`] when the container has stopped; everything that validation finds
    /// wrong with `process`.
    pub fn exec(&self, process: &Configured, options: &ExecOptions) -> Result<Spawned> {
        check_preserved(options.preserve_fds)?;
        // Not into a container that is only half made: its root may still be the host's.
        let (lock, record) = self.directory.lock_with_record(Flock::Shared)?;
        drop(lock);
        let (pid, pidfd) = status::open_init(&record).ok_or_else(|| self.not_entered(""))?;
        self.enter(&record, (pid, &pidfd), process, options).map_err(|error| {
            match ends(&pidfd, &error) {
                true => self.not_entered(" any more"),
                false => error,
            }
        })
    }

    fn enter(
        &self,
        record: &Record,
        (pid, pidfd): (i32, &OwnedFd),
        process: &Configured,
        options: &ExecOptions,
    ) -> Result<Spawned> {
        if !options.ignore_paused && status::is_paused(record) {
            let text = format!(
                "cannot exec in container {:?}: it is paused; resume it, or use --ignore-paused",
                self.id
            );
            return Err(Error::new(ErrorKind::WrongState, text));
        }
        let config = self.stored_config()?;
        let problems = validate_process(process, config.spec().linux().as_ref());
        if !problems.is_empty() {
            return Err(Error::problems(problems));
        }
        crate::labels::check_process(process)?;
        let host = Host::detect_to_join()?;
        let namespaces = namespaces_of(config.spec(), pid, &host)?;
        let shares_mounts = namespaces & libc::CLONE_NEWNS as u64 == 0;
        let root = if shares_mounts { Some(root_of(pid)?) } else { None };
        let target = ExecTarget {
            id: &self.id,
            spec: config.spec(),
            pidfd: pidfd.as_raw_fd(),
            namespaces,
            root: root.as_ref().map(AsRawFd::as_raw_fd),
            keyring: self.record.keyring,
            awaits_cgroup: record.cgroup.as_ref().is_some_and(Place::may_need_systemd),
        };
        let plan = for_exec(&target, process, options, &host)?;
        log::debug!("plan of a process in {}:\n{plan}", self.id);
        let agent = Agent::connect(config.spec(), plan.listens())?;
        let console = Console::for_process(process.terminal().unwrap_or(false), &options.terminal)?;
        let cgroup = self.cgroup_for(options)?;
        let launch = |cgroup: Option<&Cgroup>| {
            let launch = Launch {
                plan: &plan,
                host: &host,
                cgroup,
                start_fifo: None,
                entered: Some(pidfd.as_fd()),
            };
            let mut born = |process: Process, _: &Stat| {
                record.intel_rdt.iter().try_for_each(|place| place.enter(process.pid))?;
                Ok(After::Wait)
            };
            Midwife::of_exec(&mut born, |midwife| parent::launch(launch, midwife))
        };
        let mut ready = match (launch(cgroup.as_ref()), &cgroup) {
            // It has made cgroups of its own, and moved into one of them.
            (Err(error), Some(cgroup)) if error.errno() == Some(libc::EBUSY) => {
                if let Some(below) = &options.cgroup {
                    return Err(gives_controllers(below, error));
                }
                launch(Some(&cgroup.of_process(pid)?.ok_or(error)?))?
            }
            (ready, _) => ready?,
        };
        console.deliver(&mut ready)?;
        plan.warnings().iter().chain(&ready.notes).for_each(|line| log::warn!("{line}"));
        let process_pid = ready.child.pid;
        let mut listening = |listener| match &agent {
            Some(agent) => {
                let state = state(&self.id, config.spec(), &record.bundle, "running", pid);
                agent.deliver(&listener, process_pid, state)
            }
            None => Ok(()),
        };
        let (pid, pidfd, terminal) = ready.execute(&plan, &mut listening)?;
        Ok(Spawned { pid, pidfd, terminal })
    }

    fn not_entered(&self, since_when: &str) -> Error {
        let text = format!("cannot exec in container {:?}: container not running", self.id);
        Error::new(ErrorKind::NotRunning, text + since_when)
    }

    /// The container's cgroup, or the one below it that was asked for.
    fn cgroup_for(&self, options: &ExecOptions) -> Result<Option<Cgroup>> {
        let cgroup = self.cgroup()?;
        match (cgroup, &options.cgroup) {
            (Some(cgroup), Some(below)) => cgroup.child(&below.to_string_lossy()).map(Some),
            (None, Some(below)) => {
                let text = format!(
                    "cgroup {}: the container has no cgroup of its own; leave it out",
                    below.display()
                );
                Err(Error::new(ErrorKind::InvalidArgument, text))
            }
            (cgroup, None) => Ok(cgroup),
        }
    }
}

/// Whether what went wrong did so because the container ends: it takes its processes with it, ours among
/// them. Namespaces and processes go a little before the first process does.
fn ends(init: &OwnedFd, error: &Error) -> bool {
    const PATIENCE: u16 = 1000;
    use ErrorKind::{NotRunning, Setup, System};
    let taken_along = match (error.kind(), error.errno()) {
        (NotRunning, _) => return true,
        // A pid namespace that ends has no room for more: pid_namespaces(7), ENOMEM. ENOENT is of the process's
        // files in procfs.
        (Setup | System, None | Some(libc::ESRCH | libc::ENOMEM))
        | (System, Some(libc::ENOENT)) => true,
        (Setup | System, _) => false,
        _ => return false,
    };
    let patience = PollTimeout::from(if taken_along { PATIENCE } else { 0 });
    poll(&mut [PollFd::new(init.as_fd(), PollFlags::POLLIN)], patience).is_ok_and(|ended| ended > 0)
}

fn gives_controllers(cgroup: &Path, error: Error) -> Error {
    let text = format!(
        "cgroup {}: it gives controllers to cgroups below it, and takes no process itself; name one of \
         those ({error})",
        cgroup.display()
    );
    Error::new(ErrorKind::InvalidArgument, text)
}

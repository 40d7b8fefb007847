//! What `create` and `run` have in common: the bundle, the options, and telling the caller about the
//! process that was made.

use std::path::Path;

use libcontainer::{Bundle, CreateOptions, Created, Spawned, StateRoot};

use crate::args::{Args, CommandLine, flags};
use crate::failure::Result;
use crate::notify::{self, Directory};
use crate::{listen_fds, own_binary, pid_file, pidfd_socket, terminal};

/// What to make a container of, and where.
pub(crate) struct Launch {
    pub(crate) root: StateRoot,
    pub(crate) bundle: Bundle,
    pub(crate) options: CreateOptions,
    /// The container's directory for a notify socket, when a service manager waits for us.
    pub(crate) notify: Option<Directory>,
}

impl Launch {
    /// Reads the bundle; `detached` is whether we return while the process lives.
    pub(crate) fn prepare(line: &CommandLine, detached: bool) -> Result<Self> {
        let mut bundle = load(&line.args)?;
        // Before anything is said, since it may begin this program again.
        own_binary::protect_from_pod(bundle.config.spec());
        log_warnings(&bundle);
        let mut options = options(line);
        let socket = line.args.path(&flags::CONSOLE_SOCKET);
        options.terminal = terminal::choose(wants_terminal(&bundle), detached, socket)?;
        let root = line.root()?;
        let notify = notify_directory(root.path(), line.args.id(), &mut bundle)?;
        options.env.extend(notify.as_ref().map(|_| notify::variable()));
        Ok(Self { root, bundle, options, notify })
    }

    /// Makes the container up to `created`.
    pub(crate) fn create(&self, args: &Args) -> Result<Created> {
        let created = self.root.create(args.id(), &self.bundle, &self.options)?;
        publish_or_delete(args, created)
    }

    /// Makes the container and starts it.
    pub(crate) fn run(&self, args: &Args) -> Result<Created> {
        let created = self.root.run(args.id(), &self.bundle, &self.options)?;
        publish_or_delete(args, created)
    }
}

/// Reads `--bundle` and logs what is odd about it.
pub(crate) fn bundle(args: &Args) -> Result<Bundle> {
    let bundle = load(args)?;
    log_warnings(&bundle);
    Ok(bundle)
}

fn load(args: &Args) -> Result<Bundle> {
    Ok(Bundle::load(args.path(&flags::BUNDLE).unwrap_or(Path::new(".")))?)
}

fn log_warnings(bundle: &Bundle) {
    bundle.config.warnings().iter().for_each(|warning| log::warn!("{warning}"));
}

/// The options but for the terminal, which `plan` has no flag for.
pub(crate) fn options(line: &CommandLine) -> CreateOptions {
    let args = &line.args;
    let passed = listen_fds::passed(args.number(&flags::PRESERVE_FDS));
    let mut options = CreateOptions::default();
    options.cgroups = line.globals.cgroup_manager();
    options.no_pivot = args.switch(&flags::NO_PIVOT);
    options.no_new_keyring = args.switch(&flags::NO_NEW_KEYRING);
    options.preserve_fds = passed.descriptors;
    options.env = passed.env;
    options
}

fn notify_directory(root: &Path, id: &str, bundle: &mut Bundle) -> Result<Option<Directory>> {
    if notify::manager().is_none() || notify::is_set_in(bundle) {
        return Ok(None);
    }
    let directory = Directory::make(root, id)?;
    if let Some(directory) = &directory {
        directory.add_to(bundle)?;
    }
    Ok(directory)
}

fn wants_terminal(bundle: &Bundle) -> bool {
    let process = bundle.config.spec().process().as_ref();
    process.and_then(|process| process.terminal()).unwrap_or(false)
}

/// Tells the caller about the container's process, as the flags ask for it. A container that the
/// caller cannot be told about is deleted.
fn publish_or_delete(args: &Args, created: Created) -> Result<Created> {
    match publish(args, &created.init, pidfd_socket::INIT) {
        Ok(()) => Ok(created),
        Err(failure) => {
            discard(created);
            Err(failure)
        }
    }
}

/// Writes `--pid-file` and serves `--pidfd-socket`.
pub(crate) fn publish(args: &Args, process: &Spawned, kind: &str) -> Result<()> {
    if let Some(path) = args.path(&flags::PID_FILE) {
        pid_file::write(path, process.pid)?;
    }
    if let Some(path) = args.path(&flags::PIDFD_SOCKET) {
        use std::os::fd::AsFd;
        pidfd_socket::send(path, kind, process.pidfd.as_fd())?;
    }
    Ok(())
}

/// Deletes a container because of a failure, which is what the caller wants to hear of.
pub(crate) fn discard(created: Created) {
    let id = created.container.id().to_owned();
    if let Err(error) = created.container.delete(true) {
        log::warn!("container {id} could not be deleted after a failure: {error}");
    }
}

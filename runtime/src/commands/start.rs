//! `start`.

use std::os::fd::AsFd;

use libcontainer::Container;

use crate::args::CommandLine;
use crate::failure::{Failure, Result};
use crate::notify::{self, Directory};
use crate::notify_proxy::Proxy;
use crate::sys;

/// Lets the process of a created container begin and, when a service manager waits for it, stays until
/// it is ready.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let root = line.root()?;
    let container = root.open(line.args.id())?;
    let directory = notify::manager().and_then(|_| Directory::find(root.path(), line.args.id()));
    match directory.map(|directory| Proxy::bind(&directory)).transpose()?.flatten() {
        Some(proxy) => start_and_wait(&container, &proxy)?,
        None => container.start()?,
    }
    Ok(0)
}

fn start_and_wait(container: &Container, proxy: &Proxy) -> Result<()> {
    let wrong = |error| Failure::system("wait until the container is ready", error);
    let pid = container.state()?.pid;
    // Before the start: a process that waits for it cannot have been replaced by another.
    let pidfd = sys::pidfd_open(pid).map_err(wrong)?;
    container.start()?;
    proxy.until_ready(pid, pidfd.as_fd()).map_err(wrong)
}

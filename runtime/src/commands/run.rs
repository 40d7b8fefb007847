//! `run`.

use std::os::fd::AsFd;

use libcontainer::{Created, Terminal};

use crate::args::{CommandLine, flags};
use crate::failure::{Failure, Result};
use crate::foreground::{Attached, Foreground};
use crate::launch::{Launch, discard};
use crate::logger;
use crate::notify::Directory;
use crate::notify_proxy::Proxy;
use crate::relay::Relay;
use crate::terminal::HostTerminal;

/// Makes and starts a container and, unless detached, stays until its end.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let detached = line.args.switch(&flags::DETACH);
    let launch = Launch::prepare(line, detached)?;
    let proxy = launch.notify.as_ref().map(Proxy::bind).transpose()?.flatten();
    if detached {
        run_detached(line, launch, proxy.as_ref())
    } else {
        run_attached(line, &launch, proxy)
    }
}

/// When a service manager waits for the container, so do we.
fn run_detached(line: &CommandLine, launch: Launch, proxy: Option<&Proxy>) -> Result<u8> {
    let init = launch.run(&line.args)?.init;
    launch.notify.into_iter().for_each(Directory::keep);
    if let Some(proxy) = proxy {
        proxy
            .until_ready(init.pid, init.pidfd.as_fd())
            .map_err(|error| Failure::system("wait until the container is ready", error))?;
    }
    Ok(0)
}

fn run_attached(line: &CommandLine, launch: &Launch, proxy: Option<Proxy>) -> Result<u8> {
    let foreground = Foreground::enter(!line.args.switch(&flags::NO_SUBREAPER))?;
    // A program may ask for the size of its terminal at once: it is set before the start.
    let with_terminal = matches!(launch.options.terminal, Terminal::Master);
    let mut created =
        if with_terminal { launch.create(&line.args)? } else { launch.run(&line.args)? };
    logger::show_held_back();
    match attend(&foreground, &mut created, with_terminal, proxy) {
        Ok(code) => {
            if !line.args.switch(&flags::KEEP) {
                delete(created);
            }
            Ok(code)
        }
        Err(failure) => {
            discard(created);
            Err(failure)
        }
    }
}

fn attend(
    foreground: &Foreground,
    created: &mut Created,
    with_terminal: bool,
    proxy: Option<Proxy>,
) -> Result<u8> {
    let mut attached = Attached { proxy, ..Attached::default() };
    if with_terminal {
        attached.host = HostTerminal::find();
        attached.relay = relay(created, attached.host.as_ref())?;
        created.container.start()?;
    }
    foreground.attend(&created.init, attached)
}

fn relay(created: &mut Created, host: Option<&HostTerminal>) -> Result<Option<Relay>> {
    let relay = created.init.terminal.take().map(Relay::new).transpose();
    let relay = relay.map_err(|error| Failure::system("terminal of the container", error))?;
    if let (Some(host), Some(master)) = (host, relay.as_ref().and_then(Relay::master)) {
        host.copy_size_to(master.as_fd());
    }
    Ok(relay)
}

/// The payload has ended and its exit code is ours, whatever becomes of the rest. Forced: processes
/// that share its namespaces may have outlived it.
fn delete(created: Created) {
    let id = created.container.id().to_owned();
    if let Err(error) = created.container.delete(true) {
        log::warn!("container {id} could not be deleted: {error}");
    }
}

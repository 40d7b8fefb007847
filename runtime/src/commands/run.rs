//! `run`.

use std::os::fd::AsFd;

use libcontainer::{Created, Terminal};

use crate::args::{CommandLine, flags};
use crate::failure::{Failure, Result};
use crate::foreground::Foreground;
use crate::launch::{Launch, discard, publish_or_delete};
use crate::logger;
use crate::relay::Relay;
use crate::terminal::HostTerminal;

/// Makes and starts a container and, unless detached, stays until its end.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let detached = line.args.switch(&flags::DETACH);
    let launch = Launch::prepare(line, detached)?;
    if detached {
        run_detached(line, &launch)
    } else {
        run_attached(line, &launch)
    }
}

fn run_detached(line: &CommandLine, launch: &Launch) -> Result<u8> {
    let created = line
        .root()?
        .run(line.args.id(), &launch.bundle, &launch.options)?;
    publish_or_delete(&line.args, created)?;
    Ok(0)
}

fn run_attached(line: &CommandLine, launch: &Launch) -> Result<u8> {
    let root = line.root()?;
    let foreground = Foreground::enter(!line.args.switch(&flags::NO_SUBREAPER))?;
    // A program may ask for the size of its terminal at once: it is set before the start.
    let with_terminal = matches!(launch.options.terminal, Terminal::Master);
    let make = if with_terminal {
        libcontainer::StateRoot::create
    } else {
        libcontainer::StateRoot::run
    };
    let created = make(&root, line.args.id(), &launch.bundle, &launch.options)?;
    let mut created = publish_or_delete(&line.args, created)?;
    logger::show_held_back();
    match attend(&foreground, &mut created, with_terminal) {
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

fn attend(foreground: &Foreground, created: &mut Created, with_terminal: bool) -> Result<u8> {
    if !with_terminal {
        return foreground.attend(&created.init, None, None);
    }
    let host = HostTerminal::find();
    let relay = created.init.terminal.take().map(Relay::new).transpose();
    let relay = relay.map_err(|error| Failure::system("terminal of the container", error))?;
    if let (Some(host), Some(master)) = (&host, relay.as_ref().and_then(Relay::master)) {
        host.copy_size_to(master.as_fd());
    }
    created.container.start()?;
    foreground.attend(&created.init, host.as_ref(), relay)
}

/// The payload has ended and its exit code is ours, whatever becomes of the rest. Forced: processes
/// that share its namespaces may have outlived it.
fn delete(created: Created) {
    let id = created.container.id().to_owned();
    if let Err(error) = created.container.delete(true) {
        log::warn!("container {id} could not be deleted: {error}");
    }
}

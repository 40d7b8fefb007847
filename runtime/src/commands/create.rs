//! `create`.

use crate::args::CommandLine;
use crate::failure::Result;
use crate::launch::{Launch, publish_or_delete};
use crate::logger;

/// Makes a container whose process waits for `start`.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let launch = Launch::prepare(line, true)?;
    let created = line
        .root()?
        .create(line.args.id(), &launch.bundle, &launch.options)?;
    publish_or_delete(&line.args, created)?;
    logger::drop_held_back();
    Ok(0)
}

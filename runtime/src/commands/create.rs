//! `create`.

use crate::args::CommandLine;
use crate::failure::Result;
use crate::launch::Launch;
use crate::logger;
use crate::notify::Directory;

/// Makes a container whose process waits for `start`.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let launch = Launch::prepare(line, true)?;
    launch.create(&line.args)?;
    launch.notify.into_iter().for_each(Directory::keep);
    logger::drop_held_back();
    Ok(0)
}

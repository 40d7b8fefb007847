//! `start`.

use crate::args::CommandLine;
use crate::failure::Result;

/// Lets the process of a created container begin.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    line.root()?.open(line.args.id())?.start()?;
    Ok(0)
}

//! `pause`.

use crate::args::CommandLine;
use crate::failure::Result;

/// Freezes a container's processes.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    line.root()?.open(line.args.id())?.pause()?;
    Ok(0)
}

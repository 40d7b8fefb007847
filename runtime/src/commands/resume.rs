//! `resume`.

use crate::args::CommandLine;
use crate::failure::Result;

/// Lets a container's processes go on.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    line.root()?.open(line.args.id())?.resume()?;
    Ok(0)
}

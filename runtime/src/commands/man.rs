//! `man`.

use crate::args::{CommandLine, whole};
use crate::failure::{Failure, Result};

/// Writes the man pages.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let directory = line.args.operand("DIR").unwrap_or_default();
    clap_mangen::generate_to(whole(), directory)
        .map_err(|error| Failure::system(format!("man pages in {directory}"), error))?;
    Ok(0)
}

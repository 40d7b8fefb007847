//! `kill`.

use crate::args::{CommandLine, flags};
use crate::failure::Result;
use crate::signals;

/// Sends a signal.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let signal = signals::parse(line.args.operand("SIGNAL").unwrap_or("SIGTERM"))?;
    line.root()?.open(line.args.id())?.kill(signal, line.args.switch(&flags::ALL))?;
    Ok(0)
}

//! `completions`.

use clap_complete::Shell;

use crate::args::{CommandLine, whole};
use crate::failure::{Failure, Result};
use crate::output::print;

/// Prints the completions of a shell.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let name = line.args.operand("SHELL").unwrap_or_default();
    let shell: Shell = name.parse().map_err(|_| {
        Failure::new(format!(
            "unknown shell {name:?}, expected bash, elvish, fish, powershell or zsh"
        ))
    })?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut whole(), "skep", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

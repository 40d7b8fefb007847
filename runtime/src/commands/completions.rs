//! `completions`.

use clap_complete::{generate, shells};

use crate::args::{CommandLine, whole};
use crate::failure::{Failure, Result};
use crate::output::print;

/// Prints the completions of a shell.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let name = line.args.operand("SHELL").unwrap_or_default();
    let (mut script, mut command) = (Vec::new(), whole());
    match name {
        "bash" => generate(shells::Bash, &mut command, "skep", &mut script),
        "fish" => generate(shells::Fish, &mut command, "skep", &mut script),
        "zsh" => generate(shells::Zsh, &mut command, "skep", &mut script),
        _ => {
            let text = format!("unknown shell {name:?}, expected bash, fish or zsh");
            return Err(Failure::new(text));
        }
    }
    print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

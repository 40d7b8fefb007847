//! From argv to an exit code.

use crate::args::{self, CommandLine, Invocation, Read};
use crate::failure::Result;
use crate::{logger, output};

/// The exit code of a wrong command line.
const USAGE: u8 = 1;

/// Runs the command that argv asks for and reports its failure.
#[cfg_attr(test, expect(dead_code))]
pub(crate) fn main() -> u8 {
    let mut failure_code = USAGE;
    match run(&mut failure_code) {
        Ok(code) => {
            logger::show_held_back();
            code
        }
        Err(failure) => {
            logger::failure(&failure);
            failure_code
        }
    }
}

fn run(failure_code: &mut u8) -> Result<u8> {
    let (globals, unread) = match args::parse(std::env::args_os())? {
        Invocation::Print(text) => return output::print(&text).map(|()| 0),
        Invocation::Command(globals, unread) => (globals, unread),
    };
    logger::init(globals.log(), globals.log_format(), globals.debug())?;
    match unread.read()? {
        Read::Help(text) => output::print(&text).map(|()| 0),
        Read::Command(command, args) => {
            *failure_code = command.failure_code;
            (command.run)(&CommandLine { globals, args })
        }
    }
}

//! The command line. One table ([`table`]) says what commands and flags there are; the parser, the
//! help, the man pages and the shell completions all come from it.
//!
//! Parsing has two stages, global flags first, so that a mistake in a command's flags can already
//! be written to the log file that an engine reads, and only one command's parser is built.

mod command_line;
mod definition;
pub(crate) mod flags;
mod matches;
mod parser;
pub(crate) mod table;
mod usage;

#[cfg(test)]
pub(crate) use command_line::typed;
pub(crate) use command_line::{CommandLine, Invocation, Read, parse};
pub(crate) use definition::Flag;
pub(crate) use matches::Args;
pub(crate) use parser::whole;

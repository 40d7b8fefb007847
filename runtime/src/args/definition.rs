//! What the table is made of.

use crate::args::CommandLine;
use crate::failure::Result;

/// A command, such as `create`.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// One line for the list of commands.
    pub(crate) about: &'static str,
    /// The rest of the help.
    pub(crate) details: &'static str,
    pub(crate) operands: &'static [Operand],
    pub(crate) flags: &'static [Flag],
    /// Does it; what it gives is the exit code.
    pub(crate) run: fn(&CommandLine) -> Result<u8>,
    /// The exit code when it fails.
    pub(crate) failure_code: u8,
}

/// An argument that is not a flag.
pub(crate) struct Operand {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) arity: Arity,
}

/// How often an operand is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arity {
    One,
    Optional,
    /// None or more, behind all others.
    Many,
    /// What comes after the operand before it, flags of our own included: it is someone else's
    /// command line.
    Rest,
}

/// A flag, such as `--bundle DIR`.
pub(crate) struct Flag {
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) value: Value,
    pub(crate) default: Option<&'static str>,
    pub(crate) hidden: bool,
    pub(crate) help: &'static str,
}

/// What a flag takes; the texts are the names of the value in the help.
#[derive(Clone, Copy)]
pub(crate) enum Value {
    Switch,
    Text(&'static str),
    /// May be given many times.
    Texts(&'static str),
    Path(&'static str),
    Number(&'static str),
    /// One of a few words.
    Choice(&'static str, &'static [&'static str]),
}

impl Flag {
    pub(crate) const fn new(long: &'static str, value: Value, help: &'static str) -> Self {
        Self { long, short: None, value, default: None, hidden: false, help }
    }

    pub(crate) const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub(crate) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
}

impl Operand {
    pub(crate) const fn new(name: &'static str, arity: Arity, help: &'static str) -> Self {
        Self { name, help, arity }
    }
}

//! How a command fails: one line for a person, an engine's log and stderr, and an exit code.

use std::fmt;
use std::io;

/// `Result` with [`Failure`].
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a command failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    text: String,
}

impl Failure {
    /// A failure with a lower-case text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// What the operating system said while `text` was being done.
    pub(crate) fn system(text: impl fmt::Display, source: impl Into<io::Error>) -> Self {
        Self::new(format!("{text}: {}", libcontainer::error::describe(&source.into())))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<libcontainer::error::Error> for Failure {
    fn from(error: libcontainer::error::Error) -> Self {
        Self::new(error.to_string())
    }
}

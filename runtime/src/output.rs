//! What commands print on stdout.

use std::io::{Write, stdout};

use crate::failure::{Failure, Result};

/// Prints `text` in one go.
pub(crate) fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// The same for what is no text.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::system("write to stdout", error))
}

//! What commands print on stdout.

use std::io::{Write, stdout};

use crate::failure::{Failure, Result};

/// Prints `text` in one go.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::system("write to stdout", error))
}

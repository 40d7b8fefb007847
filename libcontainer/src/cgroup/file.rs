//! Files of a cgroup directory, whole, by name.

use nix::NixPath;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{read, write};
use std::os::fd::BorrowedFd;

/// Writes each line by itself, which is how files with a line for each device want it.
pub(super) fn write_file(directory: BorrowedFd<'_>, file: &str, value: &str) -> nix::Result<()> {
    let file = openat(directory, file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    for line in value.lines().filter(|line| !line.trim().is_empty()) {
        write(&file, line.as_bytes())?;
    }
    Ok(())
}

/// Writes one line as it is, an empty one included.
pub(super) fn write_line(directory: BorrowedFd<'_>, file: &str, line: &str) -> nix::Result<()> {
    let file = openat(directory, file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(&file, line.as_bytes()).map(drop)
}

/// Reads a file that is less than a page, as those with a word or two are.
pub(super) fn read_file(
    directory: BorrowedFd<'_>,
    file: &(impl NixPath + ?Sized),
) -> nix::Result<String> {
    let file = openat(directory, file, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut page = [0; 4096];
    let length = read(&file, &mut page)?;
    Ok(String::from_utf8_lossy(&page[..length]).into_owned())
}

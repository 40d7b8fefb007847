//! The files of one cgroup directory, of which some may be missing.

use super::{Counter, parse};
use crate::error::{Error, Result};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;

/// As much as most files have; larger ones (`io.stat` of many devices) are read on.
const ROOM: usize = 4096;

pub(super) struct Files<'a>(pub(super) BorrowedFd<'a>);

impl Files<'_> {
    /// The text of a file; `None` if it is not there, or means nothing here: the files of pressure
    /// give EOPNOTSUPP where the kernel was started without it, ENODEV is a cgroup that is gone.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        match self.read(name) {
            Ok(text) => Ok(Some(text)),
            Err(error) if means_nothing(&error) => Ok(None),
            Err(error) => Err(Error::system(format!("read {name} of the cgroup"), error)),
        }
    }

    /// What `parse` makes of the text; the default without a file.
    pub(super) fn parsed<T: Default>(&self, name: &str, parse: impl Fn(&str) -> T) -> Result<T> {
        Ok(self.text(name)?.map_or_else(T::default, |text| parse(&text)))
    }

    /// The number in a file; `None` for `max`, too.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>> {
        self.parsed(name, parse::number)
    }

    /// The four files of an amount, in [`Counter`]'s order, by what follows `prefix` in their names.
    /// `None` without the first.
    pub(super) fn counter(&self, prefix: &str, names: [&str; 4]) -> Result<Option<Counter>> {
        let [usage, limit, peak, failures] = names;
        let number = |name: &str| match name {
            "" => Ok(None),
            name => self.number(&format!("{prefix}{name}")),
        };
        let Some(usage) = number(usage)? else { return Ok(None) };
        Ok(Some(Counter {
            usage,
            limit: number(limit)?,
            peak: number(peak)?,
            failures: number(failures)?.unwrap_or_default(),
        }))
    }

    /// What stands between `prefix` and `suffix` in the names of files.
    pub(super) fn between(&self, prefix: &str, suffix: &str) -> Result<Vec<String>> {
        let listing = |error: Errno| Error::system("list the cgroup", error);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = match Dir::openat(self.0, ".", flags, Mode::empty()) {
            Err(Errno::ENOENT | Errno::ENODEV) => return Ok(Vec::new()),
            dir => dir.map_err(listing)?,
        };
        let mut found = Vec::new();
        for entry in dir.iter() {
            let entry = entry.map_err(listing)?;
            let name = entry.file_name().to_str().unwrap_or_default();
            let middle = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
            found.extend(middle.map(String::from));
        }
        Ok(found)
    }

    fn read(&self, name: &str) -> io::Result<String> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(self.0, name, flags, Mode::empty())?);
        let mut text = Vec::with_capacity(ROOM);
        file.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn means_nothing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP))
}

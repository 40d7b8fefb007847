//! HOME from the image's passwd(5), read on the stack: what the image says cannot make it read
//! forever, open a device, or leave the root.

#[cfg(any(test, feature = "fuzzing"))]
#[path = "passwd_fuzz.rs"]
pub(crate) mod fuzz;

use super::Context;
use crate::sys::file::{self, Resolve};
use crate::sys::{Errno, Result};
use std::os::fd::RawFd;

/// Lines longer than this are passed over, and so is all that comes after this many bytes.
const LONGEST_LINE: usize = 1024;
const MOST_BYTES: usize = 1 << 20;

impl Context<'_> {
    /// Sets HOME to what `/etc/passwd` says of the user, or to `/`.
    pub(super) fn home(&mut self, uid: u32) -> Result<()> {
        let mut home = Line::default();
        if let Some(passwd) = self.open_passwd()? {
            find_home(|buffer| file::read(passwd, buffer), uid, &mut home);
            file::close(passwd);
        }
        let home = home.as_bytes();
        let home = if home.is_empty() { b"/" } else { home };
        self.plan.process.envp.append(&[b"HOME=", home]);
        Ok(())
    }

    /// `None` when there is none that is a file.
    fn open_passwd(&mut self) -> Result<Option<RawFd>> {
        let root = self.root()?;
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
        let passwd = match file::openat2(root, c"etc/passwd", flags, Resolve::InRoot) {
            Ok(fd) => fd,
            Err(Errno(libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP | libc::ENXIO)) => {
                return Ok(None);
            }
            Err(errno) => return Err(errno),
        };
        if file::fstat(passwd)?.st_mode & libc::S_IFMT == libc::S_IFREG {
            return Ok(Some(passwd));
        }
        file::close(passwd);
        Ok(None)
    }
}

/// One line, as much of it as there is room for.
struct Line {
    bytes: [u8; LONGEST_LINE],
    length: usize,
    too_long: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: [0; LONGEST_LINE], length: 0, too_long: false }
    }
}

impl Line {
    fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.length) {
            Some(place) => {
                *place = byte;
                self.length += 1;
            }
            None => self.too_long = true,
        }
    }

    fn clear(&mut self) {
        (self.length, self.too_long) = (0, false);
    }

    fn as_bytes(&self) -> &[u8] {
        if self.too_long { &[] } else { self.bytes.get(..self.length).unwrap_or_default() }
    }

    fn set(&mut self, bytes: &[u8]) {
        self.clear();
        bytes.iter().for_each(|byte| self.push(*byte));
    }
}

fn find_home(mut read: impl FnMut(&mut [u8]) -> Result<usize>, uid: u32, home: &mut Line) {
    let mut buffer = [0u8; 4096];
    let mut line = Line::default();
    let mut total = 0;
    while let Ok(length @ 1..) = read(&mut buffer) {
        for byte in buffer.get(..length).unwrap_or_default() {
            if *byte != b'\n' {
                line.push(*byte);
                continue;
            }
            if let Some(found) = home_of(line.as_bytes(), uid) {
                return home.set(found);
            }
            line.clear();
        }
        total += length;
        if total >= MOST_BYTES {
            return;
        }
    }
    if let Some(found) = home_of(line.as_bytes(), uid) {
        home.set(found);
    }
}

/// The home directory of a passwd line, if it is the user's.
fn home_of(line: &[u8], uid: u32) -> Option<&[u8]> {
    let mut fields = line.split(|byte| *byte == b':');
    let number = std::str::from_utf8(fields.nth(2)?).ok()?;
    if number.starts_with('+') || number.parse() != Ok(uid) {
        return None;
    }
    let home = fields.nth(2)?;
    home.starts_with(b"/").then_some(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_is_the_sixth_field_of_the_users_line() {
        let line = b"bob:x:1000:1000:Bob:/home/bob:/bin/sh";
        assert_eq!(home_of(line, 1000), Some(&b"/home/bob"[..]));
        assert_eq!(home_of(line, 100), None);
        assert_eq!(home_of(b"1000:x:0:0::/root:", 1000), None);
        assert_eq!(home_of(b"bob:x:+1000:1000:Bob:/home/bob:/bin/sh", 1000), None);
        assert_eq!(home_of(b"bob:x:1000", 1000), None);
        assert_eq!(home_of(b"", 0), None);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let mut line = Line::default();
        (0..=LONGEST_LINE).for_each(|_| line.push(b'a'));
        assert!(line.as_bytes().is_empty());
        line.clear();
        line.push(b'b');
        assert_eq!(line.as_bytes(), b"b");
    }
}

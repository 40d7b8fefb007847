//! Small files of procfs and sysfs, in as few system calls as they take.

use crate::error::{Error, Result};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Larger than any file that is read here, so that one read(2) gives all of it: procfs makes the
/// text anew for each, and std's own reading begins with 32 bytes.
const ROOM: usize = 8192;

/// The text of a small file.
pub(crate) fn read(path: impl AsRef<Path>) -> io::Result<String> {
    read_all(File::open(path)?)
}

/// The same for a file that is open; one that is larger is read on.
pub(crate) fn read_all(mut file: File) -> io::Result<String> {
    let mut text = vec![0; ROOM];
    let length = file.read(&mut text)?;
    text.truncate(length);
    if length == ROOM {
        file.read_to_end(&mut text)?;
    }
    String::from_utf8(text).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// What tells a namespace of a process from others: the inode of its file, since all namespaces are in
/// one file system. `process` is a name in `/proc`, and `file` one in its `ns`.
pub(crate) fn namespace(process: impl Display, file: &str) -> Result<u64> {
    let path = format!("/proc/{process}/ns/{file}");
    let metadata = std::fs::metadata(&path);
    let inode = metadata.map(|metadata| metadata.ino());
    inode.map_err(|error| Error::system(format!("stat {path}"), error))
}

/// Of proc_pid_stat(5), what is asked for here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Stat {
    pub(crate) state: char,
    /// In clock ticks since boot.
    pub(crate) start_time: u64,
    /// The signals from 1 to 31 that it ignores, bit 0 for the first.
    pub(crate) ignored: u32,
}

impl Stat {
    pub(crate) fn read(path: &str) -> io::Result<Self> {
        Self::parse(&read(path)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, and may hold anything.
        let rest = text.get(text.rfind(')')? + 1..)?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let start_time = fields.nth(18)?.parse().ok()?;
        let ignored = fields.nth(10)?.parse().ok()?;
        Some(Self { state, start_time, ignored })
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let numbers = (4..53).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        let stat = Stat::parse(&format!("7 (a) R (b) S {numbers}\n"));
        assert_eq!(stat, Some(Stat { state: 'S', start_time: 22, ignored: 33 }));
        assert_eq!(Stat::parse("7 (a) S 1 2"), None);
    }

    #[test]
    fn namespaces_are_told_apart() {
        let of = |process: &str, file| super::namespace(process, file).unwrap();
        assert_eq!(of("self", "user"), of("thread-self", "user"));
        assert_ne!(of("self", "user"), of("self", "mnt"));
        let missing = super::namespace(0, "mnt").unwrap_err().to_string();
        assert!(missing.starts_with("stat /proc/0/ns/mnt: "), "{missing}");
    }

    #[test]
    fn a_file_is_read_whole() {
        let status = super::read("/proc/self/status").unwrap();
        assert!(status.starts_with("Name:") && status.contains("nonvoluntary_ctxt_switches"));
    }
}

//! Small files of procfs and sysfs, in as few system calls as they take.

use std::fs::File;
use std::io::{self, Read};
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

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_is_read_whole() {
        let status = super::read("/proc/self/status").unwrap();
        assert!(status.starts_with("Name:") && status.contains("nonvoluntary_ctxt_switches"));
    }
}

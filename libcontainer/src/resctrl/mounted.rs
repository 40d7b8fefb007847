//! Where resctrl is mounted.

use super::FIELD;
use crate::error::{Error, ErrorKind, Result};
use crate::procfs;
use std::path::PathBuf;

/// The directory of the default group.
///
/// # Errors
///
/// When there is none.
pub(crate) fn root() -> Result<PathBuf> {
    let table = procfs::read("/proc/self/mountinfo")
        .map_err(|error| Error::system("read /proc/self/mountinfo", error))?;
    find(&table).ok_or_else(|| {
        let text = "no resctrl filesystem is mounted here; mount it (mount -t resctrl resctrl /sys/fs/resctrl), which takes a processor and a kernel that have it, or leave this out";
        Error::new(ErrorKind::Unsupported, text).field(FIELD)
    })
}

/// The mount point of the first whole resctrl in a table of proc_pid_mountinfo(5). A part of one, bound
/// somewhere, has no group of ours.
fn find(table: &str) -> Option<PathBuf> {
    table.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let is_resctrl = filesystem.split(' ').next() == Some("resctrl");
        (is_resctrl && root == "/").then(|| unescape(point).into())
    })
}

/// Spaces and the like are three octal digits behind a backslash.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut all, part| {
        let digits = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match digits {
            Some(byte) => {
                all.push(char::from(byte));
                all.push_str(part.get(3..).unwrap_or_default());
            }
            None => {
                all.push('\\');
                all.push_str(part);
            }
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
        22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
        90 22 0:60 /group /mnt rw - resctrl resctrl rw\n\
        91 22 0:60 / /sys/fs/res\\040ctrl rw,relatime shared:9 master:2 - resctrl resctrl rw\n";

    #[test]
    fn the_mount_of_all_of_it_is_found() {
        assert_eq!(find(TABLE), Some("/sys/fs/res ctrl".into()));
    }

    #[test]
    fn where_there_is_none_none_is_found() {
        let others = TABLE.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(find(&others), None);
        for table in ["", "\n", "a b c", " - resctrl", "1 2 3 / - resctrl r rw"] {
            assert_eq!(find(table), None, "{table:?}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescape("/a\\b\\04\\134c"), "/a\\b\\04\\c");
    }
}

//! `--pid-file`: the decimal pid, there as a whole or not at all.

use std::fs::{File, OpenOptions, remove_file, rename};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// Writes `pid` to a new file beside `path` and renames it there. A link at `path` is replaced,
/// not followed: the file may be in a directory that someone else can write to.
pub(crate) fn write(path: &Path, pid: i32) -> Result<()> {
    let wrong = |error| Failure::system(format!("--pid-file {}", path.display()), error);
    let temporary =
        temporary_name(path).ok_or_else(|| wrong(io::ErrorKind::IsADirectory.into()))?;
    let result = create(&temporary)
        .and_then(|mut file| file.write_all(pid.to_string().as_bytes()))
        .and_then(|()| rename(&temporary, path));
    result.map_err(|error| {
        let _ = remove_file(&temporary);
        wrong(error)
    })
}

/// `/run/x.pid` is written as `/run/.x.pid.4711`; the number is our pid.
fn temporary_name(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".{}", std::process::id()));
    Some(path.with_file_name(name))
}

fn create(path: &Path) -> io::Result<File> {
    let create = || OpenOptions::new().write(true).create_new(true).open(path);
    match create() {
        // Left by a killed process that had our pid.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove_file(path)?;
            create()
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn directory(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("skep-pid-file-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn holds_the_pid_and_nothing_is_left_beside_it() {
        let directory = directory("plain");
        write(&directory.join("pid"), 4711).unwrap();
        assert_eq!(fs::read_to_string(directory.join("pid")).unwrap(), "4711");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn link_is_replaced_and_not_followed() {
        let directory = directory("link");
        fs::write(directory.join("target"), "untouched").unwrap();
        std::os::unix::fs::symlink(directory.join("target"), directory.join("pid")).unwrap();
        write(&directory.join("pid"), 1).unwrap();
        assert_eq!(fs::read_to_string(directory.join("target")).unwrap(), "untouched");
        assert!(fs::symlink_metadata(directory.join("pid")).unwrap().is_file());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn failure_names_the_flag_and_the_file() {
        let text = write(Path::new("/proc/no/such/pid"), 1).unwrap_err().to_string();
        assert_eq!(text, "--pid-file /proc/no/such/pid: No such file or directory (ENOENT)");
    }
}

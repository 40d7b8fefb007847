//! From the bundle's directory to the bytes of its `config.json`. Whoever wrote the bundle may not
//! hang us (a fifo) or make us eat memory (a huge file), so both are looked at before reading.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// What no real configuration comes near: the largest seen are about 100 KiB.
const LIMIT: u64 = 16 << 20;

/// The bundle's directory by its absolute name.
pub(super) fn bundle_directory(path: &Path) -> Result<PathBuf> {
    // `..` after a link leads elsewhere than it looks, so the kernel resolves it.
    let climbs = path.components().any(|component| component == Component::ParentDir);
    let absolute = if climbs { path.canonicalize() } else { std::path::absolute(path) };
    absolute.map_err(|error| no_bundle(path, error))
}

/// The bytes of `config.json` in the directory `bundle`.
pub(super) fn config_json(bundle: &Path) -> Result<Vec<u8>> {
    let path = bundle.join("config.json");
    let file = open(&path).map_err(|error| not_opened(bundle, &path, error))?;
    let metadata = file.metadata().map_err(|error| not_read(&path, error))?;
    if !metadata.is_file() {
        return Err(refused(&path, "is not a regular file"));
    }
    if metadata.len() > LIMIT {
        return Err(too_large(&path));
    }
    read_all(file, metadata.len(), &path)
}

fn open(path: &Path) -> io::Result<File> {
    // O_NONBLOCK: the open of a fifo that nobody writes to would wait for ever.
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

fn read_all(mut file: File, expected: u64, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(expected).unwrap_or(0)];
    let mut length = 0;
    // As much as there was when its size was asked for: a file that grows meanwhile is cut off, and
    // said to be, by the reader of the JSON.
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest).map_err(|error| not_read(path, error))? {
            0 => break,
            read => length += read,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn no_bundle(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("bundle {}", path.display())).because(error)
}

fn not_opened(bundle: &Path, path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound if bundle.is_dir() => Error::new(
            ErrorKind::InvalidArgument,
            format!("bundle {} has no config.json; `skep spec` writes one", bundle.display()),
        ),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => no_bundle(bundle, error),
        _ => not_read(path, error),
    }
}

fn not_read(path: &Path, error: io::Error) -> Error {
    Error::system(format!("read {}", path.display()), error)
}

fn too_large(path: &Path) -> Error {
    refused(path, &format!("is larger than {} MiB", LIMIT >> 20))
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("{} {why}", path.display()))
}

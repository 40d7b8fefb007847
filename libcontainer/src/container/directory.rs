//! The directory of one container.
//!
//! It holds `config.json` (the raw bytes), `state.json` (written to another name and renamed), until
//! it is started the FIFO `start.fifo` and, once its limits were changed, `resources.json`. Whoever changes the container holds the lock of
//! the directory itself (flock(2)); who only looks needs none.

use super::StateRoot;
use super::record::Record;
use super::start_fifo::StartFifo;
use crate::error::{Error, ErrorKind, Result};
use crate::sys;
use crate::sys::file::{self, Flock};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// In one piece, as BuildKit looks for it.
const NO_CONTAINER: &str = "container does not exist";

/// A container's directory.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    path: PathBuf,
    id: String,
}

/// The lock of a directory, held until it is closed: a child closes its copy first of all.
pub(super) struct Lock(OwnedFd);

impl Directory {
    /// A new directory; the id must be free.
    pub(super) fn make(root: &StateRoot, id: &str) -> Result<Self> {
        let path = root.path().join(id);
        let make = || DirBuilder::new().mode(0o700).create(&path);
        let made = match make() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                root.make().map(|()| make())?
            }
            made => made,
        };
        match made {
            Ok(()) => Ok(Self { path, id: id.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let text = format!(
                    "container with id {id:?} already exists; delete it, or take another id"
                );
                Err(Error::new(ErrorKind::AlreadyExists, text))
            }
            Err(error) => Err(Error::system(format!("make {}", path.display()), error)),
        }
    }

    pub(super) fn open(root: &Path, id: &str) -> Result<Self> {
        let path = root.join(id);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Ok(Self { path, id: id.to_owned() }),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::system(format!("open {}", path.display()), error))
            }
            _ => Err(Error::new(ErrorKind::NotFound, format!("{NO_CONTAINER}: {id:?}"))),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Waits for whoever else is changing the container.
    pub(super) fn lock(&self) -> Result<Lock> {
        self.flock(Flock::Exclusive).map_err(|error| self.failed("lock", error))
    }

    /// Waits for whoever is changing the container, and gives the record as it is then. A directory
    /// that has been removed meanwhile has none, even if a new one has taken its name.
    pub(super) fn lock_with_record(&self, how: Flock) -> Result<(Lock, Record)> {
        let lock = match self.flock(how) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.gone()),
            lock => lock.map_err(|error| self.failed("lock", error))?,
        };
        match openat(&lock.0, RECORD, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()) {
            Err(Errno::ENOENT) if is_removed(&lock.0) => Err(self.gone()),
            Err(Errno::ENOENT) => Ok((lock, Record::lost())),
            Err(errno) => Err(self.failed("open state.json in", errno.into())),
            Ok(file) => {
                let text = crate::procfs::read_all(file.into());
                let text = text.map_err(|error| self.failed("read state.json in", error))?;
                Ok((lock, self.parse(text.as_bytes())?))
            }
        }
    }

    /// Whether somebody is changing the container now.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self.flock(Flock::TryShared), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn flock(&self, how: Flock) -> io::Result<Lock> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let directory = nix::fcntl::open(&self.path, flags, Mode::empty())?;
        file::lock(directory.as_raw_fd(), how)?;
        Ok(Lock(directory))
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::system(format!("{what} {}", self.path.display()), error)
    }

    /// The bytes of config.json, which goes first when a container is deleted.
    pub(super) fn config(&self) -> Result<Vec<u8>> {
        match fs::read(self.path.join(CONFIG)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.path.exists() => {
                Err(self.gone())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = "is being deleted, or was half deleted: delete --force removes the rest";
                let text = format!("container not running: {:?} {text}", self.id);
                Err(Error::new(ErrorKind::NotRunning, text))
            }
            read => read.map_err(|error| self.failed("read config.json in", error)),
        }
    }

    /// The record as it is now, without waiting for anybody.
    pub(super) fn record(&self) -> Result<Record> {
        match fs::read(self.path.join(RECORD)) {
            Ok(bytes) => self.parse(&bytes),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("read state.json in", error))
            }
            Err(_) if self.path.exists() => Ok(Record::lost()),
            Err(_) => Err(self.gone()),
        }
    }

    /// A record that was cut off as it was first written is none: then nothing had been made yet.
    fn parse(&self, bytes: &[u8]) -> Result<Record> {
        match Record::parse(bytes) {
            Err(error) if error.kind() == ErrorKind::System => Ok(Record::lost()),
            parsed => parsed,
        }
    }

    fn gone(&self) -> Error {
        Error::new(ErrorKind::NotFound, format!("{NO_CONTAINER}: {:?}", self.id))
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        fs::write(self.path.join(name), bytes).map_err(|error| {
            Error::system(format!("write {}", self.path.join(name).display()), error)
        })
    }

    /// The first record: there is no older one that could be lost.
    pub(super) fn store_first(&self, record: &Record) -> Result<()> {
        self.write(RECORD, &record.render()?)
    }

    /// The old record or the new one is there at any moment, whole.
    pub(super) fn store(&self, record: &Record) -> Result<()> {
        self.write(NEW_RECORD, &record.render()?)?;
        let renamed = fs::rename(self.path.join(NEW_RECORD), self.path.join(RECORD));
        renamed.map_err(|error| self.failed("write state.json in", error))
    }

    /// The limits after the last update; `None` if there was none.
    pub(super) fn resources(&self) -> Result<Option<Vec<u8>>> {
        match fs::read(self.path.join(RESOURCES)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(|error| self.failed("read resources.json in", error)),
        }
    }

    /// Writes them under another name, to be [committed](Prepared::commit) when they are in force.
    pub(super) fn prepare_resources(&self, bytes: &[u8]) -> Result<Prepared<'_>> {
        let prepared = Prepared(self);
        self.write(NEW_RESOURCES, bytes)?;
        Ok(prepared)
    }

    /// Where the process that is about to be made will wait.
    pub(super) fn make_start_fifo(&self) -> Result<OwnedFd> {
        StartFifo::make(&self.path.join(START_FIFO))
            .map_err(|errno| self.failed("make start.fifo in", errno.into()))
    }

    /// Where a process waits, or did; `None` when the container was started and nothing is left.
    pub(super) fn start_fifo(&self) -> Result<Option<StartFifo>> {
        match StartFifo::open(&self.path.join(START_FIFO)) {
            Err(sys::Errno(libc::ENOENT)) => Ok(None),
            opened => {
                opened.map(Some).map_err(|errno| self.failed("open start.fifo in", errno.into()))
            }
        }
    }

    pub(super) fn remove_start_fifo(&self) -> Result<()> {
        self.remove_file(START_FIFO)
    }

    /// Removes the directory and what skep puts there, the record last: until then the container can
    /// be found and removed again. Anything else that is there stays, and is an error.
    pub(super) fn remove(&self) -> Result<()> {
        for name in [CONFIG, RECORD] {
            self.remove_file(name)?;
        }
        let removed = match fs::remove_dir(&self.path) {
            // A FIFO that no `start` has removed, a file that was being written, an update.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                self.remove_start_fifo()?;
                for name in [NEW_RECORD, RESOURCES, NEW_RESOURCES] {
                    self.remove_file(name)?;
                }
                fs::remove_dir(&self.path)
            }
            removed => removed,
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("remove", error))
            }
            _ => Ok(()),
        }
    }

    fn remove_file(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("empty", error))
            }
            _ => Ok(()),
        }
    }

    /// Whether the directory is a container's: it has a record, or a creation has only begun.
    pub(super) fn is_container(&self) -> bool {
        let ours = |name: &std::ffi::OsStr| {
            [CONFIG, START_FIFO, RECORD, NEW_RECORD, RESOURCES, NEW_RESOURCES]
                .iter()
                .any(|known| name == *known)
        };
        let Ok(mut entries) = fs::read_dir(&self.path) else { return false };
        entries.all(|entry| entry.is_ok_and(|entry| ours(&entry.file_name())))
    }
}

/// Limits that are written down but not in force yet: unless committed, they go with this.
pub(super) struct Prepared<'a>(&'a Directory);

impl Prepared<'_> {
    pub(super) fn commit(self) -> Result<()> {
        let path = |name| self.0.path.join(name);
        let renamed = fs::rename(path(NEW_RESOURCES), path(RESOURCES));
        renamed.map_err(|error| self.0.failed("write resources.json in", error))
    }
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        let _ = self.0.remove_file(NEW_RESOURCES);
    }
}

/// A directory that is only open, and has no name any more.
fn is_removed(directory: &OwnedFd) -> bool {
    file::fstat(directory.as_raw_fd()).is_ok_and(|stat| stat.st_nlink == 0)
}

pub(super) const CONFIG: &str = "config.json";
const START_FIFO: &str = "start.fifo";
const RECORD: &str = "state.json";
const NEW_RECORD: &str = "state.json.new";
const RESOURCES: &str = "resources.json";
const NEW_RESOURCES: &str = "resources.json.new";

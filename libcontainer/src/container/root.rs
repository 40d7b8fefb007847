//! The directory of all containers, and the directory of one.
//!
//! A container's directory holds `config.json` (the raw bytes), `state.json` (written to another
//! name and renamed) and, until it is started, the socket `start.sock`. Whoever changes the
//! container holds the lock of the directory itself (flock(2)); readers need none.

use super::options::CreateOptions;
use super::record::Record;
use super::{Container, Created, State, id, status};
use crate::config::Bundle;
use crate::error::{Error, ErrorKind, Result};
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::stat::Mode;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The directory below which each container has one directory (`--root` of the command line).
#[derive(Clone, Debug)]
pub struct StateRoot {
    path: PathBuf,
}

impl StateRoot {
    /// A root at `path`, which is made when the first container is.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every container, in the order of their ids. One whose creation was cut short is listed as
    /// stopped; one that is being created, as creating.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read. That there is none means that there are no containers.
    pub fn list(&self) -> Result<Vec<State>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(Error::system(
                    format!("read {}", self.path.display()),
                    error,
                ));
            }
        };
        let mut ids: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        ids.sort();
        let states = ids
            .iter()
            .filter(|id| id::check(id).is_ok())
            .filter_map(|id| self.state_of(id));
        Ok(states.collect())
    }

    /// `None` when the container has gone since it was listed.
    fn state_of(&self, id: &str) -> Option<State> {
        let directory = Directory::open(&self.path, id).ok()?;
        Some(match directory.record() {
            Ok(record) => status::state(&directory, &record),
            Err(_) => status::unknown(&directory),
        })
    }

    /// The container `id`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is none of that id.
    pub fn open(&self, id: &str) -> Result<Container> {
        id::check(id)?;
        let directory = Directory::open(&self.path, id)?;
        let record = directory.record()?;
        Ok(Container {
            id: id.to_owned(),
            directory,
            record,
        })
    }

    /// Makes a container from a bundle: everything but the start of its program.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; nothing is left behind then.
    pub fn create(&self, id: &str, bundle: &Bundle, options: &CreateOptions) -> Result<Created> {
        let options = CreateOptions {
            wait_for_start: true,
            ..options.clone()
        };
        super::create::create(self, id, bundle, &options)
    }

    /// Makes a container and starts its program at once.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; nothing is left behind then.
    pub fn run(&self, id: &str, bundle: &Bundle, options: &CreateOptions) -> Result<Created> {
        let options = CreateOptions {
            wait_for_start: false,
            ..options.clone()
        };
        super::create::create(self, id, bundle, &options)
    }

    /// Removes whatever there is of `id`, also of a container whose creation was cut short; `false`
    /// when there is nothing.
    ///
    /// # Errors
    ///
    /// When something is left that cannot be removed.
    pub fn delete_remains(&self, id: &str) -> Result<bool> {
        id::check(id)?;
        let directory = match Directory::open(&self.path, id) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        match directory.record() {
            Ok(record) => Container {
                id: id.to_owned(),
                directory,
                record,
            }
            .delete(true)?,
            Err(_) => {
                let _lock = directory.lock()?;
                directory.remove()?;
            }
        }
        Ok(true)
    }

    pub(super) fn make(&self) -> Result<()> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path);
        made.map_err(|error| Error::system(format!("make {}", self.path.display()), error))
    }
}

/// A container's directory.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    id: String,
}

/// The lock of a directory, until it is dropped. It is given up by name (LOCK_UN): a child that is
/// being set up has a copy of the descriptor, which must not keep it.
pub(super) type Lock = Flock<OwnedFd>;

impl Directory {
    /// A new directory; the id must be free.
    pub(super) fn make(root: &StateRoot, id: &str) -> Result<Self> {
        let path = root.path.join(id);
        let make = || DirBuilder::new().mode(0o700).create(&path);
        let made = match make() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                root.make().map(|()| make())?
            }
            made => made,
        };
        match made {
            Ok(()) => Ok(Self {
                path,
                id: id.to_owned(),
            }),
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
            Ok(metadata) if metadata.is_dir() => Ok(Self {
                path,
                id: id.to_owned(),
            }),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::system(format!("open {}", path.display()), error))
            }
            _ => Err(Error::new(
                ErrorKind::NotFound,
                format!("container {id:?} does not exist"),
            )),
        }
    }

    /// The same directory once more.
    pub(super) fn known(other: &Self) -> Self {
        Self {
            path: other.path.clone(),
            id: other.id.clone(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for whoever else is changing the container.
    pub(super) fn lock(&self) -> Result<Lock> {
        self.flock(FlockArg::LockExclusive)
            .map_err(|error| self.failed("lock", error))
    }

    /// Whether somebody is changing the container now.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self.flock(FlockArg::LockSharedNonblock), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn flock(&self, how: FlockArg) -> io::Result<Lock> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let directory = nix::fcntl::open(&self.path, flags, Mode::empty())?;
        Flock::lock(directory, how).map_err(|(_, errno)| errno.into())
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::system(format!("{what} {}", self.path.display()), error)
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        match fs::read(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.path.exists() => {
                Err(Error::new(
                    ErrorKind::NotFound,
                    format!("container {:?} does not exist", self.id),
                ))
            }
            Err(error) => Err(Error::system(
                format!("read {}", self.path.join(name).display()),
                error,
            )),
            Ok(bytes) => Ok(bytes),
        }
    }

    pub(super) fn record(&self) -> Result<Record> {
        Record::parse(&self.read("state.json")?)
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
        const NEW: &str = "state.json.new";
        self.write(NEW, &record.render()?)?;
        let renamed = fs::rename(self.path.join(NEW), self.path.join(RECORD));
        renamed.map_err(|error| self.failed("write state.json in", error))
    }

    /// The path of the socket at which a created container waits, short enough for `sun_path`
    /// however long the root's is.
    pub(super) fn start_socket(lock: &Lock) -> String {
        format!("/proc/self/fd/{}/{START_SOCKET}", lock.as_raw_fd())
    }

    pub(super) fn forget_start_socket(&self) -> Result<()> {
        match fs::remove_file(self.path.join(START_SOCKET)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("tidy", error))
            }
            _ => Ok(()),
        }
    }

    /// The same for somebody who only asks, with the descriptor that the path goes through; `None`
    /// when there is no socket.
    pub(super) fn start_socket_for_reading(&self) -> Option<(fs::File, String)> {
        fs::symlink_metadata(self.path.join(START_SOCKET)).ok()?;
        let directory = fs::File::open(&self.path).ok()?;
        let path = format!("/proc/self/fd/{}/{START_SOCKET}", directory.as_raw_fd());
        Some((directory, path))
    }

    /// Removes the directory with all that is in it, the record last: until then the container can
    /// be found and removed again.
    pub(super) fn remove(&self) -> Result<()> {
        for name in ["config.json", RECORD] {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.failed("empty", error));
                }
                _ => {}
            }
        }
        let removed = match fs::remove_dir(&self.path) {
            // A socket that nobody connected to, or a record that was being written.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                fs::remove_dir_all(&self.path)
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
}

const START_SOCKET: &str = "start.sock";
const RECORD: &str = "state.json";

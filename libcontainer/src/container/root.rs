//! The directory of all containers.

use super::directory::Directory;
use super::options::CreateOptions;
use super::record::Record;
use super::{Container, Created, State, id, status};
use crate::config::Bundle;
use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, DirBuilder};
use std::io;
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
                return Err(Error::system(format!("read {}", self.path.display()), error));
            }
        };
        let mut ids: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        ids.sort();
        let states =
            ids.iter().filter(|id| id::check(id).is_ok()).filter_map(|id| self.state_of(id));
        Ok(states.collect())
    }

    /// `None` when the container has gone since it was listed.
    fn state_of(&self, id: &str) -> Option<State> {
        let directory = Directory::open(&self.path, id).ok().filter(Directory::is_container)?;
        let record = directory.record().unwrap_or_else(|_| Record::lost());
        Some(status::state(&directory, &record))
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
        Ok(Container::new(directory, record))
    }

    /// Makes a container from a bundle: everything but the start of its program.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; nothing is left behind then.
    pub fn create(&self, id: &str, bundle: &Bundle, options: &CreateOptions) -> Result<Created> {
        let options = CreateOptions { wait_for_start: true, ..options.clone() };
        super::create::create(self, id, bundle, &options)
    }

    /// Makes a container and starts its program at once.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; nothing is left behind then.
    pub fn run(&self, id: &str, bundle: &Bundle, options: &CreateOptions) -> Result<Created> {
        let options = CreateOptions { wait_for_start: false, ..options.clone() };
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
            Ok(record) => Container::new(directory, record).delete(true)?,
            Err(_) => {
                let _lock = directory.lock()?;
                directory.remove()?;
            }
        }
        Ok(true)
    }

    pub(super) fn make(&self) -> Result<()> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| Error::system(format!("make {}", self.path.display()), error))
    }
}

//! Groups: directories of resctrl. What is made in one by `mkdir` are its files; `rmdir` gives its
//! processes to the group above.

use super::plan::{Origin, Plan};
use super::{FIELD, schemata};
use crate::error::{Error, ErrorKind, Result, describe};
use crate::procfs;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a container's group is, as it is stored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    pub(super) group: PathBuf,
    /// Whether it goes with the container.
    pub(super) own: bool,
    /// Where the container is monitored; goes with it in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) monitor: Option<PathBuf>,
}

/// What was made. Dropped before it is [kept](Self::keep) it is removed, also a group with a name, which
/// would have stayed.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    made: Vec<PathBuf>,
}

impl Unfinished {
    /// The container has it now.
    pub(crate) fn keep(mut self) {
        self.made.clear();
    }

    fn make(&mut self, directory: &Path) -> io::Result<()> {
        fs::create_dir(directory)?;
        self.made.push(directory.to_owned());
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for directory in self.made.iter().rev() {
            // The error that brought us here is the one to be told.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// A plan, with where it will be carried out.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    plan: &'a Plan,
    place: Place,
    root: PathBuf,
}

impl<'a> Prepared<'a> {
    /// Finds where resctrl is mounted. Nothing is made yet.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub(crate) fn new(plan: &'a Plan) -> Result<Self> {
        let root = super::root()?;
        Ok(Self { plan, place: plan.place(&root), root })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Makes what the plan says, or takes what is there.
    pub(crate) fn create(&self) -> Result<Unfinished> {
        let mut unfinished = Unfinished::default();
        let group = Group { place: &self.place, root: &self.root };
        let is_new = self.make_group(&group, &mut unfinished)?;
        if !is_new {
            group.compare(&self.plan.expected)?;
        }
        group.write(&self.plan.schemata)?;
        if let Some(monitor) = &self.place.monitor {
            let made = unfinished.make(monitor);
            let doing = format!("make {}", monitor.display());
            let field = format!("{FIELD}.enableMonitoring");
            made.map_err(|error| group.failed(&doing, error).field(field))?;
        }
        Ok(unfinished)
    }

    /// Says whether it was not there before.
    fn make_group(&self, group: &Group, unfinished: &mut Unfinished) -> Result<bool> {
        let directory = &self.place.group;
        if self.plan.origin == Origin::Configured {
            return group.must_be_there(&self.plan.group).map(|()| false);
        }
        match unfinished.make(directory) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(group.failed(&format!("make {}", directory.display()), error))
            }
            Err(_) if self.plan.origin == Origin::Named => Ok(false),
            Err(_) => {
                let text = format!(
                    "{} is there already, and is not this container's; remove it, or name it in closID",
                    directory.display()
                );
                Err(Error::new(ErrorKind::AlreadyExists, text).field(FIELD))
            }
        }
    }
}

impl Place {
    /// Puts a process into the group, and into the one that is monitored.
    pub(crate) fn enter(&self, pid: i32) -> Result<()> {
        let directories = [Some(&self.group), self.monitor.as_ref()];
        directories.into_iter().flatten().try_for_each(|directory| {
            let path = directory.join("tasks");
            write(&path, &pid.to_string()).map_err(|error| {
                Error::system(format!("write {pid} to {}", path.display()), error).field(FIELD)
            })
        })
    }

    /// Removes what goes with the container. Nothing is there any more if resctrl is not mounted now.
    pub(crate) fn remove(&self) -> Result<()> {
        let own = self.own.then_some(&self.group);
        self.monitor.iter().chain(own).try_for_each(|directory| match fs::remove_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::system(format!("remove {}", directory.display()), error))
            }
            _ => Ok(()),
        })
    }

    /// Writes schemata of a container that lives; gives what was there before.
    pub(crate) fn change(&self, texts: &[String], root: &Path) -> Result<String> {
        let group = Group { place: self, root };
        let former = group.schemata()?;
        match group.write(texts) {
            Ok(()) => Ok(former),
            Err(error) => {
                // The first text may have been taken, and all are to be as before.
                let _ = group.write(std::slice::from_ref(&former));
                Err(error)
            }
        }
    }
}

/// A group in the filesystem that is mounted at `root`.
struct Group<'a> {
    place: &'a Place,
    root: &'a Path,
}

impl Group<'_> {
    fn must_be_there(&self, name: &str) -> Result<()> {
        if self.place.group.is_dir() {
            return Ok(());
        }
        let text = format!(
            "there is no group {name:?} in {}; make it, or give it a schema",
            self.root.display()
        );
        Err(Error::new(ErrorKind::Setup, text).field(format!("{FIELD}.closID")))
    }

    fn path(&self) -> PathBuf {
        self.place.group.join("schemata")
    }

    fn schemata(&self) -> Result<String> {
        let path = self.path();
        procfs::read(&path)
            .map_err(|error| Error::system(format!("read {}", path.display()), error).field(FIELD))
    }

    fn compare(&self, expected: &[String]) -> Result<()> {
        if expected.is_empty() {
            return Ok(());
        }
        let schemata = self.schemata()?;
        match expected.iter().find(|line| !schemata::has(&schemata, line)) {
            None => Ok(()),
            Some(line) => {
                let there = schemata.split_whitespace().collect::<Vec<_>>().join(" ");
                let text = format!(
                    "{} is there already and has not {line:?} but {there}; name another group, or leave the schema out",
                    self.place.group.display()
                );
                Err(Error::new(ErrorKind::Setup, text).field(format!("{FIELD}.closID")))
            }
        }
    }

    fn write(&self, texts: &[String]) -> Result<()> {
        let path = self.path();
        texts.iter().try_for_each(|text| {
            let doing = || format!("write {:?} to {}", text.trim_end(), path.display());
            write(&path, text).map_err(|error| self.failed(&doing(), error))
        })
    }

    /// With the words that the kernel leaves in a file of its own.
    fn failed(&self, doing: &str, error: io::Error) -> Error {
        let words = procfs::read(self.root.join("info/last_cmd_status")).unwrap_or_default();
        let words = match words.trim() {
            "" | "ok" => String::new(),
            words => format!(": {words}"),
        };
        let text = format!("{doing}: {}{words}", describe(&error));
        Error::new(ErrorKind::Setup, text).hide(error).field(FIELD)
    }
}

/// One write(2) to a file that is there.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    match file.write(text.as_bytes())? {
        written if written == text.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

//! One value for one file: what `linux.resources` comes to, in either version of cgroups.

use super::unenforced::{Reason, Unenforced};
use crate::error::Problem;

/// One value for one file of the container's cgroup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Write {
    /// The field of config.json that asks for it.
    pub field: String,
    /// The file's name, `CONTROLLER.NAME`.
    pub file: String,
    /// What to write, each line by itself.
    pub value: String,
    /// What to do where the kernel has no such file.
    pub if_missing: IfMissing,
}

/// What it means that a cgroup whose controller is on has no file of that name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum IfMissing {
    /// That the value cannot be set: an error.
    #[default]
    Error,
    /// Nothing: such a kernel does already what is asked for.
    Fine,
    /// That the value is not enforced, which the user is told.
    Unenforced,
    /// That another file takes it, in its own way.
    Instead(Box<Write>),
}

impl Write {
    pub(super) fn new(field: &str, file: &str, value: impl Into<String>) -> Self {
        let if_missing = IfMissing::Error;
        Self { field: field.into(), file: file.into(), value: value.into(), if_missing }
    }

    #[must_use]
    pub(super) fn if_missing(self, if_missing: IfMissing) -> Self {
        Self { if_missing, ..self }
    }

    /// The controller that owns the file.
    pub fn controller(&self) -> &str {
        self.file.split('.').next().unwrap_or_default()
    }
}

/// What `linux.resources` comes to in one version of cgroups.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// What to write, in order.
    pub(super) writes: Vec<Write>,
    /// What this version of cgroups is refused for.
    pub(super) problems: Vec<Problem>,
    /// What it has no file for, and a container can do without.
    pub(super) unenforced: Vec<Unenforced>,
}

impl Limits {
    pub(super) fn write(&mut self, field: &str, file: &str, value: impl Into<String>) {
        self.writes.push(Write::new(field, file, value));
    }

    pub(super) fn problem(&mut self, field: &str, text: &str) {
        self.problems.push(Problem::new(field, text));
    }

    /// `None` is a value that means nothing.
    pub(super) fn limit(&mut self, field: &str, file: &str, value: Option<String>) {
        match value {
            Some(value) => self.write(field, file, value),
            None => self.problem(field, "must be -1 (no limit) or not negative"),
        }
    }

    pub(super) fn unenforced(&mut self, field: impl Into<String>, reason: Reason) {
        self.unenforced.push(Unenforced::new(field, reason));
    }
}

//! One value for one file: what `linux.resources` comes to, in either version of cgroups.

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
    /// Whether a kernel without this file does already what is asked for.
    pub missing_is_fine: bool,
}

impl Write {
    pub(super) fn new(field: &str, file: &str, value: impl Into<String>) -> Self {
        Self { field: field.into(), file: file.into(), value: value.into(), missing_is_fine: false }
    }

    /// The controller that owns the file.
    pub fn controller(&self) -> &str {
        self.file.split('.').next().unwrap_or_default()
    }
}

/// What `linux.resources` comes to.
#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) writes: Vec<Write>,
    pub(super) problems: Vec<Problem>,
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
}

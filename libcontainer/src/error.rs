//! The one error type. Its text is written for the reader of an engine's log or the author of a
//! config.json: what was being done, on which object, asked for by which field, what the kernel
//! said, and, where known, what to do.

use std::fmt;
use std::io;

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What class of thing went wrong; what a program would branch on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration asks for something that is wrong in itself.
    InvalidConfig,
    /// An argument of the call (an id, a path, an option) is wrong.
    InvalidArgument,
    /// No container of that id.
    NotFound,
    /// The id is in use.
    AlreadyExists,
    /// The container is in a state in which this cannot be done.
    WrongState,
    /// The container has no running process.
    NotRunning,
    /// This kernel, host or version of the library cannot do what was asked.
    Unsupported,
    /// A step of setting up the container failed; [`Error::step`] and [`Error::field`] say which.
    Setup,
    /// A hook failed or ran out of time.
    Hook,
    /// The operating system refused something else.
    System,
}

/// One thing that validation found wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Path of the field in config.json, e.g. `mounts[3].destination`.
    pub field: String,
    /// What is wrong and what would be right.
    pub text: String,
}

impl Problem {
    /// A problem with `field`.
    pub fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: field.into(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.text),
            field => write!(f, "{field}: {}", self.text),
        }
    }
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub struct Error {
    kind: ErrorKind,
    field: Option<String>,
    step: Option<usize>,
    text: String,
    problems: Vec<Problem>,
    #[source]
    source: Option<io::Error>,
    /// Whether `text` has the source's words in it already.
    told: bool,
}

impl Error {
    /// An error of `kind` with a lower-case text.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            field: None,
            step: None,
            text: text.into(),
            problems: Vec::new(),
            source: None,
            told: false,
        }
    }

    /// What the operating system said while `text` was being done.
    pub fn system(text: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::new(ErrorKind::System, text).because(source)
    }

    /// Everything that validation found, as one error.
    pub fn problems(problems: Vec<Problem>) -> Self {
        let text = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ");
        let field = problems.first().map(|problem| problem.field.clone());
        Self { problems, field, ..Self::new(ErrorKind::InvalidConfig, text) }
    }

    /// Adds the field of config.json that asked for it, which then leads the text.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Adds what the operating system said.
    #[must_use]
    pub fn because(mut self, source: impl Into<io::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what the operating system said, where the text has it already.
    #[must_use]
    pub(crate) fn hide(self, source: io::Error) -> Self {
        Self { told: true, ..self.because(source) }
    }

    /// Adds what went wrong as well when all was to be made as it had been.
    #[must_use]
    pub(crate) fn besides(mut self, also: &str) -> Self {
        let source = self.source.as_ref().filter(|_| !self.told).map(describe);
        let first = [Some(self.text), source].into_iter().flatten().collect::<Vec<_>>().join(": ");
        self.text = format!("{first}; {also}");
        self.told = self.source.is_some();
        self
    }

    /// The text alone.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Adds the number of the plan's step that failed.
    #[must_use]
    pub fn at_step(mut self, step: usize) -> Self {
        self.step = Some(step);
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The field of config.json that asked for what failed, if one did.
    pub fn config_field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The step of the [`Plan`](crate::plan::Plan) that failed, if one did.
    pub fn step(&self) -> Option<usize> {
        self.step
    }

    /// The kernel's error number, if the kernel said one.
    pub fn errno(&self) -> Option<i32> {
        self.source.as_ref().and_then(io::Error::raw_os_error)
    }

    /// Each problem that validation found; empty for other errors.
    pub fn all_problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problems.is_empty()
            && let Some(field) = self.field.as_deref().filter(|field| !field.is_empty())
        {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.text)?;
        match self.source.as_ref().filter(|_| !self.told) {
            Some(source) => write!(f, ": {}", describe(source)),
            None => Ok(()),
        }
    }
}

/// `No such file or directory (ENOENT)` for the kernel's errors, the error's own text for others.
pub fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => {
            let errno = nix::errno::Errno::from_raw(code);
            format!("{} ({errno:?})", errno.desc())
        }
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_field_object_and_errno() {
        let error =
            Error::system("bind source /data/x", io::Error::from_raw_os_error(libc::ENOENT))
                .field("mounts[3] (/data)");
        assert_eq!(
            error.to_string(),
            "mounts[3] (/data): bind source /data/x: No such file or directory (ENOENT)"
        );
        assert_eq!(error.errno(), Some(libc::ENOENT));
    }

    #[test]
    fn what_went_wrong_besides_comes_last() {
        let error = Error::system("open x", io::Error::from_raw_os_error(libc::ENOENT));
        let error = error.besides("y is not as it was").besides("nor z").field("root");
        assert_eq!(
            error.to_string(),
            "root: open x: No such file or directory (ENOENT); y is not as it was; nor z"
        );
        assert_eq!(error.errno(), Some(libc::ENOENT));
    }

    #[test]
    fn all_problems_are_in_one_line() {
        let error =
            Error::problems(vec![Problem::new("root.path", "is empty"), Problem::new("", "b")]);
        assert_eq!(error.to_string(), "root.path: is empty; b");
        assert_eq!(error.all_problems().len(), 2);
    }
}

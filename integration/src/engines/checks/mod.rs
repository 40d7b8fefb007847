//! The checks, a file for each subject.

pub(crate) mod errors;
pub(crate) mod exec;
pub(crate) mod run;

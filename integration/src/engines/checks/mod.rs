//! The checks, a file for each subject.

pub(crate) mod build;
pub(crate) mod compose;
pub(crate) mod docker;
pub(crate) mod dockerd;
pub(crate) mod errors;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod life;
pub(crate) mod limits;
pub(crate) mod network;
pub(crate) mod run;
pub(crate) mod security;
pub(crate) mod terminal;

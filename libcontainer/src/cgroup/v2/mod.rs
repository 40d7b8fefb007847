//! cgroup v2: one directory for a container, and the files of its controllers.

#![forbid(unsafe_code)]

pub(super) mod controllers;
pub(super) mod convert;
pub(super) mod directory;
mod freezer;
pub(super) mod limits;
pub(super) mod missing;
mod unified;

//! OCI containers for Linux, as a library: no daemon, no C libraries, nothing of the caller's process changed.
//!
//! ```no_run
//! use libcontainer::{Bundle, CreateOptions, StateRoot};
//! use std::path::Path;
//!
//! # fn main() -> libcontainer::Result<()> {
//! let bundle = Bundle::load(Path::new("/tmp/bundle"))?;
//! let root = StateRoot::new("/run/sandboxes");
//! let created = root.run("sandbox-1", &bundle, &CreateOptions::default())?;
//! let status = created.init.wait().expect("our own child");
//! println!("it ended with {status}");
//! created.container.delete(false)
//! # }
//! ```
//!
//! How it works is in ARCHITECTURE.md: [`plan`] computes everything first, without privilege; then
//! the parent's executor clones once, and the child's walks its steps with system calls only.

#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod cgroup;
mod child;
pub mod config;
pub mod container;
pub mod error;
mod features;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod fuzz;
mod hooks;
mod labels;
mod netlink;
mod parent;
pub mod plan;
mod procfs;
#[cfg(test)]
mod reflect;
mod resctrl;
#[cfg(test)]
mod spec_document;
#[allow(unsafe_code)]
mod sys;
pub mod time;

pub use config::{Bundle, Config};
pub use container::{
    Container, CreateOptions, Created, Event, Events, ExecOptions, Spawned, State, StateRoot,
    Status, Terminal,
};
pub use error::{Error, ErrorKind, Problem, Result};
pub use features::features;
pub use oci_spec::runtime as oci;
pub use plan::{Host, Plan};

//! Seccomp profiles of the [OCI runtime specification] to filters for Linux: pure Rust, no C library,
//! no cache, less than 0.2 milliseconds for the profile of an engine.
//!
//! ```
//! use oci_spec::runtime::LinuxSeccomp;
//! use skep_seccomp::Profile;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let oci: LinuxSeccomp = serde_json::from_str(
//!     r#"{"defaultAction": "SCMP_ACT_ALLOW",
//!         "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}"#,
//! )?;
//! let filter = Profile::new(&oci)?.compile()?;
//! assert!(filter.instructions().len() < 10);
//! println!("{}", filter.summary());
//! // filter.install()? would put it into force for this thread, for good.
//! # Ok(())
//! # }
//! ```
//!
//! A [`Profile`] is a configuration that has been checked. It is compiled to a [`Filter`]: its
//! instructions can be loaded by [`Filter::install`], or by whoever starts the process that they are for.
//! [`Filter::explain`] says what it does to a call, and why.
//!
//! What a profile means is what it means to engines, who have been using libseccomp: `SEMANTICS.md` in
//! this crate's directory has all of it.
//!
//! [OCI runtime specification]: https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#seccomp

#![warn(missing_docs)]
#![deny(unsafe_code)]

/// By this name tests in here and beside it share an interpreter.
#[cfg(test)]
extern crate self as skep_seccomp;

mod action;
mod arch;
mod call;
mod calls;
mod compile;
mod condition;
mod error;
mod explain;
mod filter;
mod flags;
mod listing;
mod multiplex;
mod order;
mod profile;
mod summary;
#[allow(unsafe_code)]
mod sys;
mod syscalls;
mod table;

pub use action::Action;
pub use arch::Arch;
pub use call::Call;
pub use condition::Condition;
pub use error::{Problem, Problems};
pub use explain::{Explanation, PassedOver, Reason, Why};
pub use filter::{Filter, Instruction};
pub use flags::Flags;
pub use listing::Listing;
pub use profile::Profile;
pub use summary::Summary;

/// Has its examples tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

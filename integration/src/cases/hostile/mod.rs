//! What has gone wrong in OCI runtimes, tried again: a case for each known class, named after its CVE or
//! advisory. SECURITY.md has the table of them, with the way in which each was seen to fail.
//!
//! What an attacker may do is done for real: hostile images and volumes are files, hostile processes are
//! modes of the probe. A case looks at what became of the host, and takes a refusal as well as a container
//! that is none the worse, except where the class is about what must be refused.

pub(crate) mod image;
pub(crate) mod neighbours;
pub(crate) mod processes;
pub(crate) mod races;
pub(crate) mod requests;
#[cfg(test)]
mod table;

/// All of them are one feature, in several files.
const NAME: &str = "hostile";

//! cgroup v1: a hierarchy for each controller or a few of them, and a directory for a container in
//! every one.
//!
//! What v2 does with one directory takes more here. Nobody can be born into a directory of v1: the
//! child enters, by descriptors that its parent has opened, as the first thing it does. There is no
//! `cgroup.kill`: who is in it is frozen, signalled and thawed. There is no event when the last one
//! is gone: rmdir is tried again. And device rules are lists of the kernel's, with less to say than a
//! program ([`devices`]).
//!
//! On a hybrid host v1 has the limits and nothing else: freezing, ending, the list of processes and
//! the device filter are v2's there, which does them better.

#![forbid(unsafe_code)]

mod block_io;
mod cpuset;
pub(super) mod devices;
mod freezer;
pub(super) mod hierarchies;
pub(super) mod hints;
mod kill;
pub(super) mod limits;
pub(super) mod tree;

#[cfg(test)]
mod kernel;

pub(super) use tree::Tree;

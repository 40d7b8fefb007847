//! The machinery around the cases: choosing, running, watching and clearing up.

pub(crate) mod case;
pub(crate) mod inner;
pub(crate) mod leaks;
pub(crate) mod needs;
pub(crate) mod procs;
pub(crate) mod runner;

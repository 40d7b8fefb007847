//! What of a process's attributes may be refused to it.

use super::{Context, Kind};
use crate::sys::{Errno, Result, attributes};

impl Context<'_> {
    /// Nobody has asked for this by name, so the container does not fail over it.
    pub(super) fn all_processors(&mut self) -> Result<()> {
        attributes::set_all_processors().or_else(|errno| self.note(errno))
    }

    /// In a user namespace one's own capabilities do not count here; the parent's do.
    pub(super) fn or_ask(&mut self, done: Result<()>, may_ask: bool) -> Result<()> {
        match done {
            Err(Errno(libc::EPERM)) if may_ask => self.ask(Kind::NeedAttribute),
            done => done,
        }
    }
}

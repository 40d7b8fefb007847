//! The last steps, which the trampoline takes where there is one: there they are only names for what
//! it may report. Elsewhere they are taken here, and the filter must permit what follows them.

use super::{Context, Kind};
use crate::plan::Labelled;
use crate::sys::identity::{self, ADMIN};
use crate::sys::{Errno, Result};
use std::ffi::CStr;
use std::os::fd::AsRawFd;

impl Context<'_> {
    pub(super) fn label(&mut self, labelled: Labelled, value: &CStr) -> Result<()> {
        if self.trampoline >= 0 && labelled != Labelled::Keyring {
            return Ok(());
        }
        self.write_proc(labelled.attribute(), value.to_bytes())
    }

    pub(super) fn load_filter(&mut self) -> Result<()> {
        let Some(filter) = self.plan.filter.as_ref().filter(|_| self.trampoline < 0) else {
            return Ok(());
        };
        let loaded = filter.install().map_err(|error| Errno(error.raw_os_error().unwrap_or(0)))?;
        self.state.filter_listener = loaded;
        Ok(())
    }

    pub(super) fn send_listener(&mut self) -> Result<()> {
        match self.state.filter_listener.take() {
            Some(listener) => self.send(Kind::Listener, 0, Some(listener.as_raw_fd())),
            None => Ok(()),
        }
    }

    pub(super) fn keep_admin_back(&mut self, inheritable: bool) -> Result<()> {
        if self.trampoline >= 0 {
            return Ok(());
        }
        if !inheritable {
            return identity::lower_ambient(ADMIN);
        }
        let mut sets = identity::capabilities()?;
        sets.inheritable &= !(1 << ADMIN);
        identity::capset(&sets)
    }

    pub(super) fn give_up_admin(&mut self) -> Result<()> {
        if self.trampoline >= 0 {
            return Ok(());
        }
        let mut sets = identity::capabilities()?;
        sets.effective &= !(1 << ADMIN);
        sets.permitted &= !(1 << ADMIN);
        identity::capset(&sets)
    }
}

//! Entering namespaces, and making the child as a sibling of the joiner.

use super::{Context, Kind};
use crate::sys::{Errno, Result, clone, file, process};
use std::ffi::CStr;

impl Context<'_> {
    /// By the descriptors that the parent has opened, so with its rights.
    pub(super) fn enter_cgroups(&mut self) -> Result<()> {
        self.doors.iter().try_for_each(|door| file::write_all(*door, b"0"))
    }

    /// What is owned by a user namespace that comes later is refused now, and joined then.
    pub(super) fn join_early(&mut self, list: &[(usize, u64)]) -> Result<()> {
        for (input, flag) in list {
            match clone::setns(self.input(*input)?, *flag) {
                Ok(()) => self.state.joined |= flag,
                Err(Errno(libc::EPERM)) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    pub(super) fn join_rest(&mut self, list: &[(usize, u64)]) -> Result<()> {
        for (input, flag) in list {
            if self.state.joined & flag == 0 {
                clone::setns(self.input(*input)?, *flag)?;
            }
        }
        Ok(())
    }

    pub(super) fn join_user(&mut self, input: usize) -> Result<()> {
        clone::setns(self.input(input)?, libc::CLONE_NEWUSER as u64)
    }

    pub(super) fn new_user(&mut self) -> Result<()> {
        clone::unshare(libc::CLONE_NEWUSER as u64)?;
        self.ask(Kind::NeedIdMaps)
    }

    /// A process enters a new time namespace by being made in it, so the offsets are written here,
    /// where nobody is in it yet.
    pub(super) fn new_time(&mut self, lines: &CStr) -> Result<()> {
        const CLONE_NEWTIME: u64 = 0x80;
        clone::unshare(CLONE_NEWTIME)?;
        if lines.is_empty() {
            return Ok(());
        }
        self.write_proc(c"self/timens_offsets", lines.to_bytes())
    }

    pub(super) fn join_process(&mut self, input: usize, flags: u64) -> Result<()> {
        clone::setns(self.input(input)?, flags)
    }

    pub(super) fn chroot(&mut self, input: usize) -> Result<()> {
        file::fchdir(self.input(input)?)?;
        file::chroot_here()
    }

    /// The trampoline does it, and never comes back.
    pub(super) fn spawn(&mut self) -> Result<()> {
        if self.trampoline < 0 {
            return self.fork(0);
        }
        self.state.step = super::EXEC_STEP;
        Err(self.execute())
    }

    /// Nothing is said: the child has been announced by the joiner.
    pub(super) fn await_parent(&mut self) -> Result<()> {
        match file::read(self.socket, &mut [0; 4]) {
            Ok(4) => Ok(()),
            _ => process::exit(1),
        }
    }

    /// The joiner ends here; its sibling goes on with the steps.
    pub(super) fn fork(&mut self, flags: u64) -> Result<()> {
        match clone::clone_sibling(flags)? {
            0 => Ok(()),
            pid => {
                let told = self.send(Kind::Forked, pid, None);
                process::exit(if told.is_ok() { 0 } else { 1 })
            }
        }
    }
}

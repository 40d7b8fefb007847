//! A compiled profile.

use crate::calls::Calls;
use crate::compile;
use crate::error::Problems;
use crate::flags::Flags;
use crate::profile::Profile;
use crate::sys;
use std::io;
use std::os::fd::OwnedFd;

/// One instruction of classic BPF: `struct sock_filter` of linux/filter.h.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to skip when a test holds.
    pub jt: u8,
    /// How many when it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

impl Instruction {
    /// As it is in memory.
    #[must_use]
    pub fn bytes(self) -> [u8; 8] {
        let [a, b] = self.code.to_ne_bytes();
        let [c, d, e, f] = self.k.to_ne_bytes();
        [a, b, self.jt, self.jf, c, d, e, f]
    }
}

/// A filter, ready to be loaded.
#[derive(Clone, Debug)]
pub struct Filter {
    program: Vec<Instruction>,
    pub(crate) profile: Profile,
    pub(crate) calls: Vec<Calls>,
}

impl Profile {
    /// Compiles the profile.
    ///
    /// # Errors
    ///
    /// When the filter would have more than the 4,096 instructions that the kernel takes.
    pub fn compile(self) -> Result<Filter, Problems> {
        let calls: Vec<Calls> = self.arches.iter().map(|arch| Calls::new(&self, *arch)).collect();
        match compile::compile(&self, &calls) {
            Ok(program) => Ok(Filter { program, calls, profile: self }),
            Err(failed) => Err(Problems(vec![failed.into()])),
        }
    }
}

impl Filter {
    /// Its instructions.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.program
    }

    /// How it is loaded.
    #[must_use]
    pub fn flags(&self) -> Flags {
        self.profile.flags
    }

    /// The profile that it was made from.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Loads the filter into the calling thread, for good. The thread must have no_new_privs set, or
    /// CAP_SYS_ADMIN in its user namespace. Gives the listener, if the profile has one.
    ///
    /// # Errors
    ///
    /// What seccomp(2) says: EACCES without that right, EINVAL for a flag that the kernel lacks.
    pub fn install(&self) -> io::Result<Option<OwnedFd>> {
        sys::load(&self.program, self.profile.flags)
    }
}

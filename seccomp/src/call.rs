//! A system call, as a filter sees it.

use crate::Arch;
use crate::arch::X32_BIT;
use crate::condition::{LAST_ARGUMENT, Number};
use crate::syscalls;
use std::fmt;

/// A system call: what the kernel shows a filter of it (`struct seccomp_data`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Call {
    /// The architecture. x86_64 and x32 are one here, as for the kernel: the number tells them apart.
    pub arch: Arch,
    /// The number. x32's have bit 30 set.
    pub number: u32,
    /// The arguments, as they are in the registers.
    pub args: [u64; LAST_ARGUMENT + 1],
}

impl Call {
    /// The call of this name; `None` when the architecture has none.
    #[must_use]
    pub fn named(arch: Arch, name: &str, args: [u64; LAST_ARGUMENT + 1]) -> Option<Self> {
        let number = arch.number_of(syscalls::find(name)?)?;
        Some(Self { arch, number, args })
    }

    /// Its name; `None` when it is not known.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        self.convention().name_of(self.number)
    }

    /// The architecture whose numbers this one is of.
    pub(crate) fn convention(&self) -> Arch {
        match (self.arch, self.number & X32_BIT) {
            (Arch::X32, 0) => Arch::X86_64,
            (Arch::X86_64, X32_BIT) => Arch::X32,
            (arch, _) => arch,
        }
    }
}

/// As in C, without zeros at the end: `clone(0x10000000), 56 on SCMP_ARCH_X86_64`.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.args.iter().rposition(|arg| *arg != 0).map_or(0, |last| last + 1);
        let args: Vec<String> =
            self.args[..count].iter().map(|arg| Number(*arg).to_string()).collect();
        let name = self.name().unwrap_or("syscall");
        let number = CallNumber(self.number);
        write!(f, "{name}({}), {number} on {}", args.join(", "), self.convention())
    }
}

/// A number of a call: in decimal, or in hexadecimal where bits count.
pub(crate) struct CallNumber(pub(crate) u32);

impl fmt::Display for CallNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < X32_BIT { write!(f, "{}", self.0) } else { write!(f, "{:#x}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x32_is_known_by_its_number() {
        let read = Call::named(Arch::X32, "read", [0; 6]).unwrap();
        assert_eq!((read.number, read.name()), (0x4000_0000, Some("read")));
        let of_x86_64 = Call { arch: Arch::X86_64, ..read };
        assert_eq!(of_x86_64.to_string(), "read(), 0x40000000 on SCMP_ARCH_X32");
        assert_eq!(Call { number: 1, ..read }.to_string(), "write(), 1 on SCMP_ARCH_X86_64");
    }

    #[test]
    fn text_is_as_in_c() {
        let call = Call::named(Arch::X86_64, "openat", [-100i64 as u64, 4096, 0, 0o644, 0, 0]);
        let text = "openat(0xffffffffffffff9c, 0x1000, 0, 420), 257 on SCMP_ARCH_X86_64";
        assert_eq!(call.unwrap().to_string(), text);
        let unknown = Call { arch: Arch::Aarch64, number: 9999, args: [0; 6] };
        assert_eq!(unknown.to_string(), "syscall(), 9999 on SCMP_ARCH_AARCH64");
        assert_eq!(Call::named(Arch::Aarch64, "open", [0; 6]), None);
    }
}

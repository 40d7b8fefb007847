//! Architectures: the specification's names, the kernel's tokens, and how arguments are compared.

use crate::syscalls::{self, Column, Name};
use oci_spec::runtime::Arch as OciArch;
use std::fmt;

/// An architecture whose system calls a filter can tell apart.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Arch {
    X86_64,
    X86,
    X32,
    Arm,
    Aarch64,
    Mips,
    Mips64,
    Mips64n32,
    Mipsel,
    Mipsel64,
    Mipsel64n32,
    Ppc,
    Ppc64,
    Ppc64le,
    S390,
    S390x,
    Riscv64,
    Loongarch64,
    Parisc,
    Parisc64,
    M68k,
    Sh,
    Sheb,
}

/// The bit that x32 sets in its numbers; it shares everything else with x86_64.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

struct Row {
    arch: Arch,
    oci: OciArch,
    name: &'static str,
    /// `AUDIT_ARCH_*` of linux/audit.h.
    token: u32,
    column: Column,
}

const fn row(arch: Arch, oci: OciArch, name: &'static str, token: u32, column: Column) -> Row {
    Row { arch, oci, name, token, column }
}

/// In the order of the enumeration.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row(Arch::X86_64, OciArch::ScmpArchX86_64, "SCMP_ARCH_X86_64", 0xc000_003e, Column::X86_64),
    row(Arch::X86, OciArch::ScmpArchX86, "SCMP_ARCH_X86", 0x4000_0003, Column::X86),
    row(Arch::X32, OciArch::ScmpArchX32, "SCMP_ARCH_X32", 0xc000_003e, Column::X32),
    row(Arch::Arm, OciArch::ScmpArchArm, "SCMP_ARCH_ARM", 0x4000_0028, Column::Arm),
    row(Arch::Aarch64, OciArch::ScmpArchAarch64, "SCMP_ARCH_AARCH64", 0xc000_00b7, Column::Aarch64),
    row(Arch::Mips, OciArch::ScmpArchMips, "SCMP_ARCH_MIPS", 0x0000_0008, Column::Mips),
    row(Arch::Mips64, OciArch::ScmpArchMips64, "SCMP_ARCH_MIPS64", 0x8000_0008, Column::Mips64),
    row(Arch::Mips64n32, OciArch::ScmpArchMips64n32, "SCMP_ARCH_MIPS64N32", 0xa000_0008, Column::Mips64N32),
    row(Arch::Mipsel, OciArch::ScmpArchMipsel, "SCMP_ARCH_MIPSEL", 0x4000_0008, Column::Mips),
    row(Arch::Mipsel64, OciArch::ScmpArchMipsel64, "SCMP_ARCH_MIPSEL64", 0xc000_0008, Column::Mips64),
    row(Arch::Mipsel64n32, OciArch::ScmpArchMipsel64n32, "SCMP_ARCH_MIPSEL64N32", 0xe000_0008, Column::Mips64N32),
    row(Arch::Ppc, OciArch::ScmpArchPpc, "SCMP_ARCH_PPC", 0x0000_0014, Column::Ppc),
    row(Arch::Ppc64, OciArch::ScmpArchPpc64, "SCMP_ARCH_PPC64", 0x8000_0015, Column::Ppc64),
    row(Arch::Ppc64le, OciArch::ScmpArchPpc64le, "SCMP_ARCH_PPC64LE", 0xc000_0015, Column::Ppc64),
    row(Arch::S390, OciArch::ScmpArchS390, "SCMP_ARCH_S390", 0x0000_0016, Column::S390),
    row(Arch::S390x, OciArch::ScmpArchS390x, "SCMP_ARCH_S390X", 0x8000_0016, Column::S390x),
    row(Arch::Riscv64, OciArch::ScmpArchRiscv64, "SCMP_ARCH_RISCV64", 0xc000_00f3, Column::Riscv64),
    row(Arch::Loongarch64, OciArch::ScmpArchLoongarch64, "SCMP_ARCH_LOONGARCH64", 0xc000_0102, Column::Loongarch64),
    row(Arch::Parisc, OciArch::ScmpArchParisc, "SCMP_ARCH_PARISC", 0x0000_000f, Column::Parisc),
    row(Arch::Parisc64, OciArch::ScmpArchParisc64, "SCMP_ARCH_PARISC64", 0x8000_000f, Column::Parisc64),
    row(Arch::M68k, OciArch::ScmpArchM68k, "SCMP_ARCH_M68K", 0x0000_0004, Column::M68k),
    row(Arch::Sh, OciArch::ScmpArchSh, "SCMP_ARCH_SH", 0x4000_002a, Column::Sh),
    row(Arch::Sheb, OciArch::ScmpArchSheb, "SCMP_ARCH_SHEB", 0x0000_002a, Column::Sh),
];

/// Bits of a token: linux/audit.h.
const TOKEN_64BIT: u32 = 0x8000_0000;
const TOKEN_LITTLE_ENDIAN: u32 = 0x4000_0000;
const TOKEN_N32: u32 = 0x2000_0000;

impl Arch {
    /// All that are known.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.arch)
    }

    /// The one that this program was built for; `None` where it has no name in the specification.
    #[must_use]
    pub const fn native() -> Option<Self> {
        Some(if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
            Self::X86_64
        } else if cfg!(target_arch = "x86_64") {
            Self::X32
        } else if cfg!(target_arch = "x86") {
            Self::X86
        } else if cfg!(target_arch = "arm") {
            Self::Arm
        } else if cfg!(target_arch = "aarch64") {
            Self::Aarch64
        } else if cfg!(target_arch = "riscv64") {
            Self::Riscv64
        } else if cfg!(target_arch = "loongarch64") {
            Self::Loongarch64
        } else if cfg!(target_arch = "s390x") {
            Self::S390x
        } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
            Self::Ppc64le
        } else if cfg!(target_arch = "powerpc64") {
            Self::Ppc64
        } else if cfg!(target_arch = "powerpc") {
            Self::Ppc
        } else if cfg!(all(target_arch = "mips64", target_endian = "little")) {
            Self::Mipsel64
        } else if cfg!(target_arch = "mips64") {
            Self::Mips64
        } else if cfg!(all(target_arch = "mips", target_endian = "little")) {
            Self::Mipsel
        } else if cfg!(target_arch = "mips") {
            Self::Mips
        } else if cfg!(target_arch = "m68k") {
            Self::M68k
        } else {
            return None;
        })
    }

    /// The one of this name, `SCMP_ARCH_X86_64` or `x86_64`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let same =
            |row: &&Row| row.name == name || row.arch.short_name().eq_ignore_ascii_case(name);
        ROWS.iter().find(same).map(|row| row.arch)
    }

    /// That of config.json; [`native`](Self::native) for `SCMP_ARCH_NATIVE`.
    #[must_use]
    pub fn of_oci(arch: OciArch) -> Option<Self> {
        match arch {
            OciArch::ScmpArchNative => Self::native(),
            arch => ROWS.iter().find(|row| row.oci == arch).map(|row| row.arch),
        }
    }

    /// As config.json has it.
    #[must_use]
    pub fn to_oci(self) -> OciArch {
        self.row().oci
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The specification's name, e.g. `SCMP_ARCH_X86_64`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    fn short_name(self) -> &'static str {
        self.name().trim_start_matches("SCMP_ARCH_")
    }

    /// What the kernel puts into `arch` of `struct seccomp_data`: `AUDIT_ARCH_*`. x86_64 and x32 share one.
    #[must_use]
    pub fn token(self) -> u32 {
        self.row().token
    }

    /// The number of a call, as the kernel tells it to filters.
    pub(crate) fn number_of(self, name: Name) -> Option<u32> {
        name.number(self.row().column).map(|number| number | self.bits())
    }

    /// The name of a call, by its number.
    pub(crate) fn name_of(self, number: u32) -> Option<&'static str> {
        syscalls::name(self.row().column, number ^ self.bits())
    }

    /// All its calls, in the order of their names.
    pub(crate) fn calls(self) -> impl Iterator<Item = (&'static str, u32)> {
        syscalls::numbers(self.row().column).map(move |(name, number)| (name, number | self.bits()))
    }

    /// What is set in all its numbers.
    fn bits(self) -> u32 {
        if self == Self::X32 { X32_BIT } else { 0 }
    }

    /// Whether conditions compare all 64 bits of an argument. On x32 they do not, though its
    /// registers have as many: that is what engines' profiles get from libseccomp.
    #[must_use]
    pub fn compares_64_bits(self) -> bool {
        let token = self.token();
        self != Self::X32 && token & TOKEN_64BIT != 0 && token & TOKEN_N32 == 0
    }

    /// Whether the kernel makes 0 of a number that it does not know: there that is setup(2), which has
    /// not been a call of any program for decades.
    pub(crate) fn unknown_is_zero(self) -> bool {
        matches!(self, Self::S390 | Self::S390x)
    }

    /// What is compared of an argument, or of a value for one.
    pub(crate) fn cut(self, value: u64) -> u64 {
        if self.compares_64_bits() { value } else { value & 0xffff_ffff }
    }

    /// Whether the low half of an argument comes first in memory.
    pub(crate) fn is_little_endian(self) -> bool {
        self.token() & TOKEN_LITTLE_ENDIAN != 0
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order() {
        assert!(ROWS.iter().enumerate().all(|(at, row)| row.arch as usize == at));
    }

    #[test]
    fn tokens_say_what_an_architecture_is() {
        assert!(Arch::X86_64.compares_64_bits() && Arch::X86_64.is_little_endian());
        assert!(Arch::S390x.compares_64_bits() && !Arch::S390x.is_little_endian());
        for narrow in [Arch::X32, Arch::X86, Arch::Mips64n32, Arch::Parisc, Arch::Arm] {
            assert!(!narrow.compares_64_bits(), "{narrow}");
        }
    }

    #[test]
    fn names_are_found() {
        for arch in Arch::all() {
            assert_eq!(Arch::of_name(arch.name()), Some(arch));
            assert_eq!(arch.to_oci().to_string(), arch.name());
        }
        assert_eq!(Arch::of_name("aarch64"), Some(Arch::Aarch64));
        assert_eq!(Arch::of_name("SCMP_ARCH_Z80"), None);
    }
}

//! Architectures as the evaluator sees them, typed in by hand; numbers from the generated table.

use super::table::{COLUMNS, Column, NO, ROWS};

/// One architecture of the specification.
#[derive(Debug)]
pub struct Machine {
    pub name: &'static str,
    /// `AUDIT_ARCH_*` of linux/audit.h.
    pub token: u32,
    /// How many bits of an argument are compared.
    pub bits: u32,
    /// Which other architectures' filters it can be in.
    pub little_endian: bool,
    column: Column,
}

const fn machine(name: &'static str, token: u32, bits: u32, column: Column) -> Machine {
    Machine { name, token, bits, little_endian: token & 0x4000_0000 != 0, column }
}

pub const X32_BIT: u32 = 0x4000_0000;

#[rustfmt::skip]
pub const MACHINES: [Machine; 23] = [
    machine("SCMP_ARCH_X86_64",      0xc000_003e, 64, Column::X86_64),
    machine("SCMP_ARCH_X86",         0x4000_0003, 32, Column::X86),
    machine("SCMP_ARCH_X32",         0xc000_003e, 32, Column::X32),
    machine("SCMP_ARCH_ARM",         0x4000_0028, 32, Column::Arm),
    machine("SCMP_ARCH_AARCH64",     0xc000_00b7, 64, Column::Aarch64),
    machine("SCMP_ARCH_MIPS",        0x0000_0008, 32, Column::Mips),
    machine("SCMP_ARCH_MIPS64",      0x8000_0008, 64, Column::Mips64),
    machine("SCMP_ARCH_MIPS64N32",   0xa000_0008, 32, Column::Mips64N32),
    machine("SCMP_ARCH_MIPSEL",      0x4000_0008, 32, Column::Mips),
    machine("SCMP_ARCH_MIPSEL64",    0xc000_0008, 64, Column::Mips64),
    machine("SCMP_ARCH_MIPSEL64N32", 0xe000_0008, 32, Column::Mips64N32),
    machine("SCMP_ARCH_PPC",         0x0000_0014, 32, Column::Ppc),
    machine("SCMP_ARCH_PPC64",       0x8000_0015, 64, Column::Ppc64),
    machine("SCMP_ARCH_PPC64LE",     0xc000_0015, 64, Column::Ppc64),
    machine("SCMP_ARCH_S390",        0x0000_0016, 32, Column::S390),
    machine("SCMP_ARCH_S390X",       0x8000_0016, 64, Column::S390x),
    machine("SCMP_ARCH_RISCV64",     0xc000_00f3, 64, Column::Riscv64),
    machine("SCMP_ARCH_LOONGARCH64", 0xc000_0102, 64, Column::Loongarch64),
    machine("SCMP_ARCH_PARISC",      0x0000_000f, 32, Column::Parisc),
    machine("SCMP_ARCH_PARISC64",    0x8000_000f, 64, Column::Parisc64),
    machine("SCMP_ARCH_M68K",        0x0000_0004, 32, Column::M68k),
    machine("SCMP_ARCH_SH",          0x4000_002a, 32, Column::Sh),
    machine("SCMP_ARCH_SHEB",        0x0000_002a, 32, Column::Sh),
];

/// What socketcall(2) and ipc(2) make other calls by: linux/net.h, linux/ipc.h.
#[rustfmt::skip]
const SUBCALLS: [(&str, &str, u64); 32] = [
    ("socketcall", "socket", 1), ("socketcall", "bind", 2), ("socketcall", "connect", 3),
    ("socketcall", "listen", 4), ("socketcall", "accept", 5), ("socketcall", "getsockname", 6),
    ("socketcall", "getpeername", 7), ("socketcall", "socketpair", 8), ("socketcall", "send", 9),
    ("socketcall", "recv", 10), ("socketcall", "sendto", 11), ("socketcall", "recvfrom", 12),
    ("socketcall", "shutdown", 13), ("socketcall", "setsockopt", 14),
    ("socketcall", "getsockopt", 15), ("socketcall", "sendmsg", 16), ("socketcall", "recvmsg", 17),
    ("socketcall", "accept4", 18), ("socketcall", "recvmmsg", 19), ("socketcall", "sendmmsg", 20),
    ("ipc", "semop", 1), ("ipc", "semget", 2), ("ipc", "semctl", 3), ("ipc", "semtimedop", 4),
    ("ipc", "msgsnd", 11), ("ipc", "msgrcv", 12), ("ipc", "msgget", 13), ("ipc", "msgctl", 14),
    ("ipc", "shmat", 21), ("ipc", "shmdt", 22), ("ipc", "shmget", 23), ("ipc", "shmctl", 24),
];

type Numbers = &'static [u16; COLUMNS];

/// A name of `syscalls`, looked up.
pub struct Name {
    numbers: Option<Numbers>,
    subcall: Option<(Numbers, u64)>,
}

impl Name {
    pub fn new(name: &str) -> Self {
        let row = |name| ROWS.iter().find(|row| row.0 == name).map(|row| &row.1);
        let subcall = SUBCALLS.iter().find(|subcall| subcall.1 == name);
        Self { numbers: row(name), subcall: subcall.and_then(|call| Some((row(call.0)?, call.2))) }
    }
}

impl Machine {
    /// The one of this name.
    pub fn named(name: &str) -> &'static Self {
        MACHINES.iter().find(|machine| machine.name == name).expect("an architecture")
    }

    /// The number of a call, if there is one.
    pub fn number(&self, name: &Name) -> Option<u32> {
        self.cell(name.numbers?)
    }

    /// The number of the call that can make this one, and the value of its first argument.
    pub fn subcall(&self, name: &Name) -> Option<(u32, u64)> {
        let (numbers, value) = name.subcall?;
        Some((self.cell(numbers)?, value))
    }

    /// The number of the call that can make this one.
    pub fn made_by(&self, name: &Name) -> Option<u32> {
        self.subcall(name).map(|(number, _)| number)
    }

    fn cell(&self, numbers: Numbers) -> Option<u32> {
        match numbers[self.column as usize] {
            NO => None,
            number if self.name == "SCMP_ARCH_X32" => Some(X32_BIT + u32::from(number)),
            // Those that only arm has: the table says how they are written there.
            number if number >= 0xf000 => Some(0x0f_0000 + u32::from(number) - 0xf000),
            number => Some(u32::from(number)),
        }
    }

    /// What is compared of an argument, or of a value for one.
    pub fn cut(&self, value: u64) -> u64 {
        if self.bits == 64 { value } else { value & 0xffff_ffff }
    }
}

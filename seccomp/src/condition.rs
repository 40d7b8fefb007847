//! Conditions on the arguments of a system call.

use crate::Arch;
use oci_spec::runtime::{LinuxSeccompArg, LinuxSeccompOperator as Operator};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};
use std::fmt;

/// The highest index of an argument: a system call has six.
pub(crate) const LAST_ARGUMENT: usize = 5;

/// One entry of `args`: what it asks of one argument.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Condition {
    /// Which argument, from 0 up.
    pub index: u8,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: u64,
    /// Only for `SCMP_CMP_MASKED_EQ`, where `value` is the mask and this is the wanted result.
    pub value_two: u64,
}

/// The operators of config.json, and how they are written in C.
const OPERATORS: &[(Operator, &str)] = &[
    (Operator::ScmpCmpEq, "=="),
    (Operator::ScmpCmpGe, ">="),
    (Operator::ScmpCmpGt, ">"),
    (Operator::ScmpCmpLe, "<="),
    (Operator::ScmpCmpLt, "<"),
    (Operator::ScmpCmpMaskedEq, "=="),
    (Operator::ScmpCmpNe, "!="),
];

impl Condition {
    /// The operators that a profile can name.
    pub fn operators() -> impl Iterator<Item = Operator> {
        OPERATORS.iter().map(|row| row.0)
    }

    /// `None` when there is no such argument.
    pub(crate) fn of_oci(arg: &LinuxSeccompArg) -> Option<Self> {
        let index =
            u8::try_from(arg.index()).ok().filter(|at| usize::from(*at) <= LAST_ARGUMENT)?;
        Some(Self {
            index,
            operator: arg.op(),
            value: arg.value(),
            value_two: arg.value_two().unwrap_or(0),
        })
    }

    /// That an argument has this value.
    pub(crate) fn is(index: u8, value: u64) -> Self {
        Self { index, operator: Operator::ScmpCmpEq, value, value_two: 0 }
    }

    /// What `arch` compares of it: all 64 bits, or the low 32; and of a masked one, what is in the
    /// mask. `None` when it always holds, since the mask is empty.
    pub(crate) fn cut(&self, arch: Arch) -> Option<Self> {
        let value = arch.cut(self.value);
        match self.operator {
            Operator::ScmpCmpMaskedEq if value == 0 => None,
            Operator::ScmpCmpMaskedEq => {
                Some(Self { value, value_two: self.value_two & value, ..*self })
            }
            _ => Some(Self { value, value_two: 0, ..*self }),
        }
    }

    /// Whether it holds for a call with these arguments, as far as [`cut`](Self::cut) has left
    /// anything of it. Comparisons are unsigned.
    pub(crate) fn holds(&self, arch: Arch, args: &[u64; LAST_ARGUMENT + 1]) -> bool {
        let argument = arch.cut(args[usize::from(self.index)]);
        match self.operator {
            Operator::ScmpCmpNe => argument != self.value,
            Operator::ScmpCmpLt => argument < self.value,
            Operator::ScmpCmpLe => argument <= self.value,
            Operator::ScmpCmpEq => argument == self.value,
            Operator::ScmpCmpGe => argument >= self.value,
            Operator::ScmpCmpGt => argument > self.value,
            Operator::ScmpCmpMaskedEq => argument & self.value == self.value_two,
        }
    }

    /// The same for the generator of its instructions.
    pub(crate) fn for_seccompiler(&self, arch: Arch) -> seccompiler::Result<SeccompCondition> {
        let length = match arch.compares_64_bits() {
            true => SeccompCmpArgLen::Qword,
            false => SeccompCmpArgLen::Dword,
        };
        let (operator, value) = match self.operator {
            Operator::ScmpCmpNe => (SeccompCmpOp::Ne, self.value),
            Operator::ScmpCmpLt => (SeccompCmpOp::Lt, self.value),
            Operator::ScmpCmpLe => (SeccompCmpOp::Le, self.value),
            Operator::ScmpCmpEq => (SeccompCmpOp::Eq, self.value),
            Operator::ScmpCmpGe => (SeccompCmpOp::Ge, self.value),
            Operator::ScmpCmpGt => (SeccompCmpOp::Gt, self.value),
            Operator::ScmpCmpMaskedEq => (SeccompCmpOp::MaskedEq(self.value), self.value_two),
        };
        SeccompCondition::new(self.index, length, operator, value)
            .map_err(seccompiler::Error::Backend)
    }
}

/// As one would write it in C: `arg0 & 0x7e020000 == 0`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arg{} ", self.index)?;
        let row = OPERATORS.iter().find(|row| row.0 == self.operator);
        let operator = row.map_or("?", |row| row.1);
        match self.operator {
            Operator::ScmpCmpMaskedEq => {
                write!(f, "& {} {operator} {}", Number(self.value), Number(self.value_two))
            }
            _ => write!(f, "{operator} {}", Number(self.value)),
        }
    }
}

/// Small numbers in decimal, others in hexadecimal.
pub(crate) struct Number(pub(crate) u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 { write!(f, "{}", self.0) } else { write!(f, "{:#x}", self.0) }
    }
}

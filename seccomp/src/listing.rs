//! A filter's instructions in words, a line each.

use crate::action::Action;
use crate::call::CallNumber;
use crate::compile::layout;
use crate::condition::Number;
use crate::{Arch, Call, Filter, Instruction};
use std::fmt;

/// The instructions of a filter, for `Display`.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a>(&'a Filter);

impl Filter {
    /// Its instructions in words, a line each, with the places that they jump to.
    #[must_use]
    pub fn listing(&self) -> Listing<'_> {
        Listing(self)
    }
}

/// `  12: if number == 56 (clone) then 13 else 20`.
impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arches = self.0.profile().architectures();
        let operations: Vec<Operation> =
            self.0.instructions().iter().enumerate().map(|(at, one)| decode(at, one)).collect();
        for (at, (operation, known)) in operations.iter().zip(knowledge(&operations)).enumerate() {
            writeln!(f, "{at:4}: {}", Line { operation, known, arches })?;
        }
        Ok(())
    }
}

/// An instruction, with places for distances.
enum Operation {
    Load(u32),
    And(u32),
    Jump(usize),
    Test { sign: &'static str, value: u32, yes: usize, no: usize },
    Return(u32),
    Other,
}

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const GREATER: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
const GREATER_OR_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

fn decode(at: usize, instruction: &Instruction) -> Operation {
    let Instruction { code, jt, jf, k } = *instruction;
    let (yes, no) = (at + 1 + usize::from(jt), at + 1 + usize::from(jf));
    let test = |sign| Operation::Test { sign, value: k, yes, no };
    match u32::from(code) {
        LOAD => Operation::Load(k),
        AND => Operation::And(k),
        JUMP => Operation::Jump(at + 1 + k as usize),
        EQUAL => test("=="),
        GREATER => test(">"),
        GREATER_OR_EQUAL => test(">="),
        RETURN => Operation::Return(k),
        _ => Operation::Other,
    }
}

/// What is known before an instruction, whichever way it was reached.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The offset of the word that was loaded.
    word: Option<u32>,
    /// Which of its bits are left.
    mask: Option<u32>,
    /// The token of the architecture.
    token: Option<u32>,
}

impl Known {
    fn meet(self, other: Self) -> Self {
        let word = self.word.filter(|_| self.word == other.word && self.mask == other.mask);
        let token = self.token.filter(|_| self.token == other.token);
        Self { word, mask: self.mask, token }
    }
}

/// What is known before each instruction. All jumps are forward, so one pass is enough.
fn knowledge(operations: &[Operation]) -> Vec<Known> {
    let mut known: Vec<Option<Known>> = vec![None; operations.len()];
    for (at, operation) in operations.iter().enumerate() {
        let before = known[at].unwrap_or_default();
        let mut reach = |next: usize, after: Known| {
            if let Some(known) = known.get_mut(next) {
                *known = Some(known.map_or(after, |known| known.meet(after)));
            }
        };
        match *operation {
            Operation::Load(offset) => {
                reach(at + 1, Known { word: Some(offset), mask: None, ..before });
            }
            Operation::And(mask) => reach(at + 1, Known { mask: Some(mask), ..before }),
            Operation::Jump(to) => reach(to, before),
            Operation::Test { sign, value, yes, no } => {
                let is_arch = before.word == Some(layout::ARCH) && sign == "==";
                let token = if is_arch { Some(value) } else { before.token };
                reach(yes, Known { token, ..before });
                reach(no, before);
            }
            Operation::Return(_) | Operation::Other => {}
        }
    }
    known.into_iter().map(Option::unwrap_or_default).collect()
}

struct Line<'a> {
    operation: &'a Operation,
    known: Known,
    arches: &'a [Arch],
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.operation {
            Operation::Load(offset) => write!(f, "load {}", self.word(offset)),
            Operation::And(mask) => write!(f, "and {mask:#x}"),
            Operation::Jump(to) => write!(f, "go to {to}"),
            Operation::Test { sign, value, yes, no } => {
                let value = self.value(value, sign == "==");
                write!(f, "if {} {sign} {value} then {yes} else {no}", self.accumulator())
            }
            Operation::Return(code) => match Action::of_code(code) {
                Some(action) => write!(f, "return {action}"),
                None => write!(f, "return {code:#x}"),
            },
            Operation::Other => f.write_str("unknown"),
        }
    }
}

impl Line<'_> {
    fn accumulator(&self) -> String {
        match (self.known.word, self.known.mask) {
            (Some(offset), Some(mask)) => format!("{} & {mask:#x}", self.word(offset)),
            (Some(offset), None) => self.word(offset),
            (None, _) => "it".to_owned(),
        }
    }

    fn word(&self, offset: u32) -> String {
        match offset {
            layout::NUMBER => "number".to_owned(),
            layout::ARCH => "arch".to_owned(),
            _ => {
                let (index, half) = ((offset - layout::ARGUMENTS) / 8, offset % 8 / 4);
                // A filter's architectures have one order of bytes.
                let little = self.arches.iter().any(|arch| arch.is_little_endian());
                let half = if little == (half == 0) { "low" } else { "high" };
                format!("arg{index}.{half}")
            }
        }
    }

    fn value(&self, value: u32, equal: bool) -> String {
        let arch = |token| self.arches.iter().find(|arch| arch.token() == token);
        match self.known.word {
            Some(layout::ARCH) => arch(value).map_or(format!("{value:#x}"), Arch::to_string),
            Some(layout::NUMBER) => {
                let arch = self.known.token.and_then(arch).filter(|_| equal);
                let name =
                    arch.and_then(|arch| Call { arch: *arch, number: value, args: [0; 6] }.name());
                let value = CallNumber(value);
                name.map_or(value.to_string(), |name| format!("{value} ({name})"))
            }
            _ => Number(u64::from(value)).to_string(),
        }
    }
}

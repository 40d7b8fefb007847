//! Classic BPF as the kernel checks it and runs it for seccomp (net/core/filter.c, kernel/seccomp.c),
//! of all its instructions those that filters need: whatever else is in a program is refused.

use skep_seccomp::Instruction;

/// A system call as a filter sees it: `struct seccomp_data` of linux/seccomp.h.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Call {
    pub arch: u32,
    pub number: u32,
    pub args: [u64; 6],
}

/// What came of running a filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    pub value: u32,
    /// How many instructions were executed.
    pub steps: usize,
    /// Whether more was looked at than architecture and number. A call that a filter allows without that
    /// is allowed by the kernel without running the filter (`seccomp_is_const_allow`).
    pub looked_further: bool,
}

/// The most instructions: `BPF_MAXINSNS`.
pub const MOST: usize = 4096;

/// How many words `struct seccomp_data` has.
const WORDS: usize = 16;

// linux/bpf_common.h
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const EQUAL: u16 = 0x15;
const GREATER: u16 = 0x25;
const GREATER_OR_EQUAL: u16 = 0x35;
const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

impl Call {
    /// The instruction pointer is 0.
    fn words(&self, little_endian: bool) -> [u32; WORDS] {
        let mut words = [0; WORDS];
        words[0] = self.number;
        words[1] = self.arch;
        for (index, arg) in self.args.iter().enumerate() {
            let (low, high) = (*arg as u32, (*arg >> 32) as u32);
            let halves = if little_endian { [low, high] } else { [high, low] };
            words[4 + 2 * index..6 + 2 * index].copy_from_slice(&halves);
        }
        words
    }
}

/// Refuses what the kernel refuses.
pub fn check(program: &[Instruction]) -> Result<(), String> {
    if program.is_empty() || program.len() > MOST {
        return Err(format!("{} instructions", program.len()));
    }
    for (at, instruction) in program.iter().enumerate() {
        let behind = program.len() - at - 1;
        if !is_right(instruction, behind) {
            return Err(format!("{instruction:?} with {behind} behind it"));
        }
    }
    // No way leads out of it: jumps are inside, and what is last does not go on.
    match program[program.len() - 1].code {
        RETURN => Ok(()),
        _ => Err("the last instruction does not return".to_owned()),
    }
}

fn is_right(instruction: &Instruction, behind: usize) -> bool {
    match instruction.code {
        LOAD => instruction.k.is_multiple_of(4) && instruction.k < 4 * WORDS as u32,
        AND | RETURN => true,
        JUMP => (instruction.k as usize) < behind,
        EQUAL | GREATER | GREATER_OR_EQUAL | ANY_BIT => {
            usize::from(instruction.jt) < behind && usize::from(instruction.jf) < behind
        }
        _ => false,
    }
}

/// Runs a program that has been checked. Big machines have the high half of an argument first.
pub fn run(program: &[Instruction], call: &Call, little_endian: bool) -> Run {
    let words = call.words(little_endian);
    let (mut accumulator, mut at, mut looked_further) = (0, 0, false);
    for steps in 1.. {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let jump = |holds| usize::from(if holds { jt } else { jf });
        match code {
            LOAD => {
                accumulator = words[k as usize / 4];
                looked_further |= k >= 8;
            }
            AND => accumulator &= k,
            JUMP => at += k as usize,
            EQUAL => at += jump(accumulator == k),
            GREATER => at += jump(accumulator > k),
            GREATER_OR_EQUAL => at += jump(accumulator >= k),
            ANY_BIT => at += jump(accumulator & k != 0),
            RETURN => return Run { value: k, steps, looked_further },
            _ => panic!("{code:#x} has not been checked"),
        }
    }
    unreachable!("a program only goes forward")
}

//! The commonest mistake of libseccomp: a test that is reached in two ways, of which one has another
//! word loaded than the test is meant for.

use skep_seccomp::Instruction;

// linux/bpf_common.h
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const RETURN: u16 = 0x06;

/// What is in the accumulator.
#[derive(Clone, Copy, PartialEq)]
enum Held {
    Word {
        offset: u32,
        mask: u32,
    },
    /// It depends on the way that led there.
    Doubtful,
}

/// The program with each such test replaced by a return of this value, which is no action.
pub fn marked(program: &[Instruction], mark: u32) -> Vec<Instruction> {
    let mut marked = program.to_vec();
    let mut held: Vec<Option<Held>> = vec![None; program.len()];
    held[0] = Some(Held::Doubtful);
    for (at, instruction) in program.iter().enumerate() {
        let Some(mut now) = held[at] else { continue };
        let mut go = |skip: usize, now| {
            let there = &mut held[at + 1 + skip];
            *there = Some(there.map_or(now, |old| if old == now { now } else { Held::Doubtful }));
        };
        match instruction.code {
            LOAD => {
                now = Held::Word { offset: instruction.k, mask: u32::MAX };
                go(0, now);
            }
            AND => {
                if let Held::Word { mask, .. } = &mut now {
                    *mask &= instruction.k;
                }
                go(0, now);
            }
            JUMP => go(instruction.k as usize, now),
            RETURN => {}
            _ => {
                go(usize::from(instruction.jt), now);
                go(usize::from(instruction.jf), now);
                if now == Held::Doubtful {
                    marked[at] = Instruction { code: RETURN, jt: 0, jf: 0, k: mark };
                }
            }
        }
    }
    marked
}

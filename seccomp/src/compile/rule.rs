//! The conditions of a rule as nodes. The instructions are seccompiler's; what they jump to is ours.

use super::graph::{Compare, Graph, Id, Knowledge, Node, Word};
use super::layout::ARGUMENTS;
use crate::Arch;
use crate::condition::Condition;
use seccompiler::{BpfProgram, SeccompRule, sock_filter};

/// Where an instruction goes on.
enum Next {
    Always(usize),
    Test { compare: Compare, value: u32, yes: usize, no: usize },
}

/// A rule's instructions. They fall through when all conditions hold, and skip one more
/// instruction when one does not.
struct Block {
    code: BpfProgram,
    /// Offsets of the halves of an argument are seccompiler's, for little-endian machines.
    swap: bool,
}

impl Graph {
    /// Adds the test of `conditions`, which leads to `matched` when all hold and to `otherwise` when
    /// one does not.
    pub(super) fn add_rule(
        &mut self,
        arch: Arch,
        conditions: &[Condition],
        matched: Id,
        otherwise: Id,
    ) -> seccompiler::Result<Id> {
        if conditions.is_empty() {
            return Ok(matched);
        }
        let conditions = conditions.iter().map(|condition| condition.for_seccompiler(arch));
        let rule = SeccompRule::new(conditions.collect::<seccompiler::Result<_>>()?)
            .map_err(seccompiler::Error::Backend)?;
        let block = Block { code: rule.into(), swap: !arch.is_little_endian() };
        Ok(self.add_block(&block, matched, otherwise))
    }

    fn add_block(&mut self, block: &Block, matched: Id, otherwise: Id) -> Id {
        let known = block.knowledge();
        let mut ids = vec![matched; block.code.len()];
        ids.push(matched);
        ids.push(otherwise);
        for at in (0..block.code.len()).rev() {
            // What is not reached is not needed either.
            let Some(known) = &known[at] else { continue };
            ids[at] = match block.next(at) {
                Next::Always(next) => {
                    let after = block.after(at, known);
                    let next = self.follow(ids[next], &after);
                    match block.word_loaded(at) {
                        Some(offset) => self.add(Node::Load { offset, next }),
                        None => match block.mask(at) {
                            Some(mask) => self.add(Node::And { mask, next }),
                            None => next,
                        },
                    }
                }
                Next::Test { compare, value, yes, no } => match known.outcome(compare, value) {
                    Some(outcome) => ids[if outcome { yes } else { no }],
                    None => {
                        let yes = self.follow(ids[yes], &known.after(compare, value, true));
                        let no = self.follow(ids[no], &known.after(compare, value, false));
                        self.add(Node::Test { compare, value, yes, no })
                    }
                },
            };
        }
        ids[0]
    }
}

const CLASS: u16 = 0x07;
const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;

impl Block {
    /// Places behind the end: the first is a match, all others are none.
    fn place(&self, at: usize) -> usize {
        at.min(self.code.len() + 1)
    }

    fn next(&self, at: usize) -> Next {
        let sock_filter { code, jt, jf, k } = self.code[at];
        if code & CLASS != libc::BPF_JMP as u16 {
            return Next::Always(self.place(at + 1));
        }
        let compare = match code {
            JUMP => return Next::Always(self.place(at + 1 + k as usize)),
            EQUAL => Compare::Equal,
            GREATER => Compare::Greater,
            _ => Compare::GreaterOrEqual,
        };
        let yes = self.place(at + 1 + usize::from(jt));
        let no = self.place(at + 1 + usize::from(jf));
        Next::Test { compare, value: k, yes, no }
    }

    fn word_loaded(&self, at: usize) -> Option<u32> {
        let sock_filter { code, k, .. } = self.code[at];
        let swap = if self.swap && k >= ARGUMENTS { 4 } else { 0 };
        (code == LOAD_WORD).then_some(k ^ swap)
    }

    fn mask(&self, at: usize) -> Option<u32> {
        let sock_filter { code, k, .. } = self.code[at];
        (code == AND).then_some(k)
    }

    /// What is known after an instruction that is no test.
    fn after(&self, at: usize, known: &Knowledge) -> Knowledge {
        let mut after = known.clone();
        if let Some(offset) = self.word_loaded(at) {
            after.accumulator = Some(Word { offset, mask: u32::MAX });
        } else if let Some(mask) = self.mask(at) {
            let whole = after.accumulator.filter(|word| word.mask == u32::MAX);
            after.accumulator = whole.map(|word| Word { mask, ..word });
        }
        after
    }

    /// What is known before each instruction; `None` for those that are never reached.
    fn knowledge(&self) -> Vec<Option<Knowledge>> {
        let mut known: Vec<Option<Knowledge>> = vec![None; self.code.len() + 2];
        known[0] = Some(Knowledge::default());
        let reach =
            |known: &mut Vec<Option<Knowledge>>, at: usize, new: Knowledge| match &mut known[at] {
                Some(old) => old.meet(&new),
                none => *none = Some(new),
            };
        for at in 0..self.code.len() {
            let Some(before) = known[at].clone() else { continue };
            match self.next(at) {
                Next::Always(next) => reach(&mut known, next, self.after(at, &before)),
                Next::Test { compare, value, yes, no } => {
                    reach(&mut known, yes, before.after(compare, value, true));
                    reach(&mut known, no, before.after(compare, value, false));
                }
            }
        }
        known
    }
}

//! From the graph to instructions, from the last to the first.
//!
//! Classic BPF only jumps forward, a conditional jump over at most 255 instructions. So the end is
//! written first, and whatever an instruction leads to is there already, or is written right behind it.
//! What has come to be too far away gets a copy, if it is an end, or a jump without condition.

use super::graph::{Compare, Graph, Id, Node};
use super::{Failed, Instruction};

/// The most instructions that the kernel takes: `BPF_MAXINSNS`.
pub(super) const MOST: usize = 4096;

/// The longest conditional jump.
const FAR: usize = u8::MAX as usize;

struct Emitter<'a> {
    graph: &'a Graph,
    /// From the last instruction to the first.
    code: Vec<Instruction>,
    /// Where a node was written last, counted from the end.
    places: Vec<Option<usize>>,
}

/// The program that begins with `root`.
pub(super) fn emit(graph: &Graph, root: Id) -> Result<Vec<Instruction>, Failed> {
    let mut emitter =
        Emitter { graph, code: Vec::with_capacity(MOST / 8), places: vec![None; graph.len()] };
    // Not by recursion: a filter can be as deep as it is long, and the stack be a small one.
    let mut open = vec![root];
    while let Some(&id) = open.last() {
        match emitter.missing(id) {
            Some(before) => open.push(before),
            None => {
                emitter.write(id);
                open.pop();
            }
        }
        if emitter.code.len() > MOST {
            return Err(Failed::TooLong(emitter.code.len()));
        }
    }
    emitter.code.reverse();
    Ok(emitter.code)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code: code as u16, jt, jf, k }
}

impl Emitter<'_> {
    fn push(&mut self, id: Id, instruction: Instruction) {
        self.code.push(instruction);
        self.places[id as usize] = Some(self.code.len() - 1);
    }

    /// How many instructions are between the next one to be written and this node, which is there.
    fn distance(&self, id: Id) -> usize {
        let place = self.places[id as usize].unwrap_or_default();
        self.code.len() - 1 - place
    }

    /// The first of the nodes that this one leads to that has no place yet.
    fn missing(&self, id: Id) -> Option<Id> {
        let (first, second) = match self.graph.node(id) {
            Node::Return(_) => return None,
            Node::Load { next, .. } | Node::And { next, .. } => (next, next),
            Node::Test { yes, no, .. } => (yes, no),
        };
        [first, second].into_iter().find(|id| self.places[*id as usize].is_none())
    }

    /// Writes a node, when all that it leads to is there.
    fn write(&mut self, id: Id) {
        let instruction = match self.graph.node(id) {
            Node::Return(value) => instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value),
            Node::Load { offset, next } => {
                self.bring(next, 0);
                instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
            }
            Node::And { mask, next } => {
                self.bring(next, 0);
                instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, mask)
            }
            Node::Test { compare, value, yes, no } => {
                // Bringing one near moves the other one away, by one instruction.
                self.bring(yes, FAR - 1);
                self.bring(no, FAR);
                let operation = match compare {
                    Compare::Equal => libc::BPF_JEQ,
                    Compare::Greater => libc::BPF_JGT,
                    Compare::GreaterOrEqual => libc::BPF_JGE,
                };
                let (yes, no) = (self.distance(yes) as u8, self.distance(no) as u8);
                instruction(libc::BPF_JMP | operation | libc::BPF_K, yes, no, value)
            }
        };
        self.push(id, instruction);
    }

    /// Makes sure that a node can be reached over at most so many instructions.
    fn bring(&mut self, id: Id, most: usize) {
        let distance = self.distance(id);
        if distance <= most {
            return;
        }
        match self.graph.node(id) {
            Node::Return(value) => {
                self.push(id, instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value));
            }
            _ => {
                // From now on the way to the node is by this jump, which others can reach too.
                let code = libc::BPF_JMP | libc::BPF_JA;
                self.push(id, instruction(code, 0, 0, distance as u32));
            }
        }
    }
}

#[cfg(test)]
mod tests;

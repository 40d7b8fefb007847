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
    // Also the bound of the recursion below.
    if graph.len() > MOST {
        return Err(Failed::TooLong(graph.len()));
    }
    let mut emitter = Emitter { graph, code: Vec::new(), places: vec![None; graph.len()] };
    emitter.place(root);
    emitter.code.reverse();
    match emitter.code.len() {
        length if length > MOST => Err(Failed::TooLong(length)),
        _ => Ok(emitter.code),
    }
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code: code as u16, jt, jf, k }
}

impl Emitter<'_> {
    fn push(&mut self, id: Id, instruction: Instruction) {
        self.code.push(instruction);
        self.places[id as usize] = Some(self.code.len() - 1);
    }

    /// How many instructions are between the next one to be written and this node.
    fn distance(&self, id: Id) -> Option<usize> {
        self.places[id as usize].map(|place| self.code.len() - 1 - place)
    }

    /// Writes a node, and before it what it leads to, unless that is there.
    fn place(&mut self, id: Id) {
        if self.places[id as usize].is_some() {
            return;
        }
        match self.graph.node(id) {
            Node::Return(value) => {
                self.push(id, instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value));
            }
            Node::Load { offset, next } => {
                self.bring(next, 0);
                let code = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
                self.push(id, instruction(code, 0, 0, offset));
            }
            Node::And { mask, next } => {
                self.bring(next, 0);
                let code = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
                self.push(id, instruction(code, 0, 0, mask));
            }
            Node::Test { compare, value, yes, no } => {
                self.place(yes);
                self.place(no);
                // Bringing one near moves the other one away, by one instruction.
                self.bring(yes, FAR - 1);
                self.bring(no, FAR);
                let far = |id| self.distance(id).unwrap_or_default() as u8;
                let operation = match compare {
                    Compare::Equal => libc::BPF_JEQ,
                    Compare::Greater => libc::BPF_JGT,
                    Compare::GreaterOrEqual => libc::BPF_JGE,
                };
                let code = libc::BPF_JMP | operation | libc::BPF_K;
                self.push(id, instruction(code, far(yes), far(no), value));
            }
        }
    }

    /// Makes sure that a node can be reached over at most so many instructions.
    fn bring(&mut self, id: Id, most: usize) {
        self.place(id);
        let Some(distance) = self.distance(id).filter(|distance| *distance > most) else { return };
        match self.graph.node(id) {
            Node::Return(value) => {
                self.push(id, instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value));
            }
            _ => {
                // The node's own place is where it was, for those who can reach it.
                let code = libc::BPF_JMP | libc::BPF_JA;
                self.push(id, instruction(code, 0, 0, distance as u32));
            }
        }
    }
}

//! A filter as a graph of decisions, in which nothing is there twice.
//!
//! Nodes are only added after what they lead to, so there are no cycles, and equal nodes are one
//! node: the rules that two architectures share, and the ends of rules, are there once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The place of a node in its graph.
pub(super) type Id = u32;

/// How a test compares the accumulator with its value.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Compare {
    Equal,
    Greater,
    GreaterOrEqual,
}

impl Compare {
    fn holds(self, accumulator: u32, value: u32) -> bool {
        match self {
            Self::Equal => accumulator == value,
            Self::Greater => accumulator > value,
            Self::GreaterOrEqual => accumulator >= value,
        }
    }
}

/// One instruction, with nodes for places.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Node {
    /// The end: a value of `SECCOMP_RET_*`.
    Return(u32),
    /// The accumulator becomes the word at this offset of `struct seccomp_data`.
    Load {
        offset: u32,
        next: Id,
    },
    /// The accumulator keeps these bits only.
    And {
        mask: u32,
        next: Id,
    },
    Test {
        compare: Compare,
        value: u32,
        yes: Id,
        no: Id,
    },
}

/// A word of `struct seccomp_data`, and which bits of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Word {
    pub(super) offset: u32,
    pub(super) mask: u32,
}

/// What a test has told about a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fact {
    Is(Word, u32),
    IsNot(Word, u32),
}

/// What is known at a point of a program, whichever way it was reached.
#[derive(Clone, Debug, Default)]
pub(super) struct Knowledge {
    /// What the accumulator holds.
    pub(super) accumulator: Option<Word>,
    facts: Vec<Fact>,
}

impl Knowledge {
    /// What is known after a test of the accumulator, `result` being its outcome.
    pub(super) fn after(&self, compare: Compare, value: u32, result: bool) -> Self {
        let mut after = self.clone();
        if let (Some(word), Compare::Equal) = (self.accumulator, compare) {
            let fact = if result { Fact::Is(word, value) } else { Fact::IsNot(word, value) };
            after.facts.push(fact);
        }
        after
    }

    /// What is known where two ways meet.
    pub(super) fn meet(&mut self, other: &Self) {
        self.accumulator = self.accumulator.filter(|word| other.accumulator == Some(*word));
        self.facts.retain(|fact| other.facts.contains(fact));
    }

    /// The outcome of a test of the accumulator, if it is known.
    pub(super) fn outcome(&self, compare: Compare, value: u32) -> Option<bool> {
        self.outcome_of(self.accumulator?, compare, value)
    }

    /// The outcome of a test of `word`, if it is known.
    fn outcome_of(&self, word: Word, compare: Compare, value: u32) -> Option<bool> {
        if word.mask == 0 {
            return Some(compare.holds(0, value));
        }
        self.facts.iter().find_map(|fact| match *fact {
            Fact::Is(known, is) if known == word => Some(compare.holds(is, value)),
            Fact::IsNot(known, not)
                if known == word && compare == Compare::Equal && not == value =>
            {
                Some(false)
            }
            _ => None,
        })
    }
}

/// The nodes.
pub(super) struct Graph {
    nodes: Vec<Node>,
    places: HashMap<Node, Id, BuildHasherDefault<Mix>>,
}

/// A hash of a node's fields. Half of the work of compiling is to find nodes, and the standard
/// library's hash is made for keys that come from an enemy: one who writes profiles that take
/// longer to compile only waits for his own container.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, field: u32) {
        self.0 = (self.0 ^ u64::from(field)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn write_isize(&mut self, field: isize) {
        self.write_u32(field as u32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Enough for the profile of an engine.
const USUAL: usize = 400;

impl Graph {
    pub(super) fn new() -> Self {
        let places = HashMap::with_capacity_and_hasher(USUAL, BuildHasherDefault::default());
        Self { nodes: Vec::with_capacity(USUAL), places }
    }

    /// Adds a node, or finds the equal one. A test that leads to one place is that place, and so is
    /// what changes the accumulator for nobody.
    pub(super) fn add(&mut self, node: Node) -> Id {
        match node {
            Node::Test { yes, no, .. } if yes == no => return yes,
            Node::Load { next, .. } | Node::And { next, .. }
                if matches!(self.node(next), Node::Load { .. } | Node::Return(_)) =>
            {
                return next;
            }
            _ => {}
        }
        *self.places.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            (self.nodes.len() - 1) as Id
        })
    }

    pub(super) fn node(&self, id: Id) -> Node {
        self.nodes[id as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Where a way that leads to `at` really leads, for somebody who knows this: what is in the
    /// accumulator is not loaded again, and what has been tested is not tested again.
    pub(super) fn follow(&self, mut at: Id, known: &Knowledge) -> Id {
        let mut word = known.accumulator;
        // The last place that can be entered with the accumulator as it really is.
        let mut entry = at;
        loop {
            at = match self.node(at) {
                Node::Return(_) => return at,
                Node::Load { offset, next } => {
                    entry = at;
                    word = Some(Word { offset, mask: u32::MAX });
                    next
                }
                Node::And { mask, next } => match word {
                    Some(whole) if whole.mask == u32::MAX => {
                        word = Some(Word { mask, ..whole });
                        next
                    }
                    _ => return entry,
                },
                Node::Test { compare, value, yes, no } => {
                    match word.and_then(|word| known.outcome_of(word, compare, value)) {
                        Some(true) => yes,
                        Some(false) => no,
                        None => return entry,
                    }
                }
            };
            if word.is_some() && word == known.accumulator {
                entry = at;
            }
        }
    }
}

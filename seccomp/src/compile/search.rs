//! Dispatch: from a number to what happens to it, by comparing.
//!
//! Numbers are taken together to ranges of one decision, and the ranges are searched by halving.
//! Most profiles allow long ranges with a few single numbers left out of them, so a leaf of the
//! search is a background with up to [`HOLES`] single numbers that are something else: one test
//! for each, where two boundaries would be two.

use super::graph::{Compare, Graph, Id, Node};

/// How many numbers a leaf may hold besides its background.
const HOLES: usize = 2;

/// Numbers from `start` up to the start of the next range lead to `decision`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) decision: Id,
}

/// Says what the numbers from `start` on lead to; ranges are added from low to high.
pub(super) fn set(ranges: &mut Vec<Range>, start: u32, decision: Id) {
    ranges.pop_if(|last| last.start == start);
    if ranges.last().is_none_or(|last| last.decision != decision) {
        ranges.push(Range { start, decision });
    }
}

impl Graph {
    /// Adds the search for a number, which is in the accumulator, among ranges that begin with 0.
    pub(super) fn add_search(&mut self, ranges: &[Range]) -> Id {
        let mut leaves = Vec::new();
        let mut rest = ranges;
        while let Some(first) = rest.first() {
            let leaf = Leaf::first(rest);
            leaves.push(Range { start: first.start, decision: self.add_leaf(&leaf) });
            rest = &rest[leaf.ranges.len()..];
        }
        self.halve(&leaves)
    }

    fn halve(&mut self, leaves: &[Range]) -> Id {
        if let [leaf] = leaves {
            return leaf.decision;
        }
        let (low, high) = leaves.split_at(leaves.len() / 2);
        let node = Node::Test {
            compare: Compare::GreaterOrEqual,
            value: high[0].start,
            yes: self.halve(high),
            no: self.halve(low),
        };
        self.add(node)
    }

    fn add_leaf(&mut self, leaf: &Leaf) -> Id {
        let holes = leaf.ranges.iter().rev().filter(|range| range.decision != leaf.background);
        holes.fold(leaf.background, |no, hole| {
            let value = hole.start;
            self.add(Node::Test { compare: Compare::Equal, value, yes: hole.decision, no })
        })
    }
}

/// Neighbouring ranges of which all but a few single numbers lead to one decision.
struct Leaf<'a> {
    ranges: &'a [Range],
    background: Id,
}

impl<'a> Leaf<'a> {
    /// The longest that `ranges` begin with.
    fn first(ranges: &'a [Range]) -> Self {
        let mut background = None;
        let mut holes = 0;
        let mut length = 0;
        for (at, range) in ranges.iter().enumerate() {
            if background != Some(range.decision) {
                // The last range of all has no end.
                let single = ranges.get(at + 1).is_some_and(|next| next.start - range.start == 1);
                match single {
                    true if holes < HOLES => holes += 1,
                    false if background.is_none() => background = Some(range.decision),
                    _ => break,
                }
            }
            length = at + 1;
        }
        let ranges = &ranges[..length];
        // Where all are single, none needs a test but the others.
        let background = background.unwrap_or(ranges[length - 1].decision);
        Self { ranges, background }
    }
}

//! From a profile to instructions.
//!
//! The kernel gives a filter the architecture and the number of a call, and its arguments. The
//! program asks for the architecture first, then searches the number ([`search`]), and where rules
//! ask for arguments, tests these ([`rule`]). All of it is a graph first ([`graph`]), so that what is
//! common is there once; then it is written down ([`emit`]).
//!
//! Up to the first argument only architecture and number are loaded and compared: for calls that
//! are always allowed the kernel can tell so in advance, and does not run the filter at all
//! (kernel/seccomp.c, `seccomp_is_const_allow`).

mod emit;
mod graph;
pub(crate) mod layout;
mod rule;
mod search;

use crate::action::Action;
use crate::arch::X32_BIT;
use crate::calls::{Calls, ENOSYS};
use crate::error::Problem;
use crate::order::{Contradiction, Decision};
use crate::profile::Profile;
use crate::{Arch, Instruction};
use emit::MOST;
use graph::{Compare, Graph, Id, Node};
use search::{Range, set};

/// Why there is no program.
pub(crate) enum Failed {
    /// It would have so many instructions, or more.
    TooLong(usize),
    Contradiction(Contradiction),
    Conditions(seccompiler::Error),
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        let field = "linux.seccomp.syscalls";
        let (field, text) = match failed {
            Failed::TooLong(length) => (
                field.to_owned(),
                format!(
                    "the filter would have {length} instructions or more, and the kernel takes {MOST}; use fewer rules with conditions"
                ),
            ),
            Failed::Contradiction(Contradiction { first, second }) => (
                format!("{field}[{second}]"),
                format!(
                    "says something else than {field}[{first}] about the same calls; leave one out"
                ),
            ),
            Failed::Conditions(error) => (field.to_owned(), error.to_string()),
        };
        Self { field, text }
    }
}

/// Compiles what a profile says about its architectures.
pub(crate) fn compile(profile: &Profile, calls: &[Calls]) -> Result<Vec<Instruction>> {
    let mut graph = Graph::new();
    let default = graph.add(Node::Return(profile.default.code()));
    let unknown = graph.add(Node::Return(ENOSYS.code()));
    let bad = graph.add(Node::Return(Action::BAD_ARCH.code()));
    let mut compiler = Compiler { profile, graph, default, unknown, bad };
    let root = compiler.add_architectures(calls)?;
    emit::emit(&compiler.graph, root)
}

type Result<T> = std::result::Result<T, Failed>;

/// How many ranges of numbers there usually are, at most.
const RANGES: usize = 512;

struct Compiler<'a> {
    profile: &'a Profile,
    graph: Graph,
    /// What happens to calls that no rule is about.
    default: Id,
    /// What happens to calls that are newer than the profile.
    unknown: Id,
    /// What happens to calls of other architectures.
    bad: Id,
}

impl Compiler<'_> {
    /// The native architecture is the first, and what comes first is found first.
    fn add_architectures(&mut self, calls: &[Calls]) -> Result<Id> {
        let mut tokens: Vec<u32> = Vec::with_capacity(calls.len());
        for token in calls.iter().map(|calls| calls.arch.token()) {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        let mut no = self.bad;
        for value in tokens.into_iter().rev() {
            let ranges = self.ranges(value, calls)?;
            let next = self.graph.add_search(&ranges);
            let yes = self.graph.add(Node::Load { offset: layout::NUMBER, next });
            no = self.graph.add(Node::Test { compare: Compare::Equal, value, yes, no });
        }
        Ok(self.graph.add(Node::Load { offset: layout::ARCH, next: no }))
    }

    fn ranges(&mut self, token: u32, calls: &[Calls]) -> Result<Vec<Range>> {
        let of = |arch: Arch| calls.iter().find(|calls| calls.arch == arch);
        let mut ranges = Vec::with_capacity(RANGES);
        if token == Arch::X86_64.token() {
            self.add_x86_64(of(Arch::X86_64), of(Arch::X32), &mut ranges)?;
        } else if let Some(calls) = calls.iter().find(|calls| calls.arch.token() == token) {
            self.add_calls(calls, 0, &mut ranges)?;
        }
        Ok(ranges)
    }

    /// Numbers with bit 30 set are x32's, all others x86_64's, in the upper half as in the lower:
    /// that is how the kernel sees it, and runc.
    fn add_x86_64(
        &mut self,
        x86_64: Option<&Calls>,
        x32: Option<&Calls>,
        ranges: &mut Vec<Range>,
    ) -> Result<()> {
        let x86_64_end = self.add_half(x86_64, 0, ranges)?;
        let x32_end = self.add_half(x32, X32_BIT, ranges)?;
        let finds_newer = x86_64.is_some_and(|calls| calls.newest.is_some());
        let upper = if x32.is_none() && !finds_newer { self.bad } else { x86_64_end };
        set(ranges, 2 * X32_BIT, upper);
        set(ranges, 3 * X32_BIT, x32_end);
        // A tracer that skips a call makes -1 of it: of no architecture, so not of a bad one.
        set(ranges, u32::MAX, if x32.is_none() { self.default } else { x32_end });
        Ok(())
    }

    fn add_half(
        &mut self,
        calls: Option<&Calls>,
        start: u32,
        ranges: &mut Vec<Range>,
    ) -> Result<Id> {
        match calls {
            Some(calls) => self.add_calls(calls, start, ranges),
            None => {
                set(ranges, start, self.bad);
                Ok(self.bad)
            }
        }
    }

    /// Adds the ranges of an architecture from its first number on, and gives the decision about
    /// all that is behind its last.
    fn add_calls(&mut self, calls: &Calls, start: u32, ranges: &mut Vec<Range>) -> Result<Id> {
        set(ranges, start, self.default);
        if calls.zero_is_unknown() {
            set(ranges, start, self.unknown);
            set(ranges, start + 1, self.default);
        }
        for (number, decision) in calls.decisions(self.profile) {
            let decision = decision.map_err(Failed::Contradiction)?;
            set(ranges, number, self.add_decision(calls.arch, &decision)?);
            set(ranges, number + 1, self.default);
        }
        let Some(newest) = calls.newest else { return Ok(self.default) };
        set(ranges, newest + 1, self.unknown);
        Ok(self.unknown)
    }

    fn add_decision(&mut self, arch: Arch, decision: &Decision) -> Result<Id> {
        match decision {
            Decision::Always(rule) => Ok(self.add_end(rule.action)),
            Decision::First(alternatives) => {
                alternatives.iter().rev().try_fold(self.default, |otherwise, alternative| {
                    let matched = self.add_end(alternative.rule.action);
                    self.graph
                        .add_rule(arch, &alternative.conditions, matched, otherwise)
                        .map_err(Failed::Conditions)
                })
            }
        }
    }

    fn add_end(&mut self, action: Action) -> Id {
        self.graph.add(Node::Return(action.code()))
    }
}

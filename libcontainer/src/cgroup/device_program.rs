//! Device rules as instructions of the kernel's virtual machine.

use super::devices::{ALL, Rule};
use crate::sys::bpf::Insn;

const KIND: u8 = 3;
const ACCESS: u8 = 2;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

const LOAD_WORD: u8 = 0x61;
const EXIT: u8 = 0x95;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP: u8 = 0x05;
const JUMP_IF_ANY_BIT: u8 = 0x46;
const JUMP_IF_EQUAL: u8 = 0x16;
const JUMP_IF_NOT_EQUAL: u8 = 0x56;

/// A jump goes over 32767 instructions at most, and a group takes one for each rule and a few more.
const LONGEST_GROUP: usize = 1024;

/// `struct bpf_cgroup_dev_ctx` (in r1) holds access << 16 | kind, major and minor.
pub(super) fn compile(rules: &[Rule], otherwise: bool) -> Vec<Insn> {
    let mut program = vec![
        answer(true),
        Insn::new(LOAD_WORD, ACCESS, 1, 0, 0),
        Insn::new(MOVE_REGISTER, KIND, ACCESS, 0, 0),
        Insn::new(AND, KIND, 0, 0, 0xffff),
        Insn::new(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        Insn::new(LOAD_WORD, MAJOR, 1, 4, 0),
        Insn::new(LOAD_WORD, MINOR, 1, 8, 0),
    ];
    let groups = rules.chunk_by(Rule::shares_checks_with);
    for group in groups.flat_map(|group| group.chunks(LONGEST_GROUP)) {
        program.extend(block(group));
    }
    program.extend(verdict(otherwise));
    program
}

/// The answer is "allow" from the beginning on, so that allowing takes one instruction.
fn verdict(allow: bool) -> Vec<Insn> {
    let exit = Insn::new(EXIT, 0, 0, 0, 0);
    match allow {
        true => vec![exit],
        false => vec![answer(false), exit],
    }
}

fn answer(allow: bool) -> Insn {
    Insn::new(MOVE, 0, 0, 0, i32::from(allow))
}

/// The code of rules that share their checks: it falls through to its end when none of them decides.
fn block(group: &[Rule]) -> Vec<Insn> {
    let first = group[0];
    let decision = decision(first);
    let mut code = minors(group, decision.len());
    let majors = first.major.map(|major| (MAJOR, major));
    let kinds = first.kind.map(|kind| (KIND, kind as u32));
    for (register, value) in [majors, kinds].into_iter().flatten() {
        let rest = code.len() + decision.len();
        code.insert(0, jump(JUMP_IF_NOT_EQUAL, register, rest, value));
    }
    code.extend(decision);
    code
}

/// Jumps past `decision` instructions unless the minor number is one of the group's.
fn minors(group: &[Rule], decision: usize) -> Vec<Insn> {
    let Some(wanted) = group.iter().map(|rule| rule.minor).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let (last, others) = wanted.split_last().expect("a group is not empty");
    let mut code: Vec<Insn> = others
        .iter()
        .enumerate()
        .map(|(index, minor)| jump(JUMP_IF_EQUAL, MINOR, others.len() - index, *minor))
        .collect();
    code.push(jump(JUMP_IF_NOT_EQUAL, MINOR, decision, *last));
    code
}

/// What a matching rule does: a rule for some kinds of access leaves the others undecided.
fn decision(rule: Rule) -> Vec<Insn> {
    let verdict = verdict(rule.allow);
    let over = verdict.len();
    let mut code = match (rule.allow, rule.access) {
        (_, ALL) => Vec::new(),
        (true, access) => vec![
            Insn::new(AND, ACCESS, 0, 0, i32::from(!access & ALL)),
            jump(JUMP_IF_NOT_EQUAL, ACCESS, over, 0),
        ],
        (false, access) => vec![
            jump(JUMP_IF_ANY_BIT, ACCESS, 1, u32::from(access)),
            Insn::new(JUMP, 0, 0, over as i16, 0),
        ],
    };
    code.extend(verdict);
    code
}

/// The comparisons are of 32 bits, so the immediate is taken as it is, not sign-extended.
fn jump(code: u8, register: u8, over: usize, value: u32) -> Insn {
    Insn::new(code, register, 0, over as i16, value.cast_signed())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::devices::{DEFAULTS, Kind, MKNOD, READ, WRITE, effective};
    use super::*;

    /// One question to the filter, as the kernel puts it.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Ask {
        pub(in super::super) kind: Kind,
        pub(in super::super) major: u32,
        pub(in super::super) minor: u32,
        pub(in super::super) access: u8,
    }

    /// The instructions that [`compile`] uses, executed.
    pub(in super::super) fn run(program: &[Insn], ask: Ask) -> bool {
        let context = [u32::from(ask.access) << 16 | ask.kind as u32, ask.major, ask.minor];
        let mut registers = [0u64; 11];
        let mut at = 0;
        loop {
            let insn = program[at];
            let (dst, src) = insn.registers();
            let immediate = insn.imm.cast_unsigned();
            let word = registers[dst] as u32;
            let jumps = match insn.code {
                JUMP => true,
                JUMP_IF_EQUAL => word == immediate,
                JUMP_IF_NOT_EQUAL => word != immediate,
                JUMP_IF_ANY_BIT => word & immediate != 0,
                _ => false,
            };
            match insn.code {
                EXIT => return registers[0] == 1,
                LOAD_WORD => registers[dst] = u64::from(context[insn.off as usize / 4]),
                MOVE => registers[dst] = u64::from(immediate),
                MOVE_REGISTER => registers[dst] = registers[src],
                AND => registers[dst] &= u64::from(immediate),
                SHIFT_RIGHT => registers[dst] >>= immediate,
                JUMP | JUMP_IF_EQUAL | JUMP_IF_NOT_EQUAL | JUMP_IF_ANY_BIT => {}
                code => panic!("instruction {code:#x}"),
            }
            at += 1 + if jumps { insn.off as usize } else { 0 };
        }
    }

    /// What the rules mean: for each kind of access the last rule that matches decides.
    fn meaning(rules: &[Rule], ask: Ask) -> bool {
        let matches = |rule: &&Rule, bit: u8| {
            rule.kind.is_none_or(|kind| kind == ask.kind)
                && rule.major.is_none_or(|major| major == ask.major)
                && rule.minor.is_none_or(|minor| minor == ask.minor)
                && rule.access & bit != 0
        };
        let asked = [MKNOD, READ, WRITE].into_iter().filter(|bit| ask.access & bit != 0);
        asked.into_iter().all(|bit| {
            let last = rules.iter().rev().find(|rule| matches(rule, bit));
            last.is_some_and(|rule| rule.allow)
        })
    }

    fn asks() -> impl Iterator<Item = Ask> {
        let majors = [0, 1, 5, 8, 10, 136, 0x8000_0001, u32::MAX];
        let minors = [0, 1, 2, 3, 9, 200, 0x8000_0000, u32::MAX];
        [Kind::Block, Kind::Char].into_iter().flat_map(move |kind| {
            majors.into_iter().flat_map(move |major| {
                minors.into_iter().flat_map(move |minor| {
                    (1..=ALL).map(move |access| Ask { kind, major, minor, access })
                })
            })
        })
    }

    fn assert_compiled(rules: &[Rule]) {
        let (effective, otherwise) = effective(rules.iter().copied());
        let program = compile(&effective, otherwise);
        let all: Vec<Rule> = rules.iter().chain(DEFAULTS).copied().collect();
        for ask in asks() {
            assert_eq!(run(&program, ask), meaning(&all, ask), "{ask:?} by {rules:?}");
        }
    }

    #[test]
    fn random_rules_mean_what_they_say() {
        let mut random = fastrand::Rng::with_seed(0);
        let mut pick = |below: usize| random.usize(..below);
        for _ in 0..400 {
            let rules: Vec<Rule> = (0..pick(9))
                .map(|_| Rule {
                    allow: pick(2) == 0,
                    kind: [None, Some(Kind::Char), Some(Kind::Block)][pick(3)],
                    major: [None, Some(1), Some(8), Some(u32::MAX)][pick(4)],
                    minor: [None, Some(3), Some(9), Some(0x8000_0000)][pick(4)],
                    access: pick(7) as u8 + 1,
                })
                .collect();
            assert_compiled(&rules);
        }
    }

    /// No jump of a long list is cut short.
    #[test]
    fn a_long_list_means_what_it_says() {
        let rules: Vec<Rule> = (0..40_000)
            .map(|minor| Rule {
                allow: true,
                kind: Some(Kind::Char),
                major: Some(300),
                minor: Some(minor * 2),
                access: ALL,
            })
            .collect();
        let (effective, otherwise) = effective(rules.into_iter());
        let program = compile(&effective, otherwise);
        for minor in [0, 1, 2, 2046, 2047, 2048, 79_997, 79_998, 79_999] {
            let ask = Ask { kind: Kind::Char, major: 300, minor, access: READ };
            assert_eq!(run(&program, ask), minor % 2 == 0, "{minor}");
        }
    }
}

//! Which devices a container may open or make: `linux.resources.devices` as a program of the kernel's
//! type BPF_PROG_TYPE_CGROUP_DEVICE, attached to the cgroup before anyone is in it.
//!
//! Everything is denied at first (GHSA-g54h-m393-cpwq was a list that was not), then come the config's
//! rules in order, then the devices that every container has. Of the rules that match, the last one
//! decides, for read, write and mknod each on its own; so the program tries them from the last to the
//! first, and whatever stands before a rule that matches everything is left out. Loading costs more
//! than all else that a cgroup does, and grows with the length of the program: neighbouring rules
//! that differ in the minor number alone share their checks, and a list that allows everything needs
//! no program at all.

use crate::error::Problem;
use crate::sys::bpf::{self, Insn};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

pub(super) const FIELD: &str = "linux.resources.devices";

const MKNOD: u8 = 1;
const READ: u8 = 2;
const WRITE: u8 = 4;
const ALL: u8 = MKNOD | READ | WRITE;

/// `BPF_DEVCG_DEV_*` of `linux/bpf.h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Block = 1,
    Char = 2,
}

/// One rule; `None` matches every value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Rule {
    allow: bool,
    kind: Option<Kind>,
    major: Option<u32>,
    minor: Option<u32>,
    access: u8,
}

impl Rule {
    const fn allow(kind: Kind, major: Option<u32>, minor: Option<u32>, access: u8) -> Self {
        Self {
            allow: true,
            kind: Some(kind),
            major,
            minor,
            access,
        }
    }

    /// Whether nothing that stands before this rule can matter.
    fn decides_all(&self) -> bool {
        (self.kind, self.major, self.minor, self.access) == (None, None, None, ALL)
    }

    fn shares_checks_with(&self, other: &Self) -> bool {
        let key = |rule: &Self| (rule.allow, rule.kind, rule.major, rule.access);
        key(self) == key(other)
    }
}

/// What every container may use, as runc has it. Making any node is harmless: opening it is not
/// allowed by that.
const DEFAULTS: &[Rule] = &[
    Rule::allow(Kind::Char, None, None, MKNOD),
    Rule::allow(Kind::Block, None, None, MKNOD),
    // null, zero, full, random, urandom
    Rule::allow(Kind::Char, Some(1), Some(3), ALL),
    Rule::allow(Kind::Char, Some(1), Some(5), ALL),
    Rule::allow(Kind::Char, Some(1), Some(7), ALL),
    Rule::allow(Kind::Char, Some(1), Some(8), ALL),
    Rule::allow(Kind::Char, Some(1), Some(9), ALL),
    // tty, ptmx
    Rule::allow(Kind::Char, Some(5), Some(0), ALL),
    Rule::allow(Kind::Char, Some(5), Some(2), ALL),
    // pseudo terminals
    Rule::allow(Kind::Char, Some(136), None, ALL),
    // net/tun
    Rule::allow(Kind::Char, Some(10), Some(200), ALL),
];

/// The rules of a container, compiled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceFilter {
    /// The rules that can still decide, last one first.
    rules: Vec<Rule>,
    /// What holds where none of them does.
    otherwise: bool,
    program: Vec<Insn>,
}

impl DeviceFilter {
    /// Compiles `linux.resources.devices`; no list and an empty one are the same.
    pub(super) fn new(devices: &[LinuxDeviceCgroup]) -> Result<Self, Vec<Problem>> {
        let parsed: Vec<_> = devices.iter().enumerate().map(parse).collect();
        if parsed.iter().any(Result::is_err) {
            return Err(parsed.into_iter().filter_map(Result::err).collect());
        }
        let (rules, otherwise) = effective(parsed.into_iter().flatten());
        let program = compile(&rules, otherwise);
        Ok(Self {
            rules,
            otherwise,
            program,
        })
    }

    /// Whether there is nothing to forbid, and so nothing to load.
    pub fn allows_everything(&self) -> bool {
        self.otherwise && self.rules.is_empty()
    }

    /// The number of BPF instructions.
    pub fn instructions(&self) -> usize {
        self.program.len()
    }

    /// Loads the program and attaches it to the cgroup directory `cgroup`.
    pub(super) fn attach(&self, cgroup: BorrowedFd<'_>) -> io::Result<()> {
        let filter = bpf::load_device_filter(&self.program)?;
        Ok(bpf::attach_device_filter(cgroup, filter.as_fd())?)
    }
}

/// Whether a list asks for more than the "deny everything" that engines always begin with.
pub(super) fn asks_for_more_than_default(devices: &[LinuxDeviceCgroup]) -> bool {
    let parsed = devices.iter().enumerate().map(parse);
    !parsed
        .into_iter()
        .all(|rule| rule.is_ok_and(|rule| !rule.allow && rule.decides_all()))
}

fn parse((index, device): (usize, &LinuxDeviceCgroup)) -> Result<Rule, Problem> {
    let problem = |name: &str, text: &str| Problem::new(format!("{FIELD}[{index}].{name}"), text);
    let kind = match device.typ() {
        None | Some(LinuxDeviceType::A) => None,
        Some(LinuxDeviceType::B) => Some(Kind::Block),
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => Some(Kind::Char),
        Some(LinuxDeviceType::P) => return Err(problem("type", "must be a, b or c")),
    };
    let number = |name, value: Option<i64>| match value {
        None | Some(-1) => Ok(None),
        Some(value) => u32::try_from(value)
            .map(Some)
            .map_err(|_| problem(name, "must be -1 (any) or a device number")),
    };
    let access = device.access().as_deref().and_then(access_bits);
    Ok(Rule {
        allow: device.allow(),
        kind,
        major: number("major", device.major())?,
        minor: number("minor", device.minor())?,
        access: access.ok_or_else(|| problem("access", "must be made of r, w and m"))?,
    })
}

fn access_bits(text: &str) -> Option<u8> {
    let bit = |byte| match byte {
        b'r' => Some(READ),
        b'w' => Some(WRITE),
        b'm' => Some(MKNOD),
        _ => None,
    };
    let bits = text
        .bytes()
        .try_fold(0, |bits, byte| Some(bits | bit(byte)?));
    bits.filter(|bits| *bits != 0)
}

/// The rules that can decide, last one first, and what holds where none of them does.
fn effective(config: impl Iterator<Item = Rule>) -> (Vec<Rule>, bool) {
    let mut rules = Vec::new();
    let mut otherwise = false;
    for rule in config.chain(DEFAULTS.iter().copied()) {
        if rule.decides_all() {
            rules.clear();
            otherwise = rule.allow;
        } else {
            rules.push(rule);
        }
    }
    rules.reverse();
    while rules.last().is_some_and(|rule| rule.allow == otherwise) {
        rules.pop();
    }
    (rules, otherwise)
}

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

/// `struct bpf_cgroup_dev_ctx` (in r1) holds access << 16 | kind, major and minor.
fn compile(rules: &[Rule], otherwise: bool) -> Vec<Insn> {
    let mut program = vec![
        answer(true),
        Insn::new(LOAD_WORD, ACCESS, 1, 0, 0),
        Insn::new(MOVE_REGISTER, KIND, ACCESS, 0, 0),
        Insn::new(AND, KIND, 0, 0, 0xffff),
        Insn::new(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        Insn::new(LOAD_WORD, MAJOR, 1, 4, 0),
        Insn::new(LOAD_WORD, MINOR, 1, 8, 0),
    ];
    for group in rules.chunk_by(Rule::shares_checks_with) {
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
    let Some(wanted) = group
        .iter()
        .map(|rule| rule.minor)
        .collect::<Option<Vec<_>>>()
    else {
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

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.allow { "allow" } else { "deny" };
        let kind = match self.kind {
            None => 'a',
            Some(Kind::Block) => 'b',
            Some(Kind::Char) => 'c',
        };
        let number = |value: Option<u32>| value.map_or("*".into(), |value| value.to_string());
        let (major, minor) = (number(self.major), number(self.minor));
        write!(f, "{verdict} {kind} {major}:{minor} ")?;
        [(READ, "r"), (WRITE, "w"), (MKNOD, "m")]
            .iter()
            .filter(|(bit, _)| self.access & bit != 0)
            .try_for_each(|(_, letter)| f.write_str(letter))
    }
}

impl fmt::Display for DeviceFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.rules {
            write!(f, "{rule}, ")?;
        }
        f.write_str(if self.otherwise {
            "allow all"
        } else {
            "deny all"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> Vec<LinuxDeviceCgroup> {
        serde_json::from_str(json).expect("devices")
    }

    fn filter(json: &str) -> DeviceFilter {
        DeviceFilter::new(&list(json)).expect("filter")
    }

    /// One question to the filter, as the kernel puts it.
    #[derive(Clone, Copy, Debug)]
    struct Ask {
        kind: Kind,
        major: u32,
        minor: u32,
        access: u8,
    }

    /// The instructions that [`compile`] uses, executed.
    fn run(program: &[Insn], ask: Ask) -> bool {
        let context = [
            u32::from(ask.access) << 16 | ask.kind as u32,
            ask.major,
            ask.minor,
        ];
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
        let asked = [MKNOD, READ, WRITE]
            .into_iter()
            .filter(|bit| ask.access & bit != 0);
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
                    (1..=ALL).map(move |access| Ask {
                        kind,
                        major,
                        minor,
                        access,
                    })
                })
            })
        })
    }

    fn assert_compiled(rules: &[Rule]) {
        let (effective, otherwise) = effective(rules.iter().copied());
        let program = compile(&effective, otherwise);
        let all: Vec<Rule> = rules.iter().chain(DEFAULTS).copied().collect();
        for ask in asks() {
            assert_eq!(
                run(&program, ask),
                meaning(&all, ask),
                "{ask:?} by {rules:?}"
            );
        }
    }

    #[test]
    fn nothing_asked_for_is_the_default_devices_and_no_disk() {
        let filter = filter("[]");
        let ask = |kind, major, minor, access| Ask {
            kind,
            major,
            minor,
            access,
        };
        assert!(run(&filter.program, ask(Kind::Char, 1, 3, READ | WRITE)));
        assert!(run(&filter.program, ask(Kind::Char, 136, 77, READ | WRITE)));
        assert!(run(&filter.program, ask(Kind::Block, 8, 0, MKNOD)));
        assert!(!run(&filter.program, ask(Kind::Block, 8, 0, READ)));
        assert!(!run(&filter.program, ask(Kind::Char, 1, 1, READ)));
        assert_eq!(filter, self::filter(r#"[{"allow":false,"access":"rwm"}]"#));
    }

    #[test]
    fn random_rules_mean_what_they_say() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut pick = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for _ in 0..400 {
            let rules: Vec<Rule> = (0..pick(9))
                .map(|_| Rule {
                    allow: pick(2) == 0,
                    kind: [None, Some(Kind::Char), Some(Kind::Block)][pick(3) as usize],
                    major: [None, Some(1), Some(8), Some(u32::MAX)][pick(4) as usize],
                    minor: [None, Some(3), Some(9), Some(0x8000_0000)][pick(4) as usize],
                    access: pick(7) as u8 + 1,
                })
                .collect();
            assert_compiled(&rules);
        }
    }

    #[test]
    fn a_list_that_allows_everything_needs_no_program() {
        assert!(filter(r#"[{"allow":true,"access":"rwm"}]"#).allows_everything());
        assert!(filter(r#"[{"allow":false,"type":"c","access":"rwm"},{"allow":true,"type":"a","access":"rwm"}]"#)
            .allows_everything());
        assert!(!filter(r#"[{"allow":true,"access":"rw"}]"#).allows_everything());
        assert!(
            !filter(r#"[{"allow":true,"access":"rwm"},{"allow":false,"type":"b","access":"w"}]"#)
                .allows_everything()
        );
    }

    /// The cost of loading grows with the program.
    #[test]
    fn default_list_is_short_and_repeated_rules_add_nothing() {
        let once = filter(r#"[{"allow":false,"access":"rwm"}]"#);
        assert!(once.instructions() <= 40, "{}", once.instructions());
        let again = r#"[{"allow":true,"type":"c","major":9,"minor":9,"access":"r"},{"allow":false,"access":"rwm"}]"#;
        assert_eq!(filter(again), once);
    }

    #[test]
    fn wrong_rules_are_all_named() {
        let wrong = list(
            r#"[{"allow":true,"type":"p","access":"r"},{"allow":true,"access":"rx"},
            {"allow":true},{"allow":true,"major":-2,"access":"r"},
            {"allow":true,"minor":4294967296,"access":"r"},{"allow":true,"access":"r"}]"#,
        );
        let problems = DeviceFilter::new(&wrong).expect_err("problems");
        let fields: Vec<&str> = problems.iter().map(|one| one.field.as_str()).collect();
        let expected = [
            "linux.resources.devices[0].type",
            "linux.resources.devices[1].access",
            "linux.resources.devices[2].access",
            "linux.resources.devices[3].major",
            "linux.resources.devices[4].minor",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn more_than_default_is_any_rule_but_deny_all() {
        let more = |json| asks_for_more_than_default(&list(json));
        assert!(!more("[]"));
        assert!(!more(
            r#"[{"allow":false,"access":"rwm"},{"allow":false,"type":"a","access":"mrw"}]"#
        ));
        assert!(more(r#"[{"allow":false,"access":"w"}]"#));
        assert!(more(
            r#"[{"allow":true,"type":"c","major":1,"minor":3,"access":"r"}]"#
        ));
    }

    #[test]
    fn prints_the_rules_that_decide() {
        let filter = filter(r#"[{"allow":true,"type":"b","major":8,"access":"r"}]"#);
        let text = filter.to_string();
        assert!(
            text.starts_with("allow c 10:200 rwm, allow c 136:* rwm, "),
            "{text}"
        );
        assert!(text.ends_with("allow b 8:* r, deny all"), "{text}");
    }
}

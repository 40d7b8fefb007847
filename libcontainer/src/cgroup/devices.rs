//! Which devices a container may open or make: `linux.resources.devices` as a program of the kernel's
//! type BPF_PROG_TYPE_CGROUP_DEVICE, attached to the cgroup before anyone is in it.
//!
//! A rule of type `a`, or of none, is for both types and is as wide as its numbers and access are. (On
//! cgroup v1 the kernel ignores those and takes it for all devices; runc does so on v2 as well.)
//!
//! Everything is denied at first (GHSA-g54h-m393-cpwq was a list that was not), then come the config's
//! rules in order, then the devices that every container has. Of the rules that match, the last one
//! decides, for read, write and mknod each on its own; so the program tries them from the last to the
//! first, and whatever stands before a rule that matches everything is left out. Loading costs more
//! than all else that a cgroup does, and grows with the length of the program: rules that repeat the
//! defaults, as engines write them, are left out, neighbours that differ in the minor number alone
//! share their checks, and a list that allows everything needs no program at all.

use super::device_program::compile;
use crate::config::device_rule_problem;
use crate::error::Problem;
use crate::sys::bpf::{self, Insn};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

pub(super) const FIELD: &str = "linux.resources.devices";

pub(super) const MKNOD: u8 = 1;
pub(super) const READ: u8 = 2;
pub(super) const WRITE: u8 = 4;
pub(super) const ALL: u8 = MKNOD | READ | WRITE;

/// `BPF_DEVCG_DEV_*` of `linux/bpf.h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Block = 1,
    Char = 2,
}

/// One rule; `None` matches every value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rule {
    pub(super) allow: bool,
    pub(super) kind: Option<Kind>,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
    pub(super) access: u8,
}

impl Rule {
    const fn allow(kind: Kind, major: Option<u32>, minor: Option<u32>, access: u8) -> Self {
        Self { allow: true, kind: Some(kind), major, minor, access }
    }

    /// Whether nothing that stands before this rule can matter.
    pub(super) fn decides_all(&self) -> bool {
        (self.kind, self.major, self.minor, self.access) == (None, None, None, ALL)
    }

    /// Whether this rule, when it stands later, leaves nothing to `other`.
    fn covers(&self, other: &Self) -> bool {
        let covers = |mine: Option<u32>, theirs| mine.is_none() || mine == theirs;
        (self.kind.is_none() || self.kind == other.kind)
            && covers(self.major, other.major)
            && covers(self.minor, other.minor)
            && other.access & !self.access == 0
    }

    pub(super) fn shares_checks_with(&self, other: &Self) -> bool {
        let key = |rule: &Self| (rule.allow, rule.kind, rule.major, rule.access);
        key(self) == key(other)
    }
}

/// What every container may use, as runc has it. Making any node is harmless: opening it is not
/// allowed by that.
pub(super) const DEFAULTS: &[Rule] = &[
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
        Ok(Self { rules, otherwise, program })
    }

    /// Whether there is nothing to forbid, and so nothing to load.
    pub fn allows_everything(&self) -> bool {
        self.otherwise && self.rules.is_empty()
    }

    /// The number of BPF instructions.
    pub fn instructions(&self) -> usize {
        self.program.len()
    }

    /// Loads the program and attaches it to the cgroup directory `cgroup`, in addition to what is
    /// there.
    pub(super) fn attach(&self, cgroup: BorrowedFd<'_>) -> io::Result<()> {
        let filter = bpf::load_device_filter(&self.program)?;
        Ok(bpf::attach_device_filter(cgroup, filter.as_fd(), None)?)
    }

    /// Makes this the filter of the cgroup directory `cgroup`, in the place of the one that
    /// [`attach`](Self::attach) or this has given it: in one step, so that there is no moment
    /// without a filter, or with both. Filters that others have attached stay.
    ///
    /// Should there be several of ours, the last is replaced and the others are taken off then: a
    /// device needs the leave of all, so in between less is allowed, never more. What an error leaves
    /// is never wider than the former and the new filter together.
    pub(super) fn replace(&self, cgroup: BorrowedFd<'_>) -> io::Result<()> {
        let mut former = bpf::own_device_filters(cgroup)?;
        if !self.allows_everything() {
            let filter = bpf::load_device_filter(&self.program)?;
            let last = former.pop();
            bpf::attach_device_filter(cgroup, filter.as_fd(), last.as_ref().map(AsFd::as_fd))?;
        }
        for filter in former {
            bpf::detach_device_filter(cgroup, filter.as_fd())?;
        }
        Ok(())
    }
}

/// Whether a list asks for more than the "deny everything" that engines always begin with. One that
/// does not leaves the filter of a container that is updated as it is: podman sends it with every
/// update, also of containers that were given devices.
pub(super) fn asks_for_more_than_default(devices: &[LinuxDeviceCgroup]) -> bool {
    let parsed = devices.iter().enumerate().map(parse);
    !parsed.into_iter().all(|rule| rule.is_ok_and(|rule| !rule.allow && rule.decides_all()))
}

/// One rule of the list, or what is wrong with it.
pub(super) fn parse((index, device): (usize, &LinuxDeviceCgroup)) -> Result<Rule, Problem> {
    if let Some(problem) = device_rule_problem(index, device) {
        return Err(problem);
    }
    let kind = match device.typ() {
        None | Some(LinuxDeviceType::A) => None,
        Some(LinuxDeviceType::B) => Some(Kind::Block),
        Some(LinuxDeviceType::C | LinuxDeviceType::U | LinuxDeviceType::P) => Some(Kind::Char),
    };
    // -1 is any.
    let number = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
    Ok(Rule {
        allow: device.allow(),
        kind,
        major: number(device.major()),
        minor: number(device.minor()),
        access: access_bits(device.access().as_deref().unwrap_or_default()),
    })
}

fn access_bits(text: &str) -> u8 {
    let bit = |byte| match byte {
        b'r' => READ,
        b'w' => WRITE,
        b'm' => MKNOD,
        _ => 0,
    };
    text.bytes().fold(0, |bits, byte| bits | bit(byte))
}

/// The rules that can decide, last one first, and what holds where none of them does.
pub(super) fn effective(config: impl Iterator<Item = Rule>) -> (Vec<Rule>, bool) {
    let mut rules = Vec::new();
    let mut otherwise = false;
    for rule in config {
        if rule.decides_all() {
            rules.clear();
            otherwise = rule.allow;
        } else if !DEFAULTS.iter().any(|default| default.covers(&rule)) {
            rules.push(rule);
        }
    }
    rules.extend_from_slice(DEFAULTS);
    rules.reverse();
    while rules.last().is_some_and(|rule| rule.allow == otherwise) {
        rules.pop();
    }
    (rules, otherwise)
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
        f.write_str(if self.otherwise { "allow all" } else { "deny all" })
    }
}

#[cfg(test)]
mod tests {
    use super::super::device_program::tests::{Ask, run};
    use super::*;

    fn list(json: &str) -> Vec<LinuxDeviceCgroup> {
        serde_json::from_str(json).expect("devices")
    }

    fn filter(json: &str) -> DeviceFilter {
        DeviceFilter::new(&list(json)).expect("filter")
    }

    #[test]
    fn nothing_asked_for_is_the_default_devices_and_no_disk() {
        let filter = filter("[]");
        let ask = |kind, major, minor, access| Ask { kind, major, minor, access };
        assert!(run(&filter.program, ask(Kind::Char, 1, 3, READ | WRITE)));
        assert!(run(&filter.program, ask(Kind::Char, 136, 77, READ | WRITE)));
        assert!(run(&filter.program, ask(Kind::Block, 8, 0, MKNOD)));
        assert!(!run(&filter.program, ask(Kind::Block, 8, 0, READ)));
        assert!(!run(&filter.program, ask(Kind::Char, 1, 1, READ)));
        assert_eq!(filter, self::filter(r#"[{"allow":false,"access":"rwm"}]"#));
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
        let repeated = r#"[{"allow":false,"access":"rwm"},
            {"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"},
            {"allow":false,"type":"c","major":136,"minor":5,"access":"w"},
            {"allow":true,"type":"c","major":5,"minor":2,"access":"r"}]"#;
        assert_eq!(filter(repeated), once);
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
        assert!(more(r#"[{"allow":true,"type":"c","major":1,"minor":3,"access":"r"}]"#));
    }

    #[test]
    fn prints_the_rules_that_decide() {
        let filter = filter(r#"[{"allow":true,"type":"b","major":8,"access":"r"}]"#);
        let text = filter.to_string();
        assert!(text.starts_with("allow c 10:200 rwm, allow c 136:* rwm, "), "{text}");
        assert!(text.ends_with("allow b 8:* r, deny all"), "{text}");
    }

    /// On the kernel: of however many that are ours, one is left, and none if all is allowed.
    #[test]
    fn one_filter_takes_the_place_of_another() {
        let layout = super::super::Layout::detect();
        let Some(root) = layout.root() else {
            return eprintln!("SKIP no cgroup v2");
        };
        let path = root.join(format!("skep-test-{}-filters", std::process::id()));
        if let Err(error) = std::fs::create_dir(&path) {
            return eprintln!("SKIP cannot make {}: {error}", path.display());
        }
        let directory = std::fs::File::open(&path).expect("open");
        let filters = || bpf::own_device_filters(directory.as_fd()).expect("filters").len();
        let (narrow, wide) = (filter("[]"), filter(r#"[{"allow":true,"access":"rwm"}]"#));
        let mut counts = vec![filters()];
        let mut then = |result: io::Result<()>| {
            result.expect("bpf");
            counts.push(filters());
        };
        then(narrow.replace(directory.as_fd()));
        then(narrow.replace(directory.as_fd()));
        then(narrow.attach(directory.as_fd()));
        then(narrow.attach(directory.as_fd()));
        then(narrow.replace(directory.as_fd()));
        then(wide.replace(directory.as_fd()));
        then(wide.replace(directory.as_fd()));
        std::fs::remove_dir(&path).expect("rmdir");
        assert_eq!(counts, [0, 1, 1, 2, 3, 1, 0, 0]);
    }

    /// Prints what loading and attaching cost: `cargo test -- --ignored --nocapture load_cost`.
    #[test]
    #[ignore = "a measurement"]
    fn load_cost() {
        let layout = super::super::Layout::detect();
        let path =
            layout.root().expect("v2").join(format!("skep-test-{}-cost", std::process::id()));
        let docker: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/samples/docker.config.json"))
                .expect("sample");
        let docker = docker["linux"]["resources"]["devices"].to_string();
        for (name, list) in [("default", "[]"), ("docker", docker.as_str())] {
            let filter = filter(list);
            let (mut load, mut attach) = (Vec::new(), Vec::new());
            for _ in 0..50 {
                std::fs::create_dir(&path).expect("mkdir");
                let directory = std::fs::File::open(&path).expect("open");
                let begin = std::time::Instant::now();
                let program = bpf::load_device_filter(&filter.program).expect("load");
                load.push(begin.elapsed());
                let begin = std::time::Instant::now();
                bpf::attach_device_filter(directory.as_fd(), program.as_fd(), None)
                    .expect("attach");
                attach.push(begin.elapsed());
                std::fs::remove_dir(&path).expect("rmdir");
            }
            load.sort();
            attach.sort();
            let size = filter.instructions();
            println!("{name}: {size} instructions, load {:?}, attach {:?}", load[25], attach[25]);
        }
    }
}

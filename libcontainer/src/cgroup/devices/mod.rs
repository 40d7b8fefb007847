//! Which devices a container may open or make: `linux.resources.devices` as a program of the kernel's
//! type BPF_PROG_TYPE_CGROUP_DEVICE, attached to the cgroup before anything of the container's runs in
//! it.
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

#[cfg(test)]
mod tests;

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
    pub(super) rules: Vec<Rule>,
    /// What holds where none of them does.
    pub(super) otherwise: bool,
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

//! Device rules as v1 has them: `devices.allow` and `devices.deny`.
//!
//! The kernel keeps one verdict for everything and one list of exceptions from it; there is no order,
//! and a rule takes back an exception only if both name the same devices. What config.json means (the
//! last rule that matches decides, see [`devices`](super::super::devices)) is computed here, and only
//! the outcome is written: the verdict, then the exceptions.
//!
//! What cannot be said that way is refused, as runc refuses it: a rule that takes some devices out of
//! a range that an earlier one has named. The kernel would take such a write, and ignore it.

use super::super::devices::{DEFAULTS, FIELD, Kind, MKNOD, READ, Rule, WRITE, parse};
use super::super::directories::failed;
use super::super::file::write_file;
use super::tree::{Directory, Tree};
use crate::error::{Error, ErrorKind, Problem, Result};
use nix::errno::Errno;
use oci_spec::runtime::LinuxDeviceCgroup;
use std::fmt;

/// What `linux.resources.devices` comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) struct DeviceList {
    /// The verdict on what is no exception.
    otherwise: bool,
    exceptions: Vec<Exception>,
}

/// Devices of one kind; `None` is every number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Exception {
    kind: Kind,
    major: Option<u32>,
    minor: Option<u32>,
    access: u8,
    /// Whether the config names it, rather than [`DEFAULTS`] alone.
    asked: bool,
}

impl DeviceList {
    /// Computes it, or tells all that is wrong; no rules and an empty list are the same.
    pub(in super::super) fn new(
        devices: &[LinuxDeviceCgroup],
    ) -> std::result::Result<Self, Vec<Problem>> {
        let mut list = Self { otherwise: false, exceptions: Vec::new() };
        let mut problems = Vec::new();
        for (index, device) in devices.iter().enumerate() {
            let field = || format!("{FIELD}[{index}]");
            match parse((index, device)).map(|rule| list.add(&rule, true)) {
                Ok(Ok(())) => {}
                Ok(Err(text)) => problems.push(Problem::new(field(), text)),
                Err(problem) => problems.push(problem),
            }
        }
        let defaults = DEFAULTS.iter().try_for_each(|rule| list.add(rule, false));
        if let Err(text) = defaults
            && problems.is_empty()
        {
            let text = format!("{text}: every container has /dev/null and its like");
            problems.push(Problem::new(FIELD, text));
        }
        list.join();
        if problems.is_empty() { Ok(list) } else { Err(problems) }
    }

    fn add(&mut self, rule: &Rule, asked: bool) -> std::result::Result<(), &'static str> {
        if rule.decides_all() {
            self.otherwise = rule.allow;
            self.exceptions.clear();
            return Ok(());
        }
        // With the letter `a` the kernel takes the line for everything, whatever numbers follow.
        let kinds = rule.kind.map_or(vec![Kind::Block, Kind::Char], |kind| vec![kind]);
        kinds.into_iter().try_for_each(|kind| {
            let (major, minor, access) = (rule.major, rule.minor, rule.access);
            let one = Exception { kind, major, minor, access, asked };
            match rule.allow == self.otherwise {
                true => self.take_back(one),
                false => {
                    self.put(one);
                    Ok(())
                }
            }
        })
    }

    fn put(&mut self, new: Exception) {
        match self.exceptions.iter_mut().find(|one| one.names_the_same(&new)) {
            Some(one) => {
                one.access |= new.access;
                one.asked |= new.asked;
            }
            None => self.exceptions.push(new),
        }
    }

    fn take_back(&mut self, gone: Exception) -> std::result::Result<(), &'static str> {
        let touched = |one: &&mut Exception| one.overlaps(&gone) && one.access & gone.access != 0;
        for one in self.exceptions.iter_mut().filter(touched) {
            if !gone.covers(one) {
                return Err("takes some devices out of a range that an earlier rule names, which \
                            cgroup v1 cannot do");
            }
            one.access &= !gone.access;
        }
        self.exceptions.retain(|one| one.access != 0);
        Ok(())
    }

    /// Of exceptions that allow, one alone must allow all that an open(2) asks for: so each gets what
    /// wider ones allow.
    fn join(&mut self) {
        if self.otherwise {
            return;
        }
        for at in 0..self.exceptions.len() {
            let narrow = self.exceptions[at];
            let wider = self.exceptions.iter().filter(|one| one.covers(&narrow));
            let access = wider.fold(narrow.access, |all, one| all | one.access);
            self.exceptions[at].access = access;
        }
    }
}

impl Exception {
    fn names_the_same(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }

    fn covers(&self, other: &Self) -> bool {
        let covers = |mine: Option<u32>, theirs| mine.is_none() || mine == theirs;
        self.kind == other.kind
            && covers(self.major, other.major)
            && covers(self.minor, other.minor)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        self.kind == other.kind && meet(self.major, other.major) && meet(self.minor, other.minor)
    }
}

impl Tree {
    /// Makes `list` hold, in directories that have nothing below them yet.
    ///
    /// # Errors
    ///
    /// Without the controller nothing would keep the container from the host's disks. What the kernel
    /// says: a cgroup above that allows less, too, unless nobody has asked for it in particular.
    pub(in super::super) fn restrict_devices(&self, list: &DeviceList) -> Result<()> {
        let Some(directory) = self.with("devices") else {
            let text = "the devices controller of cgroup v1 is not mounted here, or is read-only";
            return Err(Error::new(ErrorKind::Unsupported, text).field(FIELD));
        };
        directory.restrict_devices(list)
    }
}

impl Directory {
    fn restrict_devices(&self, list: &DeviceList) -> Result<()> {
        let (verdict, file) = match list.otherwise {
            true => ("devices.allow", "devices.deny"),
            false => ("devices.deny", "devices.allow"),
        };
        match write_file(self.dir(), verdict, "a") {
            // A new cgroup has what the one above has, and that is all that there is to be had.
            Err(Errno::EPERM) if list.otherwise && list.exceptions.is_empty() => return Ok(()),
            answer => answer.map_err(|error| self.refused("a", verdict, error))?,
        }
        for one in &list.exceptions {
            let line = one.to_string();
            match write_file(self.dir(), file, &line) {
                Err(Errno::EPERM) if !one.asked => {}
                answer => answer.map_err(|error| self.refused(&line, file, error))?,
            }
        }
        Ok(())
    }

    fn refused(&self, line: &str, file: &str, error: Errno) -> Error {
        let hint = match error {
            Errno::EPERM => " (a cgroup above does not allow it)",
            Errno::EINVAL => " (there are cgroups below it)",
            _ => "",
        };
        failed(&format!("write {line:?}{hint} to"), &self.path.join(file), error).field(FIELD)
    }
}

/// A line of `devices.allow`.
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Block => 'b',
            Kind::Char => 'c',
        };
        let number = |value: Option<u32>| value.map_or("*".into(), |value| value.to_string());
        write!(f, "{kind} {}:{} ", number(self.major), number(self.minor))?;
        [(READ, "r"), (WRITE, "w"), (MKNOD, "m")]
            .iter()
            .filter(|(bit, _)| self.access & bit != 0)
            .try_for_each(|(_, letter)| f.write_str(letter))
    }
}

impl fmt::Display for DeviceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, rest) = if self.otherwise { ("deny", "allow") } else { ("allow", "deny") };
        for one in &self.exceptions {
            write!(f, "{verb} {one}, ")?;
        }
        write!(f, "{rest} all")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::devices::ALL;
    use super::*;

    fn list(json: &str) -> std::result::Result<DeviceList, Vec<Problem>> {
        DeviceList::new(&serde_json::from_str::<Vec<LinuxDeviceCgroup>>(json).expect("devices"))
    }

    fn text(json: &str) -> String {
        list(json).expect("a list").to_string()
    }

    const DEFAULT: &str = "allow c *:* m, allow b *:* m, allow c 1:3 rwm, allow c 1:5 rwm, \
        allow c 1:7 rwm, allow c 1:8 rwm, allow c 1:9 rwm, allow c 5:0 rwm, allow c 5:2 rwm, \
        allow c 136:* rwm, allow c 10:200 rwm, deny all";

    #[test]
    fn nothing_asked_for_is_the_default_devices() {
        assert_eq!(text("[]"), DEFAULT);
        assert_eq!(text(r#"[{"allow":false,"access":"rwm"}]"#), DEFAULT);
        let again =
            r#"[{"allow":true,"type":"b","major":8,"access":"r"},{"allow":false,"access":"rwm"}]"#;
        assert_eq!(text(again), DEFAULT);
    }

    #[test]
    fn everything_allowed_has_no_exceptions() {
        assert_eq!(text(r#"[{"allow":true,"access":"rwm"}]"#), "allow all");
        let but_disks =
            r#"[{"allow":true,"access":"rwm"},{"allow":false,"type":"b","access":"rwm"}]"#;
        assert_eq!(text(but_disks), "deny b *:* rw, allow all");
    }

    #[test]
    fn a_rule_takes_back_what_it_covers() {
        let json = r#"[{"allow":true,"type":"b","major":8,"minor":1,"access":"rw"},
            {"allow":false,"type":"b","major":8,"access":"w"}]"#;
        assert!(text(json).starts_with("allow b 8:1 rm, allow c *:* m"), "{}", text(json));
    }

    #[test]
    fn a_hole_in_a_range_is_refused() {
        let hole = r#"[{"allow":true,"type":"b","major":8,"access":"rw"},
            {"allow":false,"type":"b","major":8,"minor":1,"access":"w"}]"#;
        let problems = list(hole).expect_err("refused");
        assert_eq!(problems[0].field, "linux.resources.devices[1]");
        let no_null =
            r#"[{"allow":true,"access":"rwm"},{"allow":false,"type":"c","access":"rwm"}]"#;
        let problems = list(no_null).expect_err("refused");
        assert_eq!(problems[0].field, "linux.resources.devices");
        assert!(problems[0].text.contains("/dev/null"));
    }

    #[test]
    fn a_rule_for_both_kinds_is_two() {
        let both = text(r#"[{"allow":true,"major":7,"minor":7,"access":"r"}]"#);
        assert!(both.starts_with("allow b 7:7 rm, allow c 7:7 rm, "), "{both}");
    }

    #[test]
    fn all_that_is_wrong_is_named() {
        let wrong = r#"[{"allow":true,"type":"p","access":"r"},{"allow":true,"access":"x"}]"#;
        assert_eq!(list(wrong).expect_err("problems").len(), 2);
    }

    /// What the kernel does: of exceptions that allow, one must allow all; of those that deny, one
    /// that denies a part is enough. (devcgroup_legacy_check_permission)
    fn kernel(list: &DeviceList, kind: Kind, number: (u32, u32), access: u8) -> bool {
        let one = |at: &&Exception| {
            at.covers(&Exception {
                kind,
                major: Some(number.0),
                minor: Some(number.1),
                access,
                asked: false,
            })
        };
        let mut matching = list.exceptions.iter().filter(one);
        match list.otherwise {
            true => !matching.any(|one| one.access & access != 0),
            false => matching.any(|one| access & !one.access == 0),
        }
    }

    /// What config.json means: the last rule that matches.
    fn meaning(rules: &[Rule], kind: Kind, number: (u32, u32), bit: u8) -> bool {
        let matches = |rule: &&Rule| {
            rule.kind.is_none_or(|one| one == kind)
                && rule.major.is_none_or(|one| one == number.0)
                && rule.minor.is_none_or(|one| one == number.1)
                && rule.access & bit != 0
        };
        rules.iter().rev().find(matches).is_some_and(|rule| rule.allow)
    }

    #[test]
    fn random_lists_mean_what_they_say_or_are_refused() {
        let mut random = fastrand::Rng::with_seed(0);
        let mut pick = |below: usize| random.usize(..below);
        let mut taken = 0;
        for _ in 0..3000 {
            let rules: Vec<Rule> = (0..pick(6))
                .map(|_| Rule {
                    allow: pick(2) == 0,
                    kind: [None, Some(Kind::Char), Some(Kind::Block)][pick(3)],
                    major: [None, Some(1), Some(8)][pick(3)],
                    minor: [None, Some(3), Some(9)][pick(3)],
                    access: [ALL, ALL, READ, READ | WRITE, MKNOD][pick(5)],
                })
                .collect();
            let mut list = DeviceList { otherwise: false, exceptions: Vec::new() };
            let all: Vec<Rule> = rules.iter().chain(DEFAULTS).copied().collect();
            if all.iter().try_for_each(|rule| list.add(rule, true)).is_err() {
                continue;
            }
            list.join();
            taken += 1;
            let numbers = [1, 8, 5].into_iter().flat_map(|a| [(a, 3), (a, 9), (a, 0)]);
            for (number, kind) in numbers.flat_map(|n| [(n, Kind::Char), (n, Kind::Block)]) {
                for access in 1..=ALL {
                    let bits = [READ, WRITE, MKNOD].into_iter().filter(|bit| access & bit != 0);
                    let means = bits.clone().all(|bit| meaning(&all, kind, number, bit));
                    let does = kernel(&list, kind, number, access);
                    assert!(means || !does, "{access} of {number:?} is let through by {rules:?}");
                    assert!(does == means || bits.count() > 1, "{access} of {number:?}: {rules:?}");
                }
            }
        }
        assert!(taken > 500, "{taken}");
    }
}

//! Capabilities, user and groups, resource limits: who the process will be.

use super::filter::{self, CarriesAdmin};
use super::host::Host;
use super::op::{Op, Step};
use crate::config::{KEEP_GROUPS, capabilities};
use crate::sys::identity::{self, CapabilitySets};
use oci_spec::runtime::{
    Capabilities, LinuxCapabilities, PosixRlimit, PosixRlimitType, Spec, User,
};
use std::ffi::c_uint;

/// Bits of the kernel's widest capability set; the child stops at the first that its kernel does not know.
const WIDEST: u32 = 64;

/// What is in force while credentials are changed.
pub(crate) struct Before {
    /// The user id with which the container is set up.
    pub(crate) uid: u32,
    /// Whether the container has a user namespace, in which its first process has every capability.
    pub(crate) user_namespace: bool,
}

/// How a process gets its credentials.
pub(super) struct Credentials {
    /// From the setup user to the process's own: bounding set, groups, ids, capability sets.
    pub(super) steps: Vec<Step>,
    /// Whether CAP_SYS_ADMIN is in there for the filter alone.
    pub(super) carries: Option<CarriesAdmin>,
}

/// Podman's `--group-add keep-groups`: an ordinary user's groups have no numbers in his user namespace, and
/// so they can be kept but not given. The name is crun's.
pub(super) fn keeps_groups(spec: &Spec) -> bool {
    let annotations = spec.annotations().as_ref();
    annotations.is_some_and(|all| all.contains_key(KEEP_GROUPS))
}

/// Plans the credentials. A process that `needs_admin`, to load its filter, may have to carry
/// CAP_SYS_ADMIN there.
pub(super) fn plan(
    user: &User,
    capabilities: Option<&LinuxCapabilities>,
    before: &Before,
    host: &Host,
    needs_admin: bool,
    keep_groups: bool,
    warnings: &mut Vec<String>,
) -> Credentials {
    let mut sets = Sets::new(capabilities, before, host, warnings);
    let drop = (0..WIDEST).filter(|bit| sets.bounding & (1 << bit) == 0).collect();
    let groups = user.additional_gids().clone().unwrap_or_default();
    let keep_capabilities = user.uid() != before.uid;
    let carries = needs_admin && sets.can_carry_admin(user.uid());
    let carried =
        carries.then_some(CarriesAdmin { inheritable: sets.set.inheritable & ADMIN == 0 });
    let mut steps = Vec::new();
    if carries {
        // What is not in the bounding set cannot become inheritable, so this comes before.
        sets.carry_admin();
        let all = sets.held;
        let inheritable = sets.set.inheritable & (sets.bounding | ADMIN);
        let set = CapabilitySets { effective: all, permitted: all, inheritable };
        steps.push(step(Op::Capabilities(set), filter::FIELD));
    }
    let ambient = (0..WIDEST).filter(|bit| sets.ambient & (1 << bit) != 0).collect();
    steps.push(step(Op::BoundingSet { drop }, "process.capabilities.bounding"));
    if !keep_groups {
        steps.push(step(Op::Groups(groups), "process.user.additionalGids"));
    }
    steps.extend([
        step(Op::Ids { uid: user.uid(), gid: user.gid(), keep_capabilities }, "process.user"),
        step(Op::Capabilities(sets.set), "process.capabilities"),
    ]);
    // What is not inheritable is not ambient either: capset(2) has emptied the caller's set then.
    if sets.set.inheritable != 0 {
        steps.push(step(Op::Ambient(ambient), "process.capabilities.ambient"));
    }
    Credentials { steps, carries: carried }
}

fn step(op: Op, field: &str) -> Step {
    Step { op, field: field.to_owned() }
}

/// The five sets as masks. Without `process.capabilities` all are empty.
struct Sets {
    bounding: u64,
    ambient: u64,
    set: CapabilitySets,
    /// What there is to choose from.
    held: u64,
}

/// The bit of CAP_SYS_ADMIN.
const ADMIN: u64 = 1 << identity::ADMIN;

impl Sets {
    fn new(
        asked: Option<&LinuxCapabilities>,
        before: &Before,
        host: &Host,
        warnings: &mut Vec<String>,
    ) -> Self {
        let asked_for = |get: fn(&LinuxCapabilities) -> &Option<Capabilities>| {
            asked.and_then(|sets| get(sets).as_ref()).map_or(0, mask)
        };
        let bounding = asked_for(LinuxCapabilities::bounding);
        let set = CapabilitySets {
            effective: asked_for(LinuxCapabilities::effective),
            permitted: asked_for(LinuxCapabilities::permitted),
            inheritable: asked_for(LinuxCapabilities::inheritable),
        };
        let ambient = asked_for(LinuxCapabilities::ambient);
        let held = if before.user_namespace { u64::MAX } else { host.capabilities };
        let lost = (bounding | set.permitted | set.effective | set.inheritable) & !held;
        if lost != 0 {
            let names = names(lost);
            warnings.push(format!(
                "process.capabilities: not given, since the caller does not hold them: {names}"
            ));
        }
        let set = CapabilitySets {
            effective: set.effective & held,
            permitted: set.permitted & held,
            inheritable: set.inheritable & held,
        };
        // What is not inheritable cannot be ambient: exec'ing with a capability more than the
        // config's inheritable set is what CVE-2022-29162 was.
        let ambient = ambient & set.permitted & set.inheritable;
        Self { bounding: bounding & held, ambient, set, held }
    }

    /// Whether CAP_SYS_ADMIN is there and would be lost when an ordinary program is executed:
    /// capabilities(7), "Transformation of capabilities during execve()".
    fn can_carry_admin(&self, uid: u32) -> bool {
        let kept = if uid == 0 { self.bounding | self.set.inheritable } else { self.ambient };
        // An inheritable one outside the bounding set is refused by the kernel, filter or not.
        let refused = self.set.inheritable & !self.bounding;
        self.held & !kept & !refused & ADMIN != 0
    }

    fn carry_admin(&mut self) {
        self.ambient |= ADMIN;
        self.set.permitted |= ADMIN;
        self.set.inheritable |= ADMIN;
    }
}

fn mask(set: &Capabilities) -> u64 {
    set.iter()
        .filter_map(|name| capabilities::find(&format!("CAP_{name}")))
        .fold(0, |mask, cap| mask | cap.bitmask())
}

fn names(mask: u64) -> String {
    let mut names: Vec<_> = capabilities::all()
        .into_iter()
        .filter(|cap| mask & cap.bitmask() != 0)
        .map(|cap| cap.to_string())
        .collect();
    names.sort();
    names.join(" ")
}

/// The kernel's number of each resource, and its name in config.json.
const RESOURCES: &[(PosixRlimitType, c_uint, &str)] = &[
    (PosixRlimitType::RlimitAs, libc::RLIMIT_AS, "RLIMIT_AS"),
    (PosixRlimitType::RlimitCore, libc::RLIMIT_CORE, "RLIMIT_CORE"),
    (PosixRlimitType::RlimitCpu, libc::RLIMIT_CPU, "RLIMIT_CPU"),
    (PosixRlimitType::RlimitData, libc::RLIMIT_DATA, "RLIMIT_DATA"),
    (PosixRlimitType::RlimitFsize, libc::RLIMIT_FSIZE, "RLIMIT_FSIZE"),
    (PosixRlimitType::RlimitLocks, libc::RLIMIT_LOCKS, "RLIMIT_LOCKS"),
    (PosixRlimitType::RlimitMemlock, libc::RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"),
    (PosixRlimitType::RlimitMsgqueue, libc::RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE"),
    (PosixRlimitType::RlimitNice, libc::RLIMIT_NICE, "RLIMIT_NICE"),
    (PosixRlimitType::RlimitNofile, libc::RLIMIT_NOFILE, "RLIMIT_NOFILE"),
    (PosixRlimitType::RlimitNproc, libc::RLIMIT_NPROC, "RLIMIT_NPROC"),
    (PosixRlimitType::RlimitRss, libc::RLIMIT_RSS, "RLIMIT_RSS"),
    (PosixRlimitType::RlimitRtprio, libc::RLIMIT_RTPRIO, "RLIMIT_RTPRIO"),
    (PosixRlimitType::RlimitRttime, libc::RLIMIT_RTTIME, "RLIMIT_RTTIME"),
    (PosixRlimitType::RlimitSigpending, libc::RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING"),
    (PosixRlimitType::RlimitStack, libc::RLIMIT_STACK, "RLIMIT_STACK"),
];

/// One step for each of `process.rlimits`.
pub(crate) fn rlimits(limits: &[PosixRlimit]) -> Vec<Step> {
    let known = |kind| RESOURCES.iter().find(|(known, ..)| *known == kind);
    let steps = limits.iter().enumerate().filter_map(|(number, limit)| {
        let (_, resource, name) = known(limit.typ())?;
        let op = Op::Rlimit { resource: *resource, soft: limit.soft(), hard: limit.hard() };
        Some(step(op, &format!("process.rlimits[{number}] ({name})")))
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(json: &str, held: u64) -> (Vec<Step>, Vec<String>) {
        let capabilities: LinuxCapabilities = serde_json::from_str(json).unwrap();
        let mut warnings = Vec::new();
        let host = Host { capabilities: held, ..Host::for_tests() };
        let before = Before { uid: 0, user_namespace: false };
        let user = User::default();
        let planned =
            super::plan(&user, Some(&capabilities), &before, &host, false, false, &mut warnings);
        assert_eq!(planned.carries, None);
        (planned.steps, warnings)
    }

    const NET: u64 = 1 << 10;

    #[test]
    fn everything_else_leaves_the_bounding_set() {
        let (steps, warnings) = plan(r#"{"bounding":["CAP_NET_BIND_SERVICE"]}"#, u64::MAX);
        let Op::BoundingSet { drop } = &steps[0].op else { panic!() };
        assert_eq!(drop.len(), 63);
        assert!(!drop.contains(&10));
        assert!(warnings.is_empty());
    }

    #[test]
    fn ambient_needs_permitted_and_inheritable() {
        let (steps, _) = plan(
            r#"{"permitted":["CAP_NET_BIND_SERVICE"],"ambient":["CAP_NET_BIND_SERVICE"]}"#,
            u64::MAX,
        );
        assert_eq!(steps.len(), 4);
    }

    #[test]
    fn what_the_caller_lacks_is_named() {
        let json = r#"{"bounding":["CAP_SYS_RESOURCE","CAP_NET_BIND_SERVICE"],"effective":["CAP_SYS_RESOURCE"]}"#;
        let (steps, warnings) = plan(json, NET);
        assert!(warnings[0].ends_with(": CAP_SYS_RESOURCE"), "{warnings:?}");
        let Op::Capabilities(sets) = &steps[3].op else { panic!() };
        assert_eq!(sets.effective, 0);
    }

    #[test]
    fn every_resource_has_a_number() {
        assert_eq!(RESOURCES.len(), 16);
    }
}

//! Capabilities, user and groups, resource limits: who the process will be.

use super::host::Host;
use super::op::{Op, Step};
use crate::sys::identity::CapabilitySets;
use caps::Capability;
use oci_spec::runtime::{Capabilities, LinuxCapabilities, PosixRlimit, PosixRlimitType, User};
use std::ffi::c_uint;
use std::str::FromStr;

/// Bits of the kernel's widest capability set; the child stops at the first that its kernel does not know.
const WIDEST: u32 = 64;

/// What is in force while credentials are changed.
pub(crate) struct Before {
    /// The user id with which the container is set up.
    pub(crate) uid: u32,
    /// Whether the container has a user namespace, in which its first process has every capability.
    pub(crate) user_namespace: bool,
}

/// Steps from the setup user to the process's own: bounding set, groups, ids, capability sets.
pub(crate) fn steps(
    user: &User,
    capabilities: Option<&LinuxCapabilities>,
    before: &Before,
    host: &Host,
    warnings: &mut Vec<String>,
) -> Vec<Step> {
    let sets = Sets::new(capabilities, before, host, warnings);
    let groups = user.additional_gids().clone().unwrap_or_default();
    let drop = (0..WIDEST).filter(|bit| sets.bounding & (1 << bit) == 0).collect();
    let keep_capabilities = user.uid() != before.uid;
    let ambient = (0..WIDEST).filter(|bit| sets.ambient & (1 << bit) != 0).collect();
    let mut steps = vec![
        step(Op::BoundingSet { drop }, "process.capabilities.bounding"),
        step(Op::Groups(groups), "process.user.additionalGids"),
        step(Op::Ids { uid: user.uid(), gid: user.gid(), keep_capabilities }, "process.user"),
        step(Op::Capabilities(sets.set), "process.capabilities"),
    ];
    // What is not inheritable is not ambient either: capset(2) has emptied the caller's set then.
    if sets.set.inheritable != 0 {
        steps.push(step(Op::Ambient(ambient), "process.capabilities.ambient"));
    }
    steps
}

fn step(op: Op, field: &str) -> Step {
    Step { op, field: field.to_owned() }
}

/// The five sets as masks. Without `process.capabilities` all are empty.
struct Sets {
    bounding: u64,
    ambient: u64,
    set: CapabilitySets,
}

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
        Self { bounding: bounding & held, ambient: ambient & set.permitted & set.inheritable, set }
    }
}

fn mask(set: &Capabilities) -> u64 {
    set.iter()
        .filter_map(|name| Capability::from_str(&format!("CAP_{name}")).ok())
        .fold(0, |mask, cap| mask | cap.bitmask())
}

fn names(mask: u64) -> String {
    let mut names: Vec<_> = caps::all()
        .into_iter()
        .filter(|cap| mask & cap.bitmask() != 0)
        .map(|cap| cap.to_string())
        .collect();
    names.sort();
    names.join(" ")
}

/// The kernel's number of each resource.
const RESOURCES: &[(PosixRlimitType, c_uint)] = &[
    (PosixRlimitType::RlimitAs, libc::RLIMIT_AS as c_uint),
    (PosixRlimitType::RlimitCore, libc::RLIMIT_CORE as c_uint),
    (PosixRlimitType::RlimitCpu, libc::RLIMIT_CPU as c_uint),
    (PosixRlimitType::RlimitData, libc::RLIMIT_DATA as c_uint),
    (PosixRlimitType::RlimitFsize, libc::RLIMIT_FSIZE as c_uint),
    (PosixRlimitType::RlimitLocks, libc::RLIMIT_LOCKS as c_uint),
    (PosixRlimitType::RlimitMemlock, libc::RLIMIT_MEMLOCK as c_uint),
    (PosixRlimitType::RlimitMsgqueue, libc::RLIMIT_MSGQUEUE as c_uint),
    (PosixRlimitType::RlimitNice, libc::RLIMIT_NICE as c_uint),
    (PosixRlimitType::RlimitNofile, libc::RLIMIT_NOFILE as c_uint),
    (PosixRlimitType::RlimitNproc, libc::RLIMIT_NPROC as c_uint),
    (PosixRlimitType::RlimitRss, libc::RLIMIT_RSS as c_uint),
    (PosixRlimitType::RlimitRtprio, libc::RLIMIT_RTPRIO as c_uint),
    (PosixRlimitType::RlimitRttime, libc::RLIMIT_RTTIME as c_uint),
    (PosixRlimitType::RlimitSigpending, libc::RLIMIT_SIGPENDING as c_uint),
    (PosixRlimitType::RlimitStack, libc::RLIMIT_STACK as c_uint),
];

/// One step for each of `process.rlimits`.
pub(crate) fn rlimits(limits: &[PosixRlimit]) -> Vec<Step> {
    let resource = |kind| RESOURCES.iter().find(|(known, _)| *known == kind).map(|row| row.1);
    let steps = limits.iter().enumerate().filter_map(|(number, limit)| {
        let resource = resource(limit.typ())?;
        let op = Op::Rlimit { resource, soft: limit.soft(), hard: limit.hard() };
        Some(step(op, &format!("process.rlimits[{number}] ({:?})", limit.typ())))
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
        let steps = steps(&User::default(), Some(&capabilities), &before, &host, &mut warnings);
        (steps, warnings)
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

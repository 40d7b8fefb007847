//! [User namespace mappings](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#user-namespace-mappings),
//! and the ids of the process that must be among them
//! ([user_namespaces(7)](https://man7.org/linux/man-pages/man7/user_namespaces.7.html)).

use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespaceType, User};

use super::Findings;
use super::namespaces::{self, Origin};

/// The kernel's limit on the lines of a map (UID_GID_MAP_MAX_EXTENTS).
const MOST_LINES: usize = 340;

/// How many ranges a message lists.
const MOST_LISTED: usize = 5;

type Mappings<'a> = (&'static str, &'a [LinuxIdMapping]);

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    let origin = namespaces::origin(Some(linux), LinuxNamespaceType::User);
    for (field, mappings) in both(linux) {
        presence(field, mappings, origin, findings);
        check_ranges(field, mappings, findings);
    }
}

/// What the kernel asks of a map, whoever it is for.
pub(super) fn check_ranges(field: &str, mappings: &[LinuxIdMapping], findings: &mut Findings) {
    let text = format!("has {} entries; the kernel takes {MOST_LINES}", mappings.len());
    findings.expect(mappings.len() <= MOST_LINES, field, text);
    mappings.iter().enumerate().for_each(|(index, mapping)| range(field, index, mapping, findings));
    overlaps(field, "containerID", mappings, LinuxIdMapping::container_id, findings);
    overlaps(field, "hostID", mappings, LinuxIdMapping::host_id, findings);
}

/// Whether the ids of `user` exist in a container with `linux`'s mappings.
pub(super) fn check_user(user: &User, linux: Option<&Linux>, findings: &mut Findings) {
    let Some([uids, gids]) = linux.map(both) else {
        return;
    };
    mapped("process.user.uid", user.uid(), uids, findings);
    mapped("process.user.gid", user.gid(), gids, findings);
    for (index, gid) in user.additional_gids().iter().flatten().enumerate() {
        mapped(&format!("process.user.additionalGids[{index}]"), *gid, gids, findings);
    }
}

fn both(linux: &Linux) -> [Mappings<'_>; 2] {
    [
        ("linux.uidMappings", linux.uid_mappings().as_deref().unwrap_or_default()),
        ("linux.gidMappings", linux.gid_mappings().as_deref().unwrap_or_default()),
    ]
}

fn presence(field: &str, mappings: &[LinuxIdMapping], origin: Origin, findings: &mut Findings) {
    match (mappings.is_empty(), origin) {
        (true, Origin::New) => {
            findings.add(field, "is empty; a new user namespace needs at least one mapping");
        }
        (false, Origin::Host) => {
            findings.add(field, "needs a user namespace in linux.namespaces");
        }
        _ => (),
    }
}

fn range(field: &str, index: usize, mapping: &LinuxIdMapping, findings: &mut Findings) {
    let field = format!("{field}[{index}]");
    findings.expect(
        mapping.size() > 0,
        format!("{field}.size"),
        "is 0; a range has one id or more",
    );
    for (key, first) in [("containerID", mapping.container_id()), ("hostID", mapping.host_id())] {
        let text = format!("{first} and size {} go beyond the last id 4294967294", mapping.size());
        // The kernel keeps the highest number for "no id".
        let fits = first.checked_add(mapping.size()).is_some();
        findings.expect(fits, format!("{field}.{key}"), text);
    }
}

fn overlaps(
    field: &str,
    key: &str,
    mappings: &[LinuxIdMapping],
    first: fn(&LinuxIdMapping) -> u32,
    findings: &mut Findings,
) {
    let mut sorted = mappings.iter().enumerate().collect::<Vec<_>>();
    sorted.sort_unstable_by_key(|(index, mapping)| (first(mapping), *index));
    for pair in sorted.windows(2) {
        let [(index, lower), (other, upper)] = pair else {
            continue;
        };
        if end(first(lower), lower) > u64::from(first(upper)) {
            let (index, other) = (index.min(other), index.max(other));
            let text = format!("overlaps the range of {field}[{index}]");
            findings.add(format!("{field}[{other}].{key}"), text);
        }
    }
}

fn mapped(field: &str, id: u32, (map, mappings): Mappings<'_>, findings: &mut Findings) {
    if !mappings.is_empty() && !contains(mappings, id) {
        let text = format!("{id} is not mapped in {map}; mapped are {}", ranges(mappings));
        findings.add(field, text);
    }
}

fn contains(mappings: &[LinuxIdMapping], id: u32) -> bool {
    mappings.iter().any(|mapping| {
        let first = mapping.container_id();
        first <= id && u64::from(id) < end(first, mapping)
    })
}

/// The first id behind a range that starts at `first`.
fn end(first: u32, mapping: &LinuxIdMapping) -> u64 {
    u64::from(first) + u64::from(mapping.size())
}

/// `0..0, 1..65535`: the ids of the container, first and last.
fn ranges(mappings: &[LinuxIdMapping]) -> String {
    let mut ranges = mappings
        .iter()
        .filter(|mapping| mapping.size() > 0)
        .take(MOST_LISTED)
        .map(|mapping| (mapping.container_id(), end(mapping.container_id(), mapping) - 1))
        .map(|(first, last)| format!("{first}..{last}"))
        .collect::<Vec<_>>()
        .join(", ");
    if mappings.len() > MOST_LISTED {
        ranges.push_str(", ...");
    }
    match ranges.is_empty() {
        true => "none".to_owned(),
        false => ranges,
    }
}

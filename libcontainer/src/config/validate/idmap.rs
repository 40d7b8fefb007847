//! Id mappings of [mounts](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#posix-platform-mounts):
//! `uidMappings` and `gidMappings`, and the [options](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#linux-mount-options)
//! `idmap` and `ridmap`.
//!
//! Podman writes mappings into the option itself, as crun reads them:
//! `idmap=uids=0-1000-1#1-2000-10;gids=@0-0-1`. Each range is an id of the file system, the id that it
//! becomes on the host, or with `@` in the container, and how many there are.

use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxIdMappingBuilder, LinuxNamespaceType, Mount};

use super::namespaces::{Origin, origin};
use super::{Findings, ids};

/// Whose ids a mount shows its files with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum MountMappings {
    /// Those of the container's user namespace, by the option alone.
    Containers,
    /// These.
    Given {
        uids: Vec<LinuxIdMapping>,
        gids: Vec<LinuxIdMapping>,
        /// They are what `linux.uidMappings` and `linux.gidMappings` say, too.
        same: bool,
    },
}

/// What a mount asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MountIds {
    pub(crate) mappings: MountMappings,
    /// Mounts below it are mapped as well.
    pub(crate) recursive: bool,
}

/// The last option counts, as everywhere.
struct Asked<'a> {
    recursive: bool,
    /// What is behind `=`.
    value: Option<&'a str>,
}

impl MountIds {
    /// `None` when it asks for nothing; `Err` says what is wrong with the option's value.
    pub(crate) fn of(mount: &Mount, linux: Option<&Linux>) -> Result<Option<Self>, String> {
        let asked = mount.options().iter().flatten().filter_map(|option| asked(option)).next_back();
        let recursive = asked.as_ref().is_some_and(|asked| asked.recursive);
        let own = [list(mount.uid_mappings()), list(mount.gid_mappings())];
        let value = asked.as_ref().and_then(|asked| asked.value);
        let mappings = match (own, value) {
            ([[], []], Some(value)) => value_of(value, linux)?,
            ([[], []], None) if asked.is_none() => return Ok(None),
            ([[], []], None) => MountMappings::Containers,
            (_, Some(_)) => {
                return Err("has a value, and the mount has mappings; take one away".into());
            }
            ([uids, gids], None) => given(uids.to_vec(), gids.to_vec(), linux),
        };
        Ok(Some(Self { mappings, recursive }))
    }
}

fn asked(option: &str) -> Option<Asked<'_>> {
    let (name, value) = match option.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (option, None),
    };
    let recursive = match name {
        "idmap" => false,
        "ridmap" => true,
        _ => return None,
    };
    Some(Asked { recursive, value })
}

fn given(
    uids: Vec<LinuxIdMapping>,
    gids: Vec<LinuxIdMapping>,
    linux: Option<&Linux>,
) -> MountMappings {
    let containers = [linux.map(Linux::uid_mappings), linux.map(Linux::gid_mappings)]
        .map(|mappings| mappings.map_or(&[][..], list));
    let same = containers == [uids.as_slice(), gids.as_slice()];
    MountMappings::Given { uids, gids, same }
}

fn list(mappings: &Option<Vec<LinuxIdMapping>>) -> &[LinuxIdMapping] {
    mappings.as_deref().unwrap_or_default()
}

/// `uids=...;gids=...`
fn value_of(value: &str, linux: Option<&Linux>) -> Result<MountMappings, String> {
    let (mut uids, mut gids) = (Vec::new(), Vec::new());
    for part in value.split(';') {
        let linux = |pick: fn(&Linux) -> &Option<Vec<LinuxIdMapping>>| {
            linux.map(pick).map_or(&[][..], list)
        };
        match part.split_once('=') {
            Some(("uids", text)) => uids = ranges(text, linux(Linux::uid_mappings))?,
            Some(("gids", text)) => gids = ranges(text, linux(Linux::gid_mappings))?,
            _ => return Err(format!("{part:?} is neither uids=... nor gids=...")),
        }
    }
    Ok(given(uids, gids, linux))
}

fn ranges(text: &str, containers: &[LinuxIdMapping]) -> Result<Vec<LinuxIdMapping>, String> {
    text.split('#').map(|text| range(text, containers)).collect()
}

/// `0-1000-10`, or `@0-0-10` where the second id is one of the container.
fn range(text: &str, containers: &[LinuxIdMapping]) -> Result<LinuxIdMapping, String> {
    let wrong = || {
        format!("{text:?} is no range; one is FILESYSTEM-HOST-COUNT or @FILESYSTEM-CONTAINER-COUNT")
    };
    let (numbers, relative) = match text.strip_prefix('@') {
        Some(numbers) => (numbers, true),
        None => (text, false),
    };
    let numbers: Result<Vec<u32>, _> = numbers.split('-').map(str::parse).collect();
    let Ok([inside, outside, size]) = numbers.as_deref() else { return Err(wrong()) };
    let outside = if relative { on_host(*outside, containers)? } else { *outside };
    let range = LinuxIdMappingBuilder::default().container_id(*inside).host_id(outside);
    range.size(*size).build().map_err(|_| wrong())
}

fn on_host(id: u32, containers: &[LinuxIdMapping]) -> Result<u32, String> {
    let host = |mapping: &LinuxIdMapping| {
        let offset = id.checked_sub(mapping.container_id())?;
        (offset < mapping.size()).then_some(())?;
        mapping.host_id().checked_add(offset)
    };
    let missing = || {
        format!(
            "@ is an id of the container, and {id} is not mapped in linux.uidMappings and linux.gidMappings"
        )
    };
    containers.iter().find_map(host).ok_or_else(missing)
}

pub(super) fn check(index: usize, mount: &Mount, linux: Option<&Linux>, findings: &mut Findings) {
    let field = format!("mounts[{index}]");
    let ids = match MountIds::of(mount, linux) {
        Ok(Some(ids)) => ids,
        Ok(None) => return,
        Err(text) => return findings.add(format!("{field}.options"), format!("idmap: {text}")),
    };
    let remount = mount.options().iter().flatten().any(|option| option == "remount");
    let text = "idmap is for a new mount; one that is there keeps its ids";
    findings.expect(!remount, format!("{field}.options"), text);
    match ids.mappings {
        MountMappings::Containers => {
            let host = origin(linux, LinuxNamespaceType::User) == Origin::Host;
            let text = "idmap without uidMappings and gidMappings takes the container's user \
                namespace, and there is none; add the mappings to the mount";
            findings.expect(!host, format!("{field}.options"), text);
        }
        MountMappings::Given { uids, gids, .. } => {
            let lists = [("uidMappings", &uids, &gids), ("gidMappings", &gids, &uids)];
            for (name, own, other) in lists {
                let text = "is missing; uidMappings and gidMappings of a mount go together";
                let field = format!("{field}.{name}");
                findings.expect(!own.is_empty() || other.is_empty(), &field, text);
                ids::check_ranges(&field, own, findings);
            }
            let none = uids.is_empty() && gids.is_empty();
            findings.expect(!none, format!("{field}.options"), "idmap= has no ranges");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(mount: serde_json::Value) -> Result<Option<MountIds>, String> {
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 10}]);
        let linux = json!({"uidMappings": map, "gidMappings": map});
        let linux: Linux = serde_json::from_value(linux).unwrap();
        let mut whole = json!({"destination": "/d"});
        whole.as_object_mut().unwrap().extend(mount.as_object().unwrap().clone());
        MountIds::of(&serde_json::from_value(whole).unwrap(), Some(&linux))
    }

    fn lines(mappings: &MountMappings) -> Vec<(u32, u32, u32)> {
        let MountMappings::Given { uids, .. } = mappings else { panic!("{mappings:?}") };
        uids.iter().map(|map| (map.container_id(), map.host_id(), map.size())).collect()
    }

    #[test]
    fn nothing_asked_for_is_none() {
        assert_eq!(of(json!({"options": ["rbind"]})), Ok(None));
        assert_eq!(of(json!({"options": ["bind"], "uidMappings": []})), Ok(None));
    }

    #[test]
    fn the_option_alone_is_the_containers() {
        for (option, recursive) in [("idmap", false), ("ridmap", true)] {
            let ids = of(json!({"options": ["rbind", option]})).unwrap().unwrap();
            assert_eq!(ids, MountIds { mappings: MountMappings::Containers, recursive });
        }
        let ids = of(json!({"options": ["ridmap", "idmap"]})).unwrap().unwrap();
        assert!(!ids.recursive);
    }

    #[test]
    fn mappings_count_with_and_without_the_option() {
        let map = json!([{"containerID": 0, "hostID": 5, "size": 1}]);
        for options in [json!([]), json!(["idmap"])] {
            let mount = json!({"options": options, "uidMappings": map, "gidMappings": map});
            assert_eq!(lines(&of(mount).unwrap().unwrap().mappings), [(0, 5, 1)]);
        }
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 10}]);
        let ids = of(json!({"uidMappings": map, "gidMappings": map})).unwrap().unwrap();
        assert!(matches!(ids.mappings, MountMappings::Given { same: true, .. }));
    }

    #[test]
    fn ranges_of_the_option() {
        let option = "idmap=uids=0-1-10#10-11-10;gids=0-100-10";
        let ids = of(json!({ "options": [option] })).unwrap().unwrap();
        assert_eq!(lines(&ids.mappings), [(0, 1, 10), (10, 11, 10)]);
        let ids = of(json!({"options": ["ridmap=uids=@5-3-2;gids=0-1-1"]})).unwrap().unwrap();
        assert_eq!((lines(&ids.mappings), ids.recursive), (vec![(5, 100_003, 2)], true));
    }

    #[test]
    fn what_is_no_range_is_named() {
        for (option, said) in [
            ("idmap=", "neither uids= nor gids="),
            ("idmap=uids=1-2", "no range"),
            ("idmap=uids=1-2-3-4", "no range"),
            ("idmap=uids=a-2-3", "no range"),
            ("idmap=uids=@0-10-1;gids=0-0-1", "10 is not mapped"),
        ] {
            let error = of(json!({ "options": [option] })).unwrap_err();
            assert!(error.replace("...", "").contains(said), "{option}: {error}");
        }
    }
}

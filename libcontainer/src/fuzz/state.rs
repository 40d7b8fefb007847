//! The files of a container's directory, of which a disk may have kept a part.

use super::{hash, seeds as recorded};
use crate::cgroup::{Layout, Update};
use crate::container::record_fuzz as record;
use crate::oci::LinuxResources;

pub(super) const WORDS: &[&str] = &[
    "version",
    "init",
    "pid",
    "startTime",
    "cgroup",
    "unified",
    "v1",
    "scope",
    "/sys/fs/cgroup/a",
];

/// Both files are tried: what is none of one may be one of the other.
pub(super) fn run(bytes: &[u8]) -> bool {
    [record::run(bytes), resources(bytes)].contains(&true)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [record::seeds(), recorded::resources()].concat()
}

/// resources.json, on which the next `update` builds.
fn resources(bytes: &[u8]) -> bool {
    let Ok(stored) = serde_json::from_slice::<LinuxResources>(bytes) else { return false };
    let layout = [Layout::Unified, Layout::Hybrid, Layout::Legacy][hash(bytes) as usize % 3];
    let update = Update::new(layout, &stored, &LinuxResources::default());
    update.is_ok_and(|update| {
        let text = serde_json::to_vec(update.resources()).expect("written");
        let again: LinuxResources = serde_json::from_slice(&text).expect("what is written is read");
        assert_eq!(&again, update.resources());
        true
    })
}

//! RDMA devices.

use super::files::Files;
use super::parse::nested_keyed;
use crate::error::Result;
use std::collections::BTreeMap;

/// What is used of one RDMA device.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rdma {
    /// Used now (`rdma.current`).
    pub current: RdmaCounts,
    /// May be used (`rdma.max`); `None` in it is no limit.
    pub limit: RdmaCounts,
}

/// A line of `rdma.current` or `rdma.max`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RdmaCounts {
    /// Handles of host channel adapters.
    pub hca_handles: Option<u32>,
    /// Objects of host channel adapters.
    pub hca_objects: Option<u32>,
}

pub(super) fn read(files: &Files<'_>) -> Result<BTreeMap<String, Rdma>> {
    let current = files.parsed("rdma.current", parse)?;
    let limits =
        if current.is_empty() { BTreeMap::new() } else { files.parsed("rdma.max", parse)? };
    let with_limit = |(device, current): (String, RdmaCounts)| {
        let limit = limits.get(&device).copied().unwrap_or_default();
        (device, Rdma { current, limit })
    };
    Ok(current.into_iter().map(with_limit).collect())
}

fn parse(text: &str) -> BTreeMap<String, RdmaCounts> {
    nested_keyed(text)
        .map(|(device, pairs)| {
            let mut counts = RdmaCounts::default();
            for (key, value) in pairs {
                match key {
                    "hca_handle" => counts.hca_handles = value.parse().ok(),
                    "hca_object" => counts.hca_objects = value.parse().ok(),
                    _ => {}
                }
            }
            (device.into(), counts)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_device() {
        let read =
            parse("mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=3 hca_object=max\n");
        let first = RdmaCounts { hca_handles: Some(2), hca_objects: Some(2000) };
        let second = RdmaCounts { hca_handles: Some(3), hca_objects: None };
        assert_eq!(read, BTreeMap::from([("mlx4_0".into(), first), ("ocrdma1".into(), second)]));
        assert!(parse("").is_empty());
    }
}

//! Huge pages.

use super::files::Files;
use super::{Counter, parse};
use crate::error::Result;
use std::collections::BTreeMap;

/// Huge pages of one size, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct HugePages {
    /// Those that were touched (v2: `hugetlb.SIZE.current`, `.max`, `.events`; v1:
    /// `hugetlb.SIZE.usage_in_bytes` and so on).
    pub used: Counter,
    /// Those that were reserved by mmap(2), touched or not (`hugetlb.SIZE.rsvd.*`); `None` before
    /// Linux 5.7.
    pub reserved: Option<Counter>,
}

/// Every size of cgroup v2, which counts failures of both kinds in one file.
pub(super) fn read_v2(files: &Files<'_>) -> Result<BTreeMap<String, HugePages>> {
    const NAMES: [&str; 4] = [".current", ".max", "", ""];
    by_size(files, ".current", |prefix| {
        let failed = |text: &str| parse::value(text, "max");
        let failures = files.parsed(&format!("{prefix}.events"), failed)?.unwrap_or_default();
        let with_failures = |counter: Counter| Counter { failures, ..counter };
        Ok(HugePages {
            used: files.counter(prefix, NAMES)?.map(with_failures).unwrap_or_default(),
            reserved: files.counter(&format!("{prefix}.rsvd"), NAMES)?.map(with_failures),
        })
    })
}

/// Every size of cgroup v1.
pub(super) fn read_v1(files: &Files<'_>) -> Result<BTreeMap<String, HugePages>> {
    const NAMES: [&str; 4] =
        [".usage_in_bytes", ".limit_in_bytes", ".max_usage_in_bytes", ".failcnt"];
    by_size(files, ".usage_in_bytes", |prefix| {
        Ok(HugePages {
            used: files.counter(prefix, NAMES)?.unwrap_or_default(),
            reserved: files.counter(&format!("{prefix}.rsvd"), NAMES)?,
        })
    })
}

fn by_size(
    files: &Files<'_>,
    suffix: &str,
    read: impl Fn(&str) -> Result<HugePages>,
) -> Result<BTreeMap<String, HugePages>> {
    let sizes = files.between("hugetlb.", suffix)?;
    let pages = |size: String| {
        let pages = read(&format!("hugetlb.{size}"))?;
        Ok((size, pages))
    };
    sizes.into_iter().filter(|size| !size.contains('.')).map(pages).collect()
}

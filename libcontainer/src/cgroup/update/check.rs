//! `memory.checkBeforeUpdate`: a limit that is not above what is in use is refused before anything is
//! written; the kernel would end a process for it.

use super::super::file::read_file;
use super::super::handle::Cgroup;
use super::super::write::Write;
use crate::error::{Error, ErrorKind, Result};
use oci_spec::runtime::LinuxResources;

const LIMIT: &str = "linux.resources.memory.limit";
const SWAP: &str = "linux.resources.memory.swap";

/// Whether the check has something to say of a write for `field`.
pub(super) fn concerns(field: &str) -> bool {
    matches!(field, LIMIT | SWAP)
}

/// Looks at what is in use. What cannot be read is not checked.
pub(super) fn usage(resources: &LinuxResources, cgroup: &Cgroup) -> Result<()> {
    let number = |file: &str| {
        let target = cgroup.target(&Write::new(LIMIT, file, ""))?;
        read_file(target.dir, file).ok()?.trim().parse::<u64>().ok()
    };
    let v2 = || {
        let memory = number("memory.current")?;
        Some((memory, memory.saturating_add(number("memory.swap.current").unwrap_or(0))))
    };
    let v1 = || {
        let memory = number("memory.usage_in_bytes")?;
        Some((memory, number("memory.memsw.usage_in_bytes").unwrap_or(memory)))
    };
    v2().or_else(v1).map_or(Ok(()), |(memory, with_swap)| check(resources, memory, with_swap))
}

/// `memory` bytes are in use, and `with_swap` of memory and swap together.
pub(super) fn check(resources: &LinuxResources, memory: u64, with_swap: u64) -> Result<()> {
    let Some(limits) = resources.memory().filter(|one| one.check_before_update() == Some(true))
    else {
        return Ok(());
    };
    let rows = [
        (SWAP, "memory+swap limit", limits.swap(), with_swap),
        (LIMIT, "memory limit", limits.limit(), memory),
    ];
    for (field, what, limit, usage) in rows {
        let limit = limit.and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0);
        if let Some(limit) = limit.filter(|limit| *limit <= usage) {
            let text = format!("rejecting {what} {limit} <= usage {usage} (checkBeforeUpdate)");
            return Err(Error::new(ErrorKind::WrongState, text).field(field));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(json: &str, memory: u64, with_swap: u64) -> Option<String> {
        let resources = serde_json::from_str(json).expect("resources");
        check(&resources, memory, with_swap).err().map(|error| error.to_string())
    }

    #[test]
    fn limits_have_to_be_above_what_is_in_use() {
        let json = r#"{"memory":{"limit":100,"swap":200,"checkBeforeUpdate":true}}"#;
        assert_eq!(says(json, 99, 199), None);
        let text = says(json, 100, 100).expect("refused");
        let expected = "linux.resources.memory.limit: rejecting memory limit 100 <= usage 100 \
                        (checkBeforeUpdate)";
        assert_eq!(text, expected);
        let text = says(json, 100, 200).expect("refused");
        assert!(text.contains("rejecting memory+swap limit 200 <= usage 200"), "{text}");
    }

    #[test]
    fn only_limits_are_checked_and_only_on_demand() {
        assert_eq!(says(r#"{"memory":{"limit":100}}"#, 500, 500), None);
        let unlimited = r#"{"memory":{"limit":-1,"swap":-1,"checkBeforeUpdate":true}}"#;
        assert_eq!(says(unlimited, 500, 500), None);
        assert_eq!(says(r#"{"memory":{"swap":0,"checkBeforeUpdate":true}}"#, 500, 500), None);
    }
}

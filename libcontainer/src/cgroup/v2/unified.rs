//! `linux.resources.unified`: files of cgroup v2 by name. Passed through, after two checks: that a
//! key names a file of the container's own cgroup, and that the file is a setting. A file that acts
//! (moves processes, kills, freezes) would let a config reach beyond its container or break it
//! before it starts.

use super::super::write::{Limits, Write};
use crate::error::Problem;
use std::collections::HashMap;

/// Controllers of Linux, up to 7.x.
const CONTROLLERS: &[&str] =
    &["cpu", "cpuset", "dmem", "hugetlb", "io", "memory", "misc", "perf_event", "pids", "rdma"];

/// The settings among the files that every cgroup has.
const CORE_FILES: &[&str] = &["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"];

/// Adds the writes, by name so that the order is always the same, or what is wrong.
pub(super) fn add(map: &HashMap<String, String>, limits: &mut Limits) {
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort();
    for key in keys {
        let field = format!("linux.resources.unified[{key}]");
        match check(key, &map[key]) {
            Ok(()) => limits.writes.push(Write::new(&field, key, &map[key])),
            Err(text) => limits.problems.push(Problem::new(field, text)),
        }
    }
}

fn check(key: &str, value: &str) -> Result<(), String> {
    if key.contains(['/', '\0']) {
        return Err("must be the name of a file, without `/`".into());
    }
    let (prefix, rest) = key.split_once('.').unwrap_or((key, ""));
    if rest.is_empty() {
        return Err("must be CONTROLLER.PARAMETER".into());
    }
    if prefix == "cgroup" && !CORE_FILES.contains(&key) {
        return Err(format!("is not a setting; of these may be set: {}", CORE_FILES.join(", ")));
    }
    if prefix != "cgroup" && !CONTROLLERS.contains(&prefix) {
        return Err(format!("no controller `{prefix}`; known are {}", CONTROLLERS.join(", ")));
    }
    match value.trim().is_empty() {
        true => Err("has an empty value".into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_pass() {
        for key in ["memory.high", "cpu.weight.nice", "cgroup.max.depth", "hugetlb.2MB.max"] {
            assert_eq!(check(key, "1"), Ok(()), "{key}");
        }
    }

    #[test]
    fn paths_actions_and_unknown_controllers_do_not() {
        for key in [
            "",
            ".",
            "memory",
            "memory.",
            "../memory.max",
            "memory.max/x",
            "memory.\0",
            "nosuch.max",
            "cgroup.procs",
            "cgroup.threads",
            "cgroup.kill",
            "cgroup.freeze",
            "cgroup.type",
            "cgroup.subtree_control",
        ] {
            assert!(check(key, "1").is_err(), "{key}");
        }
        assert!(check("memory.high", " \n").is_err());
    }

    #[test]
    fn order_is_by_name() {
        let map =
            ["pids.max", "io.max", "memory.high"].map(|key| (key.to_string(), "1".to_string()));
        let mut limits = Limits::default();
        add(&HashMap::from(map), &mut limits);
        let files: Vec<&str> = limits.writes.iter().map(|write| write.file.as_str()).collect();
        assert_eq!(files, ["io.max", "memory.high", "pids.max"]);
    }
}

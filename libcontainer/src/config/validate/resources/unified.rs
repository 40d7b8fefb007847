//! [Unified](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#unified):
//! a key names a file of the container's own cgroup, and the file is a setting. One that acts (moves
//! processes, kills, freezes) would let a config reach beyond its container or break it before it
//! starts. Which controllers there are is for the host to say.

use std::collections::HashMap;

use super::Findings;

/// The settings among the files that every cgroup has.
const CORE_FILES: &[&str] = &["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"];

pub(super) fn check(files: &HashMap<String, String>, findings: &mut Findings) {
    let mut keys: Vec<&String> = files.keys().collect();
    keys.sort();
    for key in keys {
        if let Err(text) = one(key, &files[key]) {
            findings.add(format!("linux.resources.unified[{key}]"), text);
        }
    }
}

fn one(key: &str, value: &str) -> Result<(), String> {
    if key.contains('/') {
        return Err("must be the name of a file, without `/`".into());
    }
    let (controller, parameter) = key.split_once('.').unwrap_or((key, ""));
    if !is_name(controller)
        || parameter.is_empty()
        || !parameter.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err("must be CONTROLLER.PARAMETER, such as memory.high".into());
    }
    if controller == "cgroup" && !CORE_FILES.contains(&key) {
        return Err(format!("is not a setting; of these may be set: {}", CORE_FILES.join(", ")));
    }
    match value.trim().is_empty() {
        true => Err("has an empty value".into()),
        false => Ok(()),
    }
}

/// How controllers are called, also those to come.
fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_pass() {
        let cases = [
            "memory.high",
            "cpu.weight.nice",
            "cgroup.max.depth",
            "hugetlb.2MB.max",
            "misc.max",
            "dmem.max",
            "perf_event.x",
            "of_tomorrow.max",
        ];
        for key in cases {
            assert_eq!(one(key, "1"), Ok(()), "{key}");
        }
    }

    #[test]
    fn paths_actions_and_what_names_no_file_do_not() {
        for key in [
            "",
            ".",
            "..",
            "memory",
            "memory.",
            ".max",
            "../memory.max",
            "memory.max/x",
            "memory.\0",
            "memory. max",
            "Memory.max",
            "memory .max",
            "cgroup.procs",
            "cgroup.threads",
            "cgroup.kill",
            "cgroup.freeze",
            "cgroup.type",
            "cgroup.subtree_control",
        ] {
            assert!(one(key, "1").is_err(), "{key}");
        }
        assert!(one("memory.high", " \n").is_err());
    }
}

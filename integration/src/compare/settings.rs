//! Every setting of a process's cgroups, as the kernel gives it back.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::os::unix::fs::PermissionsExt;

use crate::cgroups;
use crate::result::{Doing, Res};

/// By file, which in v1 has its hierarchy before it, since some files are in all of them.
pub(super) type Settings = BTreeMap<String, String>;

/// What can be read and written and yet is no setting: who is in it, counts that a write resets, and
/// what is written to in order to be told of something.
const NO_SETTING: &[&str] = &[
    "cgroup.procs",
    "cgroup.threads",
    "tasks",
    "cpuacct.usage",
    ".failcnt",
    ".max_usage_in_bytes",
    ".peak",
    ".pressure",
];

/// Of v1: can only be read, and is what came of the writes to `devices.allow` and `devices.deny`.
const DEVICES: &str = "devices.list";

pub(super) fn of(pid: i32) -> Res<Settings> {
    let mut settings = Settings::new();
    for place in cgroups::places(pid)? {
        let entries = fs::read_dir(&place.dir).doing(&place.dir.display().to_string())?;
        for entry in entries.flatten().filter(is_setting) {
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = match &*place.controllers {
                "" => file,
                controllers => format!("{controllers}/{file}"),
            };
            // A file may be there whose controller has nothing to say (EOPNOTSUPP, EINVAL).
            let value = fs::read_to_string(entry.path()).unwrap_or_else(|error| error.to_string());
            settings.insert(name, sorted(&value));
        }
    }
    Ok(settings)
}

fn is_setting(entry: &DirEntry) -> bool {
    const READ_AND_WRITTEN: u32 = 0o600;
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let named = || NO_SETTING.iter().any(|each| name.ends_with(each));
    let mode = entry.metadata().map_or(0, |metadata| match metadata.is_file() {
        true => metadata.permissions().mode(),
        false => 0,
    });
    name == DEVICES || (mode & READ_AND_WRITTEN == READ_AND_WRITTEN && !named())
}

/// Lines are a set: a row for each device or node.
fn sorted(value: &str) -> String {
    let mut lines: Vec<&str> = value.trim_end().lines().map(str::trim_end).collect();
    lines.sort_unstable();
    lines.join("; ")
}

//! What `/proc/PID` of a process shows to the host.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::result::{Doing, Res, holds};
use crate::text;

/// What each open descriptor refers to.
pub(super) type Descriptors = BTreeMap<i32, String>;

pub(super) fn descriptors(pid: i32) -> Res<Descriptors> {
    let mut found = Descriptors::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).doing("its descriptors")?.flatten() {
        let number = entry.file_name().to_string_lossy().parse().doing("a descriptor")?;
        // It may be closed by now, where the process is not stopped.
        if let Ok(target) = fs::read_link(entry.path()) {
            found.insert(number, target.display().to_string());
        }
    }
    Ok(found)
}

pub(super) fn status(pid: i32) -> Res<String> {
    fs::read_to_string(format!("/proc/{pid}/status")).doing("its status")
}

/// Who owns the files of `/proc/PID`: root, while nobody but root may look into the process.
pub(super) fn owner(pid: i32) -> Res<u32> {
    Ok(fs::metadata(format!("/proc/{pid}/status")).doing("its owner")?.uid())
}

/// In how many pid namespaces it is seen.
pub(super) fn depth(status: &str) -> usize {
    text::field(status, "NSpid").map_or(0, |ids| ids.split_whitespace().count())
}

/// Nothing but these, and no door out of the container among them.
pub(super) fn has_only(pid: i32, numbers: &[i32]) -> Res {
    let found = descriptors(pid)?;
    holds!(found.keys().eq(numbers), "descriptors {found:?}, wanted {numbers:?}");
    for (number, target) in &found {
        let door = target.starts_with("socket:") || target.starts_with("anon_inode:[pidfd]");
        holds!(!door, "descriptor {number} is {target}");
        let path = format!("/proc/{pid}/fd/{number}");
        let kind = fs::metadata(&path).doing(&path)?;
        holds!(!kind.is_dir(), "descriptor {number} is the directory {target}");
    }
    Ok(())
}

/// A line of `/proc/PID/status` and what has to stand there.
pub(super) type Line<'a> = (&'a str, &'a str);

pub(super) fn says(pid: i32, lines: &[Line<'_>]) -> Res {
    shows(&status(pid)?, lines)
}

pub(super) fn shows(status: &str, lines: &[Line<'_>]) -> Res {
    for (name, wanted) in lines {
        // Kernels differ in what they show.
        if let Some(value) = text::field(status, name) {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            holds!(value == *wanted, "{name} is {value}, wanted {wanted}");
        }
    }
    Ok(())
}

/// Of the set of capabilities of that name, all are in `most`.
pub(super) fn has_no_more(status: &str, name: &str, most: &str) -> Res {
    let mask = |text: &str| u64::from_str_radix(text, 16).doing(name);
    let has = text::field(status, name).doing(name)?;
    holds!(mask(has)? & !mask(most)? == 0, "{name} is {has}, more than {most}");
    Ok(())
}

/// Signals from 32 on are the C library's: whoever starts a program by posix_spawn ignores two of them.
pub(super) fn ignores_nothing(pid: i32) -> Res {
    let status = status(pid)?;
    let ignored = text::field(&status, "SigIgn").doing("SigIgn")?;
    let mask = u64::from_str_radix(ignored, 16).doing("SigIgn")?;
    holds!(mask & 0x7fff_ffff == 0, "SigIgn is {ignored}");
    Ok(())
}

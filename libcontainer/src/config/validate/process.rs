//! [Process](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#process), but for
//! its ids and capabilities.

use std::path::Path;

use oci_spec::runtime::{PosixRlimit, Process};

use super::Findings;

/// The kernel's limit on supplementary groups (NGROUPS_MAX).
const MOST_GROUPS: usize = 65536;

pub(super) fn check(process: &Process, findings: &mut Findings) {
    args(process.args().as_deref().unwrap_or_default(), findings);
    env("process.env", process.env().as_deref().unwrap_or_default(), findings);
    cwd(process.cwd(), findings);
    numbers(process, findings);
    console(process, findings);
    rlimits(process.rlimits().as_deref().unwrap_or_default(), findings);
}

fn args(args: &[String], findings: &mut Findings) {
    match args.first().map(String::as_str) {
        None => findings.add("process.args", "is empty; it must name the program to run"),
        // The words that engines know for a program that is missing.
        Some("") => findings.add(
            "process.args[0]",
            "exec: \"\": executable file not found in $PATH; it must name the program to run",
        ),
        Some(_) => (),
    }
}

/// The environment of a process or a hook.
pub(super) fn env(field: &str, env: &[String], findings: &mut Findings) {
    for (index, entry) in env.iter().enumerate() {
        let text = match entry.split_once('=') {
            Some(("", _)) => format!("{entry:?} has no name; the form is NAME=value"),
            Some(_) => continue,
            None => format!("{entry:?} has no `=`; the form is NAME=value"),
        };
        findings.add(format!("{field}[{index}]"), text);
    }
}

fn cwd(cwd: &Path, findings: &mut Findings) {
    if cwd.as_os_str().is_empty() {
        findings.add("process.cwd", "is missing; it must be an absolute path, such as /");
    } else {
        let text = format!("{cwd:?} is relative; it must be an absolute path");
        findings.expect(cwd.is_absolute(), "process.cwd", text);
    }
}

fn numbers(process: &Process, findings: &mut Findings) {
    let user = process.user();
    if let Some(umask) = user.umask().filter(|umask| *umask > 0o777) {
        let text = format!("{umask} is out of range; 0 to 511 (0777) is right");
        findings.add("process.user.umask", text);
    }
    let groups = user.additional_gids().as_ref().map_or(0, Vec::len);
    if groups > MOST_GROUPS {
        let text = format!("has {groups} groups; the kernel takes {MOST_GROUPS}");
        findings.add("process.user.additionalGids", text);
    }
    if let Some(score) = process.oom_score_adj().filter(|score| !(-1000..=1000).contains(score)) {
        let text = format!("{score} is out of range; -1000 to 1000 is right");
        findings.add("process.oomScoreAdj", text);
    }
}

fn console(process: &Process, findings: &mut Findings) {
    // Without a terminal the specification has the size ignored.
    let Some(size) = process.console_size().filter(|_| process.terminal() == Some(true)) else {
        return;
    };
    for (side, length) in [("height", size.height()), ("width", size.width())] {
        let field = format!("process.consoleSize.{side}");
        let text = format!("{length} is out of range; 0 to 65535 is right");
        findings.expect(length <= u64::from(u16::MAX), field, text);
    }
}

fn rlimits(rlimits: &[PosixRlimit], findings: &mut Findings) {
    for (index, rlimit) in rlimits.iter().enumerate() {
        let field = format!("process.rlimits[{index}]");
        if let Some(first) = rlimits[..index].iter().position(|other| other.typ() == rlimit.typ()) {
            let text = format!("{} is in process.rlimits[{first}] already", rlimit.typ());
            findings.add(format!("{field}.type"), text);
        }
        let (soft, hard) = (rlimit.soft(), rlimit.hard());
        let text = format!("{soft} of {} is over its hard limit {hard}", rlimit.typ());
        findings.expect(soft <= hard, format!("{field}.soft"), text);
    }
}

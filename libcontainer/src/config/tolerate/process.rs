//! Mending a [process](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#process),
//! inside a configuration or by itself.

use oci_spec::runtime::LinuxSchedulerFlag;
use serde_json::Value;

use super::walk::{Trail, at};
use super::{Choice, Choices, Otherwise, Report, drop_empty, shape};
use crate::config::explain::join;
use crate::error::Problem;

const EMPTY_IS_ABSENT: &[&[&str]] = &[
    &["apparmorProfile"],
    &["selinuxLabel"],
    &["execCPUAffinity", "initial"],
    &["execCPUAffinity", "final"],
];

const RLIMITS: Choice = Choice {
    path: &["rlimits", "*"],
    key: "type",
    known: "RLIMIT_AS RLIMIT_CORE RLIMIT_CPU RLIMIT_DATA RLIMIT_FSIZE RLIMIT_LOCKS RLIMIT_MEMLOCK \
            RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_NOFILE RLIMIT_NPROC RLIMIT_RSS RLIMIT_RTPRIO \
            RLIMIT_RTTIME RLIMIT_SIGPENDING RLIMIT_STACK",
    otherwise: Otherwise::First,
};

const CHOICES: &[Choice] = &[
    RLIMITS,
    Choice {
        path: &["scheduler"],
        key: "policy",
        known: "SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_ISO SCHED_IDLE SCHED_DEADLINE",
        otherwise: Otherwise::Dropped,
    },
    Choice {
        path: &["ioPriority"],
        key: "class",
        known: "IOPRIO_CLASS_RT IOPRIO_CLASS_BE IOPRIO_CLASS_IDLE",
        otherwise: Otherwise::Dropped,
    },
];

const FLAGS: Choices = Choices {
    path: &["scheduler"],
    key: "flags",
    known: "SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN \
            SCHED_FLAG_KEEP_POLICY SCHED_FLAG_KEEP_PARAMS SCHED_FLAG_UTIL_CLAMP_MIN \
            SCHED_FLAG_UTIL_CLAMP_MAX",
    // As a program writes them that has its configuration in oci-spec's types.
    taken: &["SCHED_RESET_ON_FORK", "SCHED_FLAG_D_L_OVERRUN"],
};

/// Scheduler flags as the specification spells them, and as oci-spec 0.10 does.
const SCHEDULER_FLAGS: &[(&str, &str)] = &[
    ("SCHED_FLAG_RESET_ON_FORK", "SCHED_RESET_ON_FORK"),
    ("SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN"),
];

pub(super) fn mend(process: &mut Value, report: &mut Report) {
    shape::process(process, report);
    for path in EMPTY_IS_ABSENT {
        drop_empty(process, path);
    }
    let start = Trail::Start("process");
    CHOICES.iter().for_each(|choice| choice.look(process, &start, report));
    FLAGS.look(process, &start, report);
    scheduler_flags(process);
    io_priority(process, report);
    capabilities(process, report);
    compulsory(process, report);
}

/// oci-spec must have a user and a cwd before it reads the process at all.
fn compulsory(process: &mut Value, report: &mut Report) {
    let Value::Object(process) = process else {
        return;
    };
    if !process.contains_key("user") {
        process.insert("user".to_owned(), Value::Object(Default::default()));
        report.warnings.push("process.user: is missing, taken as uid 0 and gid 0".to_owned());
    }
    if !process.contains_key("cwd") {
        process.insert("cwd".to_owned(), Value::String(String::new()));
    }
}

/// The specification wants an unknown capability logged and the container to go on; oci-spec
/// refuses it, and takes other spellings for known ones.
fn capabilities(process: &mut Value, report: &mut Report) {
    let Some(sets) = at(process, &["capabilities"]) else {
        return;
    };
    for (set, names) in sets.iter_mut() {
        let Value::Array(names) = names else { continue };
        names.retain(|name| match name.as_str() {
            Some(name) if !is_capability(name) => {
                let field = join("process.capabilities", set);
                report.warnings.push(format!("{field}: unknown capability {name:?}, ignored"));
                false
            }
            _ => true,
        });
    }
}

fn is_capability(name: &str) -> bool {
    crate::config::capabilities::find(name).is_some()
}

/// A scheduler flag as the specification spells it.
pub(crate) fn scheduler_flag(flag: LinuxSchedulerFlag) -> String {
    let theirs = flag.to_string();
    let specified = SCHEDULER_FLAGS.iter().find(|(_, name)| *name == theirs);
    specified.map_or(theirs, |(name, _)| (*name).to_owned())
}

fn scheduler_flags(process: &mut Value) {
    let Some(scheduler) = at(process, &["scheduler"]) else {
        return;
    };
    let Some(Value::Array(flags)) = scheduler.get_mut("flags") else {
        return;
    };
    for flag in flags {
        let theirs = flag
            .as_str()
            .and_then(|flag| SCHEDULER_FLAGS.iter().find(|(specified, _)| *specified == flag));
        if let Some((_, theirs)) = theirs {
            *flag = Value::from(*theirs);
        }
    }
}

/// oci-spec reads an absent priority as 0, the highest.
fn io_priority(process: &mut Value, report: &mut Report) {
    if at(process, &["ioPriority"]).is_some_and(|object| !object.contains_key("priority")) {
        let text = "is missing; 0 (highest) to 7 (lowest) is right";
        report.problems.push(Problem::new("process.ioPriority.priority", text));
    }
}

//! The words of profiles, which random ones and random changes are made of.

use super::json::Words;
use super::machines::MACHINES;

pub const ACTIONS: [&str; 9] = [
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_LOG",
    "SCMP_ACT_ALLOW",
];

pub const OPERATORS: [&str; 7] = [
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
];

/// Besides those, and the machines.
const OTHERS: [&str; 28] = [
    "SCMP_ARCH_NATIVE",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    "names",
    "action",
    "args",
    "errnoRet",
    "defaultAction",
    "defaultErrnoRet",
    "architectures",
    "listenerPath",
    "syscalls",
    "read",
    "clone",
    "socket",
    "socketcall",
    "accept",
    "ipc",
    "semop",
    "setup",
    "cacheflush",
    "file_setattr",
    "no_such_call",
    "",
];

/// All of them.
pub(crate) fn words() -> Words {
    let machines = MACHINES.iter().map(|machine| machine.name);
    let all = machines.chain(ACTIONS).chain(OPERATORS).chain(OTHERS);
    Words::new(all.map(str::to_owned))
}

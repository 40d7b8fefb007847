//! Each action: what comes of a call that it is for.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use serde_json::{Value, json};

use super::{HARMLESS, MARKED, all_but, ends_with, returns, returns_by, with};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res};

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.actions",
    cases: &[
        either!(errno_is_eperm_unless_told),
        either!(errno_of_the_rule),
        either!(errno_of_4094),
        either!(errno_zero_pretends_success),
        either!(errno_of_the_default),
        either!(allow_out_of_a_default_of_errno),
        either!(trap),
        either!(kill_process),
        either!(kill_thread),
        either!(kill_is_kill_thread),
        either!(log_lets_through),
        root!(log_is_logged).needs(&[Need::KernelLog]),
        root!(flag_log_logs_errors).needs(&[Need::KernelLog]),
        either!(trace_without_a_tracer),
        either!(default_of_log),
        either!(flags_are_taken),
    ],
};

/// A profile that does this with munlockall, and nothing to others.
fn only(action: &str) -> Value {
    all_but([json!({"names": [HARMLESS], "action": format!("SCMP_ACT_{action}")})])
}

fn only_errno(errno: u32) -> Value {
    all_but([json!({"names": [HARMLESS], "action": "SCMP_ACT_ERRNO", "errnoRet": errno})])
}

fn errno_is_eperm_unless_told(ctx: &Ctx) -> Res {
    returns(ctx, &only("ERRNO"), &[("munlockall", "EPERM"), ("sched_yield", "0")])
}

fn errno_of_the_rule(ctx: &Ctx) -> Res {
    returns(ctx, &only_errno(38), &[("munlockall", "ENOSYS"), ("sched_yield", "0")])
}

/// libseccomp takes none above.
fn errno_of_4094(ctx: &Ctx) -> Res {
    returns(ctx, &only_errno(4094), &[("munlockall", "errno 4094")])
}

fn errno_zero_pretends_success(ctx: &Ctx) -> Res {
    let rule = json!({"names": ["mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0});
    let made = "mkdirat -100 /straw 0x1ed";
    returns(ctx, &all_but([rule]), &[(made, "0"), (made, "0")])
}

/// What nearly every profile of an engine is like: Docker's without one of its names.
fn all_denied_but_common(errno: Option<u32>) -> Value {
    let mut profile = super::profiles::profile("docker");
    super::profiles::take_out(&mut profile, HARMLESS);
    profile["defaultAction"] = json!("SCMP_ACT_ERRNO");
    match errno {
        Some(errno) => profile["defaultErrnoRet"] = json!(errno),
        None => crate::config::remove(&mut profile, "/defaultErrnoRet"),
    }
    profile
}

fn errno_of_the_default(ctx: &Ctx) -> Res {
    returns(ctx, &all_denied_but_common(None), &[("munlockall", "EPERM"), ("sched_yield", "0")])?;
    returns(ctx, &all_denied_but_common(Some(77)), &[("munlockall", MARKED)])
}

fn allow_out_of_a_default_of_errno(ctx: &Ctx) -> Res {
    let mut profile = all_denied_but_common(Some(77));
    returns(ctx, &profile, &[("munlockall", MARKED), ("sched_yield", "0")])?;
    crate::config::push(
        &mut profile,
        "/syscalls",
        json!({"names": [HARMLESS], "action": "SCMP_ACT_ALLOW"}),
    );
    returns(ctx, &profile, &[("munlockall", "0")])
}

/// The signal says which call of which architecture it was.
fn trap(ctx: &Ctx) -> Res {
    #[cfg(target_arch = "x86_64")]
    const ARCH: &str = "c000003e";
    #[cfg(target_arch = "aarch64")]
    const ARCH: &str = "c00000b7";
    let said = format!("SIGSYS syscall={} errno=0 arch={ARCH}", libc::SYS_munlockall);
    returns_by(ctx, &only("TRAP"), "trapped", &[("munlockall", &said), ("sched_yield", "0")])?;
    // A program that does not expect it dies of it.
    ends_with(ctx, &only("TRAP"), "syscall", "munlockall", 128 + libc::SIGSYS)
}

fn kill_process(ctx: &Ctx) -> Res {
    ends_with(ctx, &only("KILL_PROCESS"), "syscall", "munlockall", 128 + libc::SIGSYS)?;
    ends_with(ctx, &only("KILL_PROCESS"), "threads", "munlockall", 128 + libc::SIGSYS)?;
    ends_with(ctx, &only("KILL_PROCESS"), "trapped", "munlockall", 128 + libc::SIGSYS)
}

fn kill_thread(ctx: &Ctx) -> Res {
    only_the_thread_dies(ctx, "KILL_THREAD")
}

fn kill_is_kill_thread(ctx: &Ctx) -> Res {
    only_the_thread_dies(ctx, "KILL")
}

fn only_the_thread_dies(ctx: &Ctx, action: &str) -> Res {
    returns_by(ctx, &only(action), "threads", &[("munlockall", "killed"), ("sched_yield", "0")])?;
    ends_with(ctx, &only(action), "syscall", "munlockall", 128 + libc::SIGSYS)
}

fn log_lets_through(ctx: &Ctx) -> Res {
    returns(ctx, &only("LOG"), &[("munlockall", "0"), ("sched_yield", "0")])
}

fn log_is_logged(ctx: &Ctx) -> Res {
    logged(ctx, &only("LOG"))
}

fn flag_log_logs_errors(ctx: &Ctx) -> Res {
    let mut profile = only_errno(77);
    profile["flags"] = json!(["SECCOMP_FILTER_FLAG_LOG"]);
    logged(ctx, &profile)
}

/// The kernel drops lines when many come at once, from whatever runs beside: so several tries.
fn logged(ctx: &Ctx, profile: &Value) -> Res {
    let line =
        format!("type=1326 .* exe=\"/bin/probe\" sig=0 .* syscall={} ", libc::SYS_munlockall);
    let parts: Vec<&str> = line.split(".*").collect();
    let container = with(ctx, profile, "syscall", "munlockall")?;
    let mut log = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/kmsg")
        .doing("open /dev/kmsg")?;
    log.seek(SeekFrom::End(0)).doing("seek in /dev/kmsg")?;
    for _ in 0..20 {
        container.run()?.is(0)?;
        let mut record = [0; 8192];
        while let Ok(size) = log.read(&mut record) {
            let text = String::from_utf8_lossy(&record[..size]);
            if parts.iter().all(|part| text.contains(part)) {
                return Ok(());
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    Err(format!("the kernel's log has no {line}"))
}

fn trace_without_a_tracer(ctx: &Ctx) -> Res {
    returns(ctx, &only("TRACE"), &[("munlockall", "ENOSYS"), ("sched_yield", "0")])
}

fn default_of_log(ctx: &Ctx) -> Res {
    let rule = json!({"names": [HARMLESS], "action": "SCMP_ACT_ERRNO", "errnoRet": 77});
    let profile = json!({"defaultAction": "SCMP_ACT_LOG", "syscalls": [rule]});
    returns(ctx, &profile, &[("munlockall", MARKED), ("sched_yield", "0")])
}

/// Each alone, and those together that have nothing to do with a listener.
fn flags_are_taken(ctx: &Ctx) -> Res {
    const FLAGS: [&str; 3] =
        ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
    let sets = FLAGS.iter().map(std::slice::from_ref).chain([&FLAGS[..], &[]]);
    for flags in sets {
        let mut profile = only_errno(77);
        profile["flags"] = json!(flags);
        returns(ctx, &profile, &[("munlockall", MARKED), ("sched_yield", "0")])
            .map_err(|reason| format!("with {flags:?}: {reason}"))?;
    }
    Ok(())
}

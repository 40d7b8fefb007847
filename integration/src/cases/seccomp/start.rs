//! When the filter is loaded: so late that it need not allow the runtime's own calls.

use serde_json::{Value, json};

use super::{all_but, filters, mark};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.start",
    cases: &[
        either!(created_container_is_filtered)
            .only_runc("crun loads the filter when it is started"),
        either!(tight_profile).ours(OWN_CALLS),
        either!(tight_profile_without_no_new_privileges).ours(OWN_CALLS),
        either!(tight_profile_that_kills).ours(OWN_CALLS),
        either!(tight_profile_that_kills_without_no_new_privileges).ours(OWN_CALLS),
        either!(runtime_is_not_filtered),
    ],
};

const OWN_CALLS: &str = "the peers load the filter and then make calls of their own that it denies";

/// From `create` on: whatever makes the process go on has the filter that the program will have.
fn created_container_is_filtered(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/linux/seccomp", all_but([mark(json!([]))]));
    container.create()?;
    same!(filters(&container.pid()?.to_string())?, filters("self")? + 1);
    container.start()?;
    container.until_output("ready")?;
    same!(filters(&container.pid()?.to_string())?, filters("self")? + 1);
    Ok(())
}

/// What busybox `true` and `sleep` call, with what other versions of their C library would.
const PROGRAMS: &[&str] = &[
    "access",
    "arch_prctl",
    "brk",
    "clock_nanosleep",
    "exit",
    "exit_group",
    "faccessat",
    "getrandom",
    "getuid",
    "mprotect",
    "nanosleep",
    "prctl",
    "prlimit64",
    "readlink",
    "readlinkat",
    "restart_syscall",
    "rseq",
    "rt_sigreturn",
    "set_robust_list",
    "set_tid_address",
    "uname",
];

fn tight(default: &str) -> Value {
    json!({"defaultAction": default, "syscalls": [
        {"names": PROGRAMS, "action": "SCMP_ACT_ALLOW"},
        {"names": ["execve", "read"], "action": "SCMP_ACT_ALLOW"},
    ]})
}

/// The program starts although its filter allows hardly more than the program does itself.
fn starts_under(ctx: &Ctx, default: &str, no_new_privileges: bool) -> Res {
    let mut container = ctx.container()?;
    container.set("/linux/seccomp", tight(default));
    container.set("/process/noNewPrivileges", no_new_privileges);
    container.args(&["/bin/true"]).run()?.is(0)?;
    container.args(&["false"]).run()?.is(1)?;
    container.args(&["/bin/sleep", "100"]);
    container.create()?;
    container.start()?;
    let cmdline = format!("/proc/{}/cmdline", container.pid()?);
    ctx.eventually("the program runs", || {
        std::fs::read_to_string(&cmdline).ok().filter(|line| line.starts_with("/bin/sleep"))
    })?;
    container.exec(&[], &["/bin/true"])?.is(0)?;
    container.exec(&[], &["false"])?.is(1)?;
    container.exec(&["--detach"], &["/bin/true"])?.is(0)?;
    holds!(crate::harness::procs::alive(container.pid()?), "the container is gone");
    Ok(())
}

fn tight_profile(ctx: &Ctx) -> Res {
    starts_under(ctx, "SCMP_ACT_ERRNO", true)
}

fn tight_profile_without_no_new_privileges(ctx: &Ctx) -> Res {
    starts_under(ctx, "SCMP_ACT_ERRNO", false)
}

fn tight_profile_that_kills(ctx: &Ctx) -> Res {
    starts_under(ctx, "SCMP_ACT_KILL_PROCESS", true)
}

fn tight_profile_that_kills_without_no_new_privileges(ctx: &Ctx) -> Res {
    starts_under(ctx, "SCMP_ACT_KILL_PROCESS", false)
}

/// Hooks are not the container's program, and the runtime's own calls after it are not either.
fn runtime_is_not_filtered(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/linux/seccomp", all_but([mark(json!([]))]));
    let file = crate::text::shown(container.inside("seen"));
    for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        let line = format!("cat >/dev/null; grep Seccomp_filters: /proc/self/status >>{file}");
        let hook =
            json!({"path": "/bin/sh", "args": ["sh", "-c", line], "env": ["PATH=/usr/bin:/bin"]});
        container.push(&format!("/hooks/{kind}"), hook);
    }
    container.run_until("ready")?;
    container.force_delete()?;
    let seen = std::fs::read_to_string(container.inside("seen")).doing("what the hooks saw")?;
    same!(seen, format!("Seccomp_filters:\t{}\n", filters("self")?).repeat(5));
    Ok(())
}

//! When the filter is loaded: so late that it need not allow the runtime's own calls.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{all_but, filters, mark, profiles};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root, user};
use crate::harness::needs::Need;
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
        either!(exec_is_not_traced_before_its_filter).needs(&[Need::Ptrace]),
        root!(exec_as_a_user_is_not_traced_before_its_filter).needs(&[Need::Ptrace]),
        root!(container_of_a_pod_is_not_traced_before_its_filter).needs(&[Need::Ptrace]),
        user!(rootless_container_of_a_pod_is_not_traced_before_its_filter)
            .needs(&[Need::Ptrace])
            .only_runc("crun joins pid before user"),
    ],
};

const OWN_CALLS: &str = "the peers load the filter and then make calls of their own that it denies";

/// Before `start`: whatever makes the process go on has the filter that the program will have. It is loaded when
/// `create` has let the process go.
fn created_container_is_filtered(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/linux/seccomp", all_but([mark(json!([]))]));
    container.create()?;
    let pid = container.pid()?.to_string();
    let wanted = filters("self")? + 1;
    ctx.eventually("the process waits under its filter", || {
        (filters(&pid) == Ok(wanted)).then_some(())
    })?;
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

/// A container with Docker's profile that tries to get hold of whatever comes into its pid namespace.
fn attacker(ctx: &Ctx, uid: u32) -> Res<Container<'_>> {
    let mut container = ctx.container_of(&["/bin/probe", "seize"])?;
    container.set("/linux/seccomp", profiles::profile("docker")).user(uid, uid);
    container.run_until("ready")?;
    Ok(container)
}

/// What lives long enough to be seen for certain.
const LONG_ENOUGH: &[&str] = &["/bin/sleep", "0.01"];

/// The attacker gets hold of some of those that come, and of none without a filter. On a machine with a single
/// processor, which it does not leave to others, fewer than `most` come.
fn only_filtered_are_seized(attacker: &Container<'_>, most: u32, come: impl Fn() -> Res) -> Res {
    let end = Instant::now() + Duration::from_secs(4);
    for _ in 0..most {
        come()?;
        if Instant::now() > end {
            break;
        }
    }
    let output = attacker.output();
    let seized = |filter: &str| output.lines().filter(|line| line.contains(filter)).count();
    let (bare, filtered) = (seized(" filter 0 "), seized(" filter 2 "));
    holds!(bare == 0, "it got hold of {bare} without a filter, and {filtered} with one");
    holds!(filtered > 0, "it got hold of nobody");
    Ok(())
}

fn attacked_execs(ctx: &Ctx, uid: u32) -> Res {
    let attacker = attacker(ctx, uid)?;
    only_filtered_are_seized(&attacker, 80, || {
        attacker.exec(super::exec_flags(true), LONG_ENOUGH)?.is(0)?;
        Ok(())
    })
}

/// It could make the process call what the filter denies.
fn exec_is_not_traced_before_its_filter(ctx: &Ctx) -> Res {
    attacked_execs(ctx, 0)
}

fn exec_as_a_user_is_not_traced_before_its_filter(ctx: &Ctx) -> Res {
    attacked_execs(ctx, 1000)
}

/// Containers that share its pid namespace, as those of a pod may.
fn attacked_containers(ctx: &Ctx) -> Res {
    let attacker = attacker(ctx, 0)?;
    let pid = attacker.pid()?;
    let mut guest = ctx.container_of(LONG_ENOUGH)?;
    guest.set("/linux/seccomp", profiles::profile("docker"));
    guest.namespace("pid", Some(&format!("/proc/{pid}/ns/pid")));
    if !ctx.is_root() {
        guest.namespace("user", Some(&format!("/proc/{pid}/ns/user")));
        guest.remove("/linux/uidMappings").remove("/linux/gidMappings");
    }
    only_filtered_are_seized(&attacker, 40, || {
        guest.run()?.is(0)?;
        Ok(())
    })
}

fn container_of_a_pod_is_not_traced_before_its_filter(ctx: &Ctx) -> Res {
    attacked_containers(ctx)
}

fn rootless_container_of_a_pod_is_not_traced_before_its_filter(ctx: &Ctx) -> Res {
    attacked_containers(ctx)
}

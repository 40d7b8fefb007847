//! Filters of system calls, seen from inside: what the probe's own calls return.

pub(super) mod actions;
pub(super) mod architectures;
pub(super) mod bad;
pub(super) mod conditions;
pub(super) mod credentials;
pub(super) mod listener;
pub(super) mod notify;
pub(super) mod profiles;
pub(super) mod rules;
pub(super) mod start;

use serde_json::{Value, json};

use crate::call::Out;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::result::{Res, holds};
use crate::text::field;

/// No arguments, it always gives 0, and nobody needs it, C libraries and runtimes included: a filter may ask
/// for any arguments, and what the call returns is the filter's doing.
const HARMLESS: &str = "munlockall";

/// The kernel has no use for this error, so it can only come from a filter.
const MARK: u32 = 77;
const MARKED: &str = "EBADFD";

/// A profile that lets everything through but for these rules.
fn all_but(rules: impl Into<Value>) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules.into()})
}

/// A rule that marks munlockall with these arguments.
fn mark(args: Value) -> Value {
    json!({"names": [HARMLESS], "action": "SCMP_ACT_ERRNO", "errnoRet": MARK, "args": args})
}

fn condition(index: u32, op: &str, value: u64, value_two: u64) -> Value {
    json!({"index": index, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": value_two})
}

/// A container with this profile, whose process makes these calls in the probe's way of it.
fn with<'a>(ctx: &'a Ctx, profile: &Value, way: &str, calls: &str) -> Res<Container<'a>> {
    let mut container = ctx.container()?;
    container.set("/linux/seccomp", profile.clone());
    container.args(&probe(way, calls));
    Ok(container)
}

fn probe<'a>(way: &'a str, calls: &'a str) -> Vec<&'a str> {
    ["/bin/probe", way].into_iter().chain(calls.split(' ')).collect()
}

/// Each call with what it returns, in the container's own process and in one of exec.
fn returns(ctx: &Ctx, profile: &Value, wanted: &[(&str, &str)]) -> Res {
    returns_by(ctx, profile, "syscall", wanted)
}

/// As `returns`, in the probe's way of it.
fn returns_by(ctx: &Ctx, profile: &Value, way: &str, wanted: &[(&str, &str)]) -> Res {
    let calls = wanted.iter().map(|row| row.0).collect::<Vec<_>>().join(" , ");
    let mut container = with(ctx, profile, way, &calls)?;
    returned(&container.run()?.is(0)?, wanted).map_err(|reason| format!("in run: {reason}"))?;
    run_sleeping(&mut container)?;
    let out = container.exec(&[], &probe(way, &calls))?.is(0)?;
    returned(&out, wanted).map_err(|reason| format!("in exec: {reason}"))
}

fn returned(out: &Out, wanted: &[(&str, &str)]) -> Res {
    let lines = crate::text::lines(&out.out);
    for (index, (call, want)) in wanted.iter().enumerate() {
        let got = lines.get(index).copied().unwrap_or("nothing");
        holds!(got == *want, "{call} gives {got}, wanted {want}");
    }
    Ok(())
}

/// The same exit status of this call in the container's own process and in one of exec.
fn ends_with(ctx: &Ctx, profile: &Value, way: &str, call: &str, code: i32) -> Res {
    let mut container = with(ctx, profile, way, call)?;
    container.run()?.is(code)?;
    run_sleeping(&mut container)?;
    container.exec(&[], &probe(way, call))?.is(code)?;
    Ok(())
}

fn run_sleeping(container: &mut Container<'_>) -> Res {
    container.args(&["/bin/probe", "until-term"]);
    container.run_until("ready")
}

/// How many filters a process has: those of whoever runs the tests are inherited.
fn filters(pid: &str) -> Res<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.map_err(|error| format!("status of {pid}: {error}"))?;
    let count = field(&status, "Seccomp_filters").and_then(|text| text.parse().ok());
    count.ok_or_else(|| format!("no Seccomp_filters in {status}"))
}

/// For a process of exec that is to have what the container has; crun wants to be told.
fn exec_flags(no_new_privileges: bool) -> &'static [&'static str] {
    if no_new_privileges { &["--no-new-privs"] } else { &[] }
}

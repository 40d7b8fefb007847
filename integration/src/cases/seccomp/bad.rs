//! Profiles that cannot be: refused by one line that names field and value, with nothing left.

use serde_json::{Value, json};

use super::{HARMLESS, all_but, condition, mark};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Res, same};

const NO_FIELD: &str = "the peers name no field";

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.bad",
    cases: &[
        either!(refuses_what_starts_the_program).ours("the peers fail at start, and say less"),
        either!(action_unknown).ours(NO_FIELD),
        either!(operator_unknown).ours(NO_FIELD),
        either!(architecture_unknown).ours(NO_FIELD),
        either!(architecture_of_the_other_byte_order).ours(NO_FIELD),
        either!(flag_unknown).ours(NO_FIELD),
        either!(index_above_five).ours(NO_FIELD),
        either!(errno_too_large).ours("the peers name no field, and cut off its upper bits"),
        either!(errno_of_an_action_without).ours("runc ignores it, crun names no field"),
        either!(names_empty).ours("the peers ignore the rule"),
        either!(two_answers_to_one_call).ours(NO_FIELD),
        either!(field_missing).ours(NO_FIELD),
        either!(wrong_types).ours(NO_FIELD),
        either!(default_of_notify).ours(NO_FIELD),
        either!(notify_without_a_path).ours("runc names no field, crun lets nobody answer"),
        either!(metadata_without_a_path).ours("the peers ignore it"),
        either!(program_too_large).ours("the peers take longer than a case may"),
        either!(several_at_once).ours("the peers tell one a run"),
        either!(nothing_is_left).only_runc("crun create does not look at the flags"),
    ],
};

/// `run` and `create` refuse the profile with both texts.
fn refused(ctx: &Ctx, profile: Value, field: &str, value: &str) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "payload"])?;
    container.set("/linux/seccomp", profile);
    for call in [container.run_call(&[])?, container.create_call(&[])?] {
        call.done()?.refused(&[field])?.says_one_of(&[value])?.prints("")?;
        container.gone()?;
    }
    Ok(())
}

/// A rule that is fine, with this value at the pointer.
fn rule_with(pointer: &str, value: Value) -> Value {
    let mut profile = all_but([mark(json!([condition(0, "EQ", 1, 0)]))]);
    crate::config::set(&mut profile, pointer, value);
    profile
}

fn action_unknown(ctx: &Ctx) -> Res {
    let straw = json!("SCMP_ACT_STRAW");
    let profile = rule_with("/defaultAction", straw.clone());
    refused(ctx, profile, "linux.seccomp.defaultAction", "SCMP_ACT_STRAW")?;
    let mut profile = all_but([mark(json!([])), mark(json!([]))]);
    profile["syscalls"][1]["action"] = straw;
    refused(ctx, profile, "linux.seccomp.syscalls[1].action", "SCMP_ACT_STRAW")?;
    let profile = rule_with("/syscalls/0/action", json!(""));
    refused(ctx, profile, "linux.seccomp.syscalls[0].action", "")
}

fn operator_unknown(ctx: &Ctx) -> Res {
    let profile = rule_with("/syscalls/0/args/0/op", json!("SCMP_CMP_STRAW"));
    refused(ctx, profile, "linux.seccomp.syscalls[0].args[0].op", "SCMP_CMP_STRAW")
}

fn architecture_unknown(ctx: &Ctx) -> Res {
    let profile = rule_with("/architectures", json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_STRAW"]));
    refused(ctx, profile, "linux.seccomp.architectures[1]", "SCMP_ARCH_STRAW")
}

/// Its calls could not come from a program of this machine.
fn architecture_of_the_other_byte_order(ctx: &Ctx) -> Res {
    let profile = rule_with("/architectures", json!(["SCMP_ARCH_S390X"]));
    refused(ctx, profile, "linux.seccomp.architectures[0]", "SCMP_ARCH_S390X")
}

fn flag_unknown(ctx: &Ctx) -> Res {
    let flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_STRAW"];
    let profile = rule_with("/flags", json!(flags));
    refused(ctx, profile, "linux.seccomp.flags[1]", "SECCOMP_FILTER_FLAG_STRAW")
}

fn index_above_five(ctx: &Ctx) -> Res {
    for index in [6_u32, 64, u32::MAX] {
        let profile = rule_with("/syscalls/0/args/0/index", json!(index));
        refused(ctx, profile, "linux.seccomp.syscalls[0].args[0].index", &index.to_string())?;
    }
    Ok(())
}

/// The kernel would make them 4095, and a filter has room for 16 bits.
fn errno_too_large(ctx: &Ctx) -> Res {
    for errno in [4096_u32, 65536, 65536 + 1, u32::MAX] {
        let profile = rule_with("/syscalls/0/errnoRet", json!(errno));
        refused(ctx, profile, "linux.seccomp.syscalls[0].errnoRet", &errno.to_string())?;
    }
    let mut profile = rule_with("/defaultErrnoRet", json!(65537));
    profile["defaultAction"] = json!("SCMP_ACT_ERRNO");
    refused(ctx, profile, "linux.seccomp.defaultErrnoRet", "65537")
}

/// The specification: "When the action doesn't support an errno, the runtime MUST print and error and fail."
fn errno_of_an_action_without(ctx: &Ctx) -> Res {
    for action in ["ALLOW", "LOG", "TRAP", "KILL", "KILL_THREAD", "KILL_PROCESS"] {
        let action = format!("SCMP_ACT_{action}");
        let mut profile = rule_with("/syscalls/0/action", json!(action));
        profile["defaultAction"] = json!("SCMP_ACT_ERRNO");
        refused(ctx, profile, "linux.seccomp.syscalls[0].errnoRet", &action)?;
    }
    let profile = rule_with("/defaultErrnoRet", json!(1));
    refused(ctx, profile, "linux.seccomp.defaultErrnoRet", "SCMP_ACT_ALLOW")
}

fn names_empty(ctx: &Ctx) -> Res {
    let profile = rule_with("/syscalls/0/names", json!([]));
    refused(ctx, profile, "linux.seccomp.syscalls[0].names", "")
}

/// Which of the two is meant cannot be known.
fn two_answers_to_one_call(ctx: &Ctx) -> Res {
    let (one, mut other) =
        (mark(json!([condition(0, "EQ", 1, 0)])), mark(json!([condition(0, "EQ", 1, 0)])));
    other["errnoRet"] = json!(1);
    let (field, about) = ("linux.seccomp.syscalls[1]", "linux.seccomp.syscalls[0]");
    refused(ctx, all_but([one, other]), field, about)
}

fn field_missing(ctx: &Ctx) -> Res {
    for (pointer, field) in [
        ("/defaultAction", "linux.seccomp.defaultAction"),
        ("/syscalls/0/names", "linux.seccomp.syscalls[0].names"),
        ("/syscalls/0/action", "linux.seccomp.syscalls[0].action"),
        ("/syscalls/0/args/0/index", "linux.seccomp.syscalls[0].args[0].index"),
        ("/syscalls/0/args/0/value", "linux.seccomp.syscalls[0].args[0].value"),
        ("/syscalls/0/args/0/op", "linux.seccomp.syscalls[0].args[0].op"),
    ] {
        let mut profile = rule_with("/flags", json!([]));
        crate::config::remove(&mut profile, pointer);
        refused(ctx, profile, field, "")?;
    }
    Ok(())
}

fn wrong_types(ctx: &Ctx) -> Res {
    for (pointer, value, field) in [
        ("/defaultAction", json!(7), "linux.seccomp.defaultAction"),
        ("/defaultErrnoRet", json!("EPERM"), "linux.seccomp.defaultErrnoRet"),
        ("/architectures", json!("SCMP_ARCH_X86"), "linux.seccomp.architectures"),
        ("/architectures", json!([64]), "linux.seccomp.architectures[0]"),
        ("/flags", json!({}), "linux.seccomp.flags"),
        ("/listenerPath", json!(["/run/agent"]), "linux.seccomp.listenerPath"),
        ("/syscalls", json!({}), "linux.seccomp.syscalls"),
        ("/syscalls/0", json!("munlockall"), "linux.seccomp.syscalls[0]"),
        ("/syscalls/0/names", json!("munlockall"), "linux.seccomp.syscalls[0].names"),
        ("/syscalls/0/names", json!([152]), "linux.seccomp.syscalls[0].names[0]"),
        ("/syscalls/0/errnoRet", json!(-1), "linux.seccomp.syscalls[0].errnoRet"),
        ("/syscalls/0/args", json!({}), "linux.seccomp.syscalls[0].args"),
        ("/syscalls/0/args/0/index", json!(-1), "linux.seccomp.syscalls[0].args[0].index"),
        ("/syscalls/0/args/0/value", json!(-1), "linux.seccomp.syscalls[0].args[0].value"),
        ("/syscalls/0/args/0/value", json!(1e20), "linux.seccomp.syscalls[0].args[0].value"),
        ("/syscalls/0/args/0/valueTwo", json!("1"), "linux.seccomp.syscalls[0].args[0].valueTwo"),
    ] {
        refused(ctx, rule_with(pointer, value), field, "")?;
    }
    Ok(())
}

/// The agent could never get the filter: sending it would have to be allowed by the agent.
fn default_of_notify(ctx: &Ctx) -> Res {
    let mut profile = rule_with("/defaultAction", json!("SCMP_ACT_NOTIFY"));
    profile["listenerPath"] = json!("/no/such/socket");
    refused(ctx, profile, "linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY")
}

fn notify_without_a_path(ctx: &Ctx) -> Res {
    let profile = all_but([json!({"names": [HARMLESS], "action": "SCMP_ACT_NOTIFY"})]);
    refused(ctx, profile.clone(), "linux.seccomp.listenerPath", "SCMP_ACT_NOTIFY")?;
    let mut empty = profile;
    empty["listenerPath"] = json!("");
    refused(ctx, empty, "linux.seccomp.listenerPath", "SCMP_ACT_NOTIFY")
}

/// The specification: "This field MUST NOT be set if listenerPath is not set."
fn metadata_without_a_path(ctx: &Ctx) -> Res {
    let profile = rule_with("/listenerMetadata", json!("some"));
    refused(ctx, profile, "linux.seccomp.listenerMetadata", "listenerPath")
}

/// The kernel takes 4096 instructions, and no compiler makes fewer of 3000 different numbers and errors.
fn program_too_large(ctx: &Ctx) -> Res {
    let values = std::iter::successors(Some(1_u64), |value| {
        Some(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    });
    let rule = |(errno, value)| {
        json!({"names": [HARMLESS], "action": "SCMP_ACT_ERRNO", "errnoRet": errno,
            "args": [condition(0, "EQ", value, 0)]})
    };
    let rules: Vec<Value> = (1..3000_u32).zip(values).map(rule).collect();
    refused(ctx, all_but(rules), "linux.seccomp", "4096")
}

/// Said before anything is made: later there may be nobody left to tell.
fn refuses_what_starts_the_program(ctx: &Ctx) -> Res {
    for (name, flow) in [("execve", "run"), ("execve", "create"), ("read", "create")] {
        let mut container = ctx.container()?;
        let rule = json!({"names": [name], "action": "SCMP_ACT_ERRNO"});
        container.set("/linux/seccomp", all_but([rule]));
        let call =
            if flow == "run" { container.run_call(&[])? } else { container.create_call(&[])? };
        call.done()?.refused(&["linux.seccomp: refuses", name])?;
        container.gone()?;
    }
    Ok(())
}

/// What cannot be read is said at once, and so is what can be read and is wrong.
fn several_at_once(ctx: &Ctx) -> Res {
    let mut unread = all_but([mark(json!([condition(0, "STRAW", 1, 0)]))]);
    unread["architectures"] = json!(["SCMP_ARCH_STRAW"]);
    are_all_said(ctx, unread, &["architectures[0]", "syscalls[0].args[0].op"])?;
    let mut wrong = all_but([
        mark(json!([condition(6, "EQ", 1, 0)])),
        json!({"names": [], "action": "SCMP_ACT_ERRNO"}),
    ]);
    wrong["defaultAction"] = json!("SCMP_ACT_NOTIFY");
    are_all_said(ctx, wrong, &["defaultAction", "syscalls[0].args[0].index", "syscalls[1].names"])
}

fn are_all_said(ctx: &Ctx, profile: Value, fields: &[&str]) -> Res {
    let mut container = ctx.container()?;
    container.set("/linux/seccomp", profile);
    let out = container.run()?.refused(&[])?;
    for field in fields {
        let field = format!("linux.seccomp.{field}");
        same!((field.as_str(), out.err.contains(&field)), (field.as_str(), true));
    }
    Ok(())
}

/// What any runtime has to refuse.
fn nothing_is_left(ctx: &Ctx) -> Res {
    for (pointer, value) in [
        ("/defaultAction", json!("SCMP_ACT_STRAW")),
        ("/syscalls/0/action", json!("SCMP_ACT_STRAW")),
        ("/syscalls/0/args/0/op", json!("SCMP_CMP_STRAW")),
        ("/syscalls/0/args/0/index", json!(6)),
        ("/architectures", json!(["SCMP_ARCH_STRAW"])),
        ("/flags", json!(["SECCOMP_FILTER_FLAG_STRAW"])),
        ("/syscalls/0/action", json!("SCMP_ACT_NOTIFY")),
    ] {
        refused(ctx, rule_with(pointer, value), "", "")
            .map_err(|reason| format!("{pointer}: {reason}"))?;
    }
    Ok(())
}

//! Loading a filter needs CAP_SYS_ADMIN or `noNewPrivileges`: nothing of that may be seen in the program
//! unless its config says so.

use serde_json::{Value, json};

use super::{all_but, filters};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::result::{Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.credentials",
    cases: &[
        either!(nothing_else_changes),
        either!(nothing_else_changes_with_ambient),
        either!(nothing_else_changes_with_all),
        either!(nothing_else_changes_with_none),
        root!(nothing_else_changes_for_a_user),
        root!(nothing_else_changes_for_a_user_with_ambient),
        root!(nothing_else_changes_for_a_user_with_all),
        either!(capset_denied),
        either!(capset_pretended),
        either!(all_credential_calls_pretended).ours("with the peers it keeps all capabilities"),
    ],
};

/// What the probe reports that a filter has no say in.
const SAME: &[&str] = &[
    "ids",
    "caps",
    "securebits",
    "no_new_privs",
    "umask",
    "blocked",
    "ignored",
    "limits",
    "oom_score_adj",
    "args",
    "env_order",
    "cwd",
];

const ADMIN: u64 = 1 << 21;

/// `edit` makes the container; it is looked at with and without a filter, in its own process and in exec.
fn same_with_a_filter(ctx: &Ctx, edit: impl Fn(&mut Container<'_>)) -> Res {
    for no_new_privileges in [false, true] {
        let mut container = ctx.container()?;
        container.set("/process/noNewPrivileges", no_new_privileges);
        edit(&mut container);
        let without = reports(&mut container, no_new_privileges)?;
        container.set("/linux/seccomp", super::profiles::profile("docker"));
        let with = reports(&mut container, no_new_privileges)?;
        for (without, with) in without.iter().zip(&with) {
            same_reports(without, with, no_new_privileges)?;
        }
    }
    Ok(())
}

/// Of the container's own process and of one of exec.
fn reports(container: &mut Container<'_>, no_new_privileges: bool) -> Res<[Value; 2]> {
    let own = container.report()?;
    super::run_sleeping(container)?;
    let flags = super::exec_flags(no_new_privileges);
    let exec = container.exec(flags, &["/bin/probe", "report"])?.is(0)?.json()?;
    container.force_delete()?;
    Ok([own, exec])
}

fn same_reports(without: &Value, with: &Value, no_new_privileges: bool) -> Res {
    for key in SAME {
        holds!(
            without[key] == with[key],
            "{key} is {} with a filter, {} without",
            with[key],
            without[key]
        );
    }
    let numbers = |report: &Value| -> Vec<String> {
        report["fds"].as_object().into_iter().flatten().map(|(number, _)| number.clone()).collect()
    };
    same!(numbers(with), numbers(without));
    same!(with["no_new_privs"], i32::from(no_new_privileges).to_string());
    same!(with["seccomp"], "2");
    same!(with["seccomp_filters"], (filters("self")? + 1).to_string());
    Ok(())
}

fn nothing_else_changes(ctx: &Ctx) -> Res {
    same_with_a_filter(ctx, |_| ())?;
    // Not only the same, but what the config says.
    let mut container = ctx.container()?;
    container.set("/linux/seccomp", all_but(json!([]))).set("/process/noNewPrivileges", false);
    for report in reports(&mut container, false)? {
        for set in ["bounding", "effective", "permitted"] {
            same!(report["caps"][set], 1 << 5 | 1 << 10 | 1 << 29);
        }
        same!(report["caps"]["inheritable"], 0);
        same!(report["caps"]["ambient"], 0);
    }
    Ok(())
}

fn ambient(container: &mut Container<'_>) {
    for set in ["ambient", "inheritable"] {
        container.set(&format!("/process/capabilities/{set}"), json!(["CAP_KILL"]));
    }
}

fn nothing_else_changes_with_ambient(ctx: &Ctx) -> Res {
    same_with_a_filter(ctx, ambient)
}

/// CAP_SYS_ADMIN that was asked for stays.
fn nothing_else_changes_with_all(ctx: &Ctx) -> Res {
    let all = |container: &mut Container<'_>| {
        container.all_capabilities();
    };
    same_with_a_filter(ctx, all)?;
    let mut container = ctx.container()?;
    all(container.set("/linux/seccomp", all_but(json!([]))));
    let report = container.report()?;
    holds!(
        report["caps"]["effective"].as_u64().unwrap_or(0) & ADMIN != 0,
        "caps are {}",
        report["caps"]
    );
    Ok(())
}

fn nothing_else_changes_with_none(ctx: &Ctx) -> Res {
    same_with_a_filter(ctx, |container| {
        container.set("/process/capabilities", json!({}));
    })
}

fn nothing_else_changes_for_a_user(ctx: &Ctx) -> Res {
    same_with_a_filter(ctx, |container| {
        container.user(1000, 1000);
    })
}

fn nothing_else_changes_for_a_user_with_ambient(ctx: &Ctx) -> Res {
    same_with_a_filter(ctx, |container| ambient(container.user(1000, 1000)))
}

fn nothing_else_changes_for_a_user_with_all(ctx: &Ctx) -> Res {
    same_with_a_filter(ctx, |container| {
        container.user(1000, 1000).all_capabilities();
    })
}

/// A filter that keeps the runtime from giving up what it has: all is given up, or nothing runs.
fn capset_denied(ctx: &Ctx) -> Res {
    gives_up_all(ctx, &["capset"], 1)
}

/// The kernel's own 'done' where nothing was done.
fn capset_pretended(ctx: &Ctx) -> Res {
    gives_up_all(ctx, &["capset"], 0)
}

fn all_credential_calls_pretended(ctx: &Ctx) -> Res {
    const CALLS: &[&str] = &[
        "capget",
        "capset",
        "prctl",
        "setfsgid",
        "setfsuid",
        "setgid",
        "setgroups",
        "setregid",
        "setresgid",
        "setresuid",
        "setreuid",
        "setuid",
    ];
    gives_up_all(ctx, CALLS, 0)
}

fn gives_up_all(ctx: &Ctx, names: &[&str], errno: u32) -> Res {
    let rule = json!({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno});
    let users: &[u32] = if ctx.is_root() { &[0, 1000] } else { &[0] };
    for &uid in users {
        let mut container = ctx.container()?;
        container.set("/process/noNewPrivileges", false).user(uid, uid);
        let without = container.report()?;
        container.set("/linux/seccomp", all_but([rule.clone()]));
        let out = container.run()?;
        if out.code != 0 {
            out.refused(&[])?;
            container.gone()?;
            continue;
        }
        let with = out.json()?;
        for key in ["ids", "caps"] {
            holds!(
                without[key] == with[key],
                "uid {uid}: {key} is {}, not {}",
                with[key],
                without[key]
            );
        }
    }
    Ok(())
}

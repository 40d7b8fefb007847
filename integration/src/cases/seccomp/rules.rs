//! How rules go together, and what becomes of calls and names that nobody thought of.

use serde_json::{Value, json};

use super::{HARMLESS, MARKED, all_but, condition, mark, returns};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Res, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.rules",
    cases: &[
        either!(several_on_one_call),
        either!(several_actions_on_one_call),
        either!(without_conditions_wins_over_with),
        either!(first_of_two_without_conditions)
            .only_runc("crun caches filters by less than the errno"),
        either!(narrower_wins),
        either!(equal_to_the_default_is_nothing),
        either!(unknown_name_is_skipped),
        either!(unknown_name_is_told).ours("the peers tell it with --debug only"),
        either!(unknown_name_among_known),
        either!(name_twice),
        either!(no_rules),
        either!(number_that_the_profile_is_too_old_for).only_runc("crun gives the default's error"),
        either!(number_unknown_with_default_of_allow),
    ],
};

fn rule(action: &str, args: Value) -> Value {
    json!({"names": [HARMLESS], "action": format!("SCMP_ACT_{action}"), "args": args})
}

fn several_on_one_call(ctx: &Ctx) -> Res {
    let rules = [
        mark(json!([condition(0, "EQ", 1, 0)])),
        mark(json!([condition(1, "EQ", 1, 0)])),
        mark(json!([condition(0, "GT", 9, 0), condition(1, "GT", 9, 0)])),
    ];
    let wanted = [
        ("munlockall 0 0", "0"),
        ("munlockall 1 0", MARKED),
        ("munlockall 0 1", MARKED),
        ("munlockall 10 0", "0"),
        ("munlockall 0 10", "0"),
        ("munlockall 10 10", MARKED),
    ];
    returns(ctx, &all_but(rules), &wanted)
}

fn several_actions_on_one_call(ctx: &Ctx) -> Res {
    let rules = [
        mark(json!([condition(0, "EQ", 1, 0)])),
        rule("ERRNO", json!([condition(0, "EQ", 2, 0)])),
        rule("TRACE", json!([condition(0, "EQ", 3, 0)])),
    ];
    let wanted = [
        ("munlockall 0", "0"),
        ("munlockall 1", MARKED),
        ("munlockall 2", "EPERM"),
        ("munlockall 3", "ENOSYS"),
    ];
    returns(ctx, &all_but(rules), &wanted)
}

/// In either order.
fn without_conditions_wins_over_with(ctx: &Ctx) -> Res {
    let general = rule("ERRNO", json!([]));
    let special = mark(json!([condition(0, "EQ", 1, 0)]));
    let wanted = [("munlockall 0", "EPERM"), ("munlockall 1", "EPERM")];
    returns(ctx, &all_but([general.clone(), special.clone()]), &wanted)?;
    returns(ctx, &all_but([special, general]), &wanted)
}

fn first_of_two_without_conditions(ctx: &Ctx) -> Res {
    let (one, other) = (rule("ERRNO", json!([])), mark(json!([])));
    returns(ctx, &all_but([one.clone(), other.clone()]), &[("munlockall", "EPERM")])?;
    returns(ctx, &all_but([other, one]), &[("munlockall", MARKED)])
}

/// In either order: libseccomp asks for equality first, and then for the greater number.
fn narrower_wins(ctx: &Ctx) -> Res {
    for (narrow, wide) in [
        (condition(0, "GT", 10, 0), condition(0, "GT", 5, 0)),
        (condition(0, "EQ", 11, 0), condition(0, "GT", 5, 0)),
        (condition(0, "EQ", 11, 0), condition(0, "NE", 5, 0)),
    ] {
        let (narrow, wide) = (rule("ERRNO", json!([narrow])), mark(json!([wide])));
        let wanted = [("munlockall 5", "0"), ("munlockall 6", MARKED), ("munlockall 11", "EPERM")];
        returns(ctx, &all_but([narrow.clone(), wide.clone()]), &wanted)?;
        returns(ctx, &all_but([wide, narrow]), &wanted)?;
    }
    Ok(())
}

fn equal_to_the_default_is_nothing(ctx: &Ctx) -> Res {
    let rules = [rule("ALLOW", json!([])), mark(json!([condition(0, "EQ", 1, 0)]))];
    returns(ctx, &all_but(rules), &[("munlockall 0", "0"), ("munlockall 1", MARKED)])
}

fn unknown_name_is_skipped(ctx: &Ctx) -> Res {
    let unknown = json!({"names": ["weave_straw"], "action": "SCMP_ACT_KILL_PROCESS"});
    let known = mark(json!([]));
    returns(ctx, &all_but([unknown, known]), &[("munlockall", MARKED), ("sched_yield", "0")])
}

/// Every profile of an engine has names of other machines and newer kernels: nobody is told unless he asks.
/// Whoever misspells a name thinks that the call is denied.
fn unknown_name_is_told(ctx: &Ctx) -> Res {
    let unknown = json!({"names": ["weave_straw"], "action": "SCMP_ACT_ERRNO"});
    let mut container = ctx.container()?;
    container.set("/linux/seccomp", all_but([unknown]));
    container.run()?.is(0)?.says_one_of(&["linux.seccomp.syscalls[0].names", "weave_straw"])?;
    Ok(())
}

fn unknown_name_among_known(ctx: &Ctx) -> Res {
    let rule = json!({"names": ["weave_straw", HARMLESS, "_llseek", "socketcall"],
        "action": "SCMP_ACT_ERRNO", "errnoRet": 77});
    returns(ctx, &all_but([rule]), &[("munlockall", MARKED), ("sched_yield", "0")])
}

fn name_twice(ctx: &Ctx) -> Res {
    let rule = json!({"names": [HARMLESS, HARMLESS], "action": "SCMP_ACT_ERRNO", "errnoRet": 77});
    returns(ctx, &all_but([rule.clone(), rule]), &[("munlockall", MARKED), ("sched_yield", "0")])
}

/// The filter is there all the same.
fn no_rules(ctx: &Ctx) -> Res {
    let own = super::filters("self")?;
    for profile in [all_but(json!([])), json!({"defaultAction": "SCMP_ACT_ALLOW"})] {
        let mut container = ctx.container()?;
        container.set("/linux/seccomp", profile);
        let report = container.report()?;
        same!(report["seccomp"], "2");
        same!(report["seccomp_filters"], (own + 1).to_string());
    }
    Ok(())
}

/// C libraries try a new call and take ENOSYS for 'not there'; EPERM they believe.
fn number_that_the_profile_is_too_old_for(ctx: &Ctx) -> Res {
    let mut profile = super::profiles::profile("docker");
    profile["defaultErrnoRet"] = json!(77);
    super::profiles::take_out(&mut profile, HARMLESS);
    returns(ctx, &profile, &[("munlockall", MARKED), ("9999", "ENOSYS")])
}

fn number_unknown_with_default_of_allow(ctx: &Ctx) -> Res {
    returns(ctx, &all_but([mark(json!([]))]), &[("munlockall", MARKED), ("9999", "ENOSYS")])
}

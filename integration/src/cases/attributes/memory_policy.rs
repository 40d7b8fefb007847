//! `linux.memoryPolicy`.

use serde_json::json;

use super::{NO_FIELD, exec_report};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::harness::needs::Need;
use crate::result::{Res, holds, same};

const NO_MEMORY_POLICY: &str = "runc 1.3 knows no memoryPolicy";

pub(crate) const FEATURE: Feature = Feature {
    name: "attributes.memory",
    cases: &[
        either!(policy).needs(&[Need::Numa]).only_crun(NO_MEMORY_POLICY),
        either!(policy_with_flags).needs(&[Need::Numa]).only_crun(NO_MEMORY_POLICY),
        either!(policy_without_nodes).needs(&[Need::Numa]).only_crun(NO_MEMORY_POLICY),
        either!(policy_of_exec)
            .needs(&[Need::Numa])
            .ours("runc 1.3 knows no memoryPolicy, crun gives it to the first process alone"),
        either!(policy_of_no_node_is_named).needs(&[Need::Numa]).ours(NO_FIELD),
        either!(policy_bad_refused).ours(NO_FIELD),
    ],
};

/// Of `include/uapi/linux/mempolicy.h`.
const BIND: i64 = 2;
const LOCAL: i64 = 4;
const STATIC_NODES: i64 = 1 << 15;
const FIRST_NODE: i64 = 1;

fn policy(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/linux/memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "0"}));
    same!(container.report()?["memory_policy"], json!([BIND, FIRST_NODE]));
    Ok(())
}

fn policy_with_flags(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let policy = json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]});
    container.set("/linux/memoryPolicy", policy);
    same!(container.report()?["memory_policy"], json!([BIND | STATIC_NODES, FIRST_NODE]));
    Ok(())
}

fn policy_without_nodes(ctx: &Ctx) -> Res {
    for (mode, number) in [("MPOL_DEFAULT", 0), ("MPOL_PREFERRED", 1), ("MPOL_LOCAL", 4)] {
        let mut container = ctx.container()?;
        container.set("/linux/memoryPolicy", json!({"mode": mode}));
        let policy = container.report()?["memory_policy"].clone();
        // A preferred node that is none is the local one.
        let local = mode == "MPOL_PREFERRED" && policy == json!([LOCAL, 0]);
        holds!(local || policy == json!([number, 0]), "{mode} is {policy}");
    }
    Ok(())
}

fn policy_of_exec(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/linux/memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "0"}));
    container.run_until("ready")?;
    same!(exec_report(&container, json!({}))?["memory_policy"], json!([BIND, FIRST_NODE]));
    Ok(())
}

fn policy_of_no_node_is_named(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/linux/memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "1023"}));
    container.run()?.refused(&["linux.memoryPolicy"])?;
    container.gone()
}

fn policy_bad_refused(ctx: &Ctx) -> Res {
    for (policy, field) in [
        (json!({"mode": "MPOL_X", "nodes": "0"}), "linux.memoryPolicy.mode"),
        (json!({"mode": "MPOL_BIND"}), "linux.memoryPolicy.nodes"),
        (json!({"mode": "MPOL_BIND", "nodes": "0-"}), "linux.memoryPolicy.nodes"),
        (json!({"mode": "MPOL_LOCAL", "nodes": "0"}), "linux.memoryPolicy.nodes"),
        (
            json!({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_X"]}),
            "linux.memoryPolicy.flags[0]",
        ),
    ] {
        let mut container = ctx.container()?;
        container.set("/linux/memoryPolicy", policy);
        container.run()?.refused(&[field])?;
        container.gone()?;
    }
    Ok(())
}

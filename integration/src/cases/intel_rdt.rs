//! Intel RDT, on machines that have none: refused by name, and nothing left. What would be written where
//! there is one is shown by the library's own tests of its plan.

use serde_json::json;

use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::harness::needs::Need;
use crate::result::{Res, holds, same};

const OTHER_WORDS: &str = "the peers name no field";

pub(crate) const FEATURE: Feature = Feature {
    name: "intel_rdt",
    cases: &[
        either!(refused_without_resctrl).needs(&[Need::NoResctrl]).ours(OTHER_WORDS),
        either!(wrong_ones_refused).ours(OTHER_WORDS),
        either!(update_without_a_group_refused).ours(OTHER_WORDS),
        either!(planned).ours("no peer prints a plan"),
    ],
};

fn refused_without_resctrl(ctx: &Ctx) -> Res {
    let asked = [
        // Empty, it still asks for a group of the container's name.
        json!({}),
        json!({"closID": "/"}),
        json!({"closID": "gold", "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20"}),
        json!({"schemata": ["L2:0=1"], "enableMonitoring": true}),
    ];
    for rdt in asked {
        let mut container = ctx.container()?;
        container.set("/linux/intelRdt", rdt);
        container.run()?.refused(&["linux.intelRdt: no resctrl filesystem is mounted here"])?;
        container.create_call(&[])?.done()?.refused(&["linux.intelRdt: no resctrl"])?;
        container.gone()?;
    }
    Ok(())
}

fn wrong_ones_refused(ctx: &Ctx) -> Res {
    let cases = [
        (json!({"closID": "../x"}), "linux.intelRdt.closID: \"../x\" is no name of a group"),
        (
            json!({"closID": "info"}),
            "linux.intelRdt.closID: \"info\" is a directory of resctrl's own",
        ),
        (json!({"memBwSchema": "20"}), "linux.intelRdt.memBwSchema: \"20\" is no schema"),
        (json!({"l3CacheSchema": "f"}), "linux.intelRdt.l3CacheSchema: \"f\" is no schema"),
        (json!({"schemata": ["a\nb"]}), "linux.intelRdt.schemata[0]"),
        (json!({"enableMonitoring": 1}), "linux.intelRdt.enableMonitoring"),
    ];
    for (rdt, says) in cases {
        let mut container = ctx.container()?;
        container.set("/linux/intelRdt", rdt);
        container.run()?.refused(&[says])?;
        container.gone()?;
    }
    Ok(())
}

fn update_without_a_group_refused(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    for flag in ["--l3-cache-schema=L3:0=f", "--mem-bw-schema=MB:0=20"] {
        let says = "has no resctrl group: this was not in its config.json";
        container.command("update", &[flag]).done()?.refused(&[says])?;
    }
    let says = "linux.intelRdt.memBwSchema: \"20\" is no schema";
    container.command("update", &["--mem-bw-schema=20"]).done()?.refused(&[says])?;
    same!(container.status()?, "running");
    Ok(())
}

fn planned(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/linux/intelRdt", json!({"l3CacheSchema": "L3:0=f", "enableMonitoring": true}));
    container.save()?;
    let plan = ctx.runtime().arg("plan").arg("--bundle").arg(&container.bundle).arg("c7").ok()?;
    let line =
        "resctrl group c7, made and removed with the container, with L3:0=f, monitored as c7";
    holds!(plan.text().contains(line), "no such line: {}", plan.text());
    Ok(())
}

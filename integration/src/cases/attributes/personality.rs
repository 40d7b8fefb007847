//! `linux.personality`; and `vm`, which is refused.

use serde_json::json;

use super::exec_report;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::harness::needs::Need;
use crate::result::{Res, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "attributes.personality",
    cases: &[
        either!(of_32_bits),
        either!(of_32_bits_is_the_machines).needs(&[Need::I386]),
        either!(of_32_bits_of_exec),
        either!(flags_refused).ours("the peers ignore them"),
        either!(virtual_machine_refused).ours("the peers ignore it"),
    ],
};

const PERSONALITY_OF_32_BITS: &str = "00000008";

fn of_32_bits(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/linux/personality", json!({"domain": "LINUX32"}));
    same!(container.report()?["personality"], PERSONALITY_OF_32_BITS);
    container.set("/linux/personality", json!({"domain": "LINUX"}));
    same!(container.report()?["personality"], "00000000");
    Ok(())
}

/// uname(2) then says so, to programs of whatever size.
fn of_32_bits_is_the_machines(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/linux/personality", json!({"domain": "LINUX32"}));
    same!(container.report()?["machine"], "i686");
    Ok(())
}

fn of_32_bits_of_exec(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/linux/personality", json!({"domain": "LINUX32"}));
    container.run_until("ready")?;
    same!(exec_report(&container, json!({}))?["personality"], PERSONALITY_OF_32_BITS);
    Ok(())
}

fn flags_refused(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/linux/personality", json!({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}));
    container.run()?.refused(&["linux.personality.flags"])?;
    container.gone()
}

fn virtual_machine_refused(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/vm", json!({"kernel": {"path": "/boot/vmlinuz"}}));
    container.run()?.refused(&["vm: "])?;
    container.gone()
}

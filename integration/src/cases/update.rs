//! `update`, on pure cgroup v2.

use std::fs;

use serde_json::json;

use super::cgroup::{dir, running, value};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

const CGROUP2: &[Need] = &[Need::Cgroup2];

pub(crate) const FEATURE: Feature = Feature {
    name: "update",
    cases: &[
        root!(every_limit_by_flag).needs(CGROUP2),
        root!(sizes_have_units).needs(CGROUP2).only_runc("crun takes bytes only"),
        root!(from_stdin).needs(CGROUP2),
        root!(from_a_file_of_an_engine).needs(CGROUP2),
        root!(memory_bites).needs(CGROUP2),
        root!(pids_bite).needs(CGROUP2),
        root!(cpu_bites).needs(CGROUP2),
        root!(quota_can_be_lifted).needs(CGROUP2).only_runc("crun 1.8 leaves it"),
        root!(what_is_not_given_stays).needs(CGROUP2),
        root!(period_keeps_the_quota).needs(CGROUP2).only_runc("crun forgets the quota"),
        root!(updates_add_up).needs(CGROUP2).only_runc("crun forgets the quota"),
        root!(no_limit_can_be_asked_for).needs(CGROUP2),
        root!(swap_follows_memory).needs(CGROUP2).ours("runc 1.1 and crun leave swap as it is"),
        root!(idle_and_shares_in_either_order)
            .needs(CGROUP2)
            .ours("runc 1.1 and crun 1.8 have no --cpu-idle"),
        root!(refused_value_changes_nothing)
            .needs(CGROUP2)
            .ours("crun stops half-way, and runc 1.1 at what it puts back"),
        root!(wrong_together_is_refused_with_all_reasons).needs(CGROUP2).ours("one at a time"),
        root!(others_writes_stay).needs(CGROUP2),
        root!(below_usage_refused_if_asked).needs(CGROUP2).only_crun("unknown to runc 1.1"),
        root!(of_created_and_paused).needs(CGROUP2),
        root!(of_stopped_refused).needs(CGROUP2).only_runc("crun has nothing against it"),
        root!(devices_stay).needs(CGROUP2).only_runc("crun takes them away"),
        root!(unknown_field_is_warned_of).needs(CGROUP2).ours("the peers say nothing"),
        root!(wrong_flags_refused).needs(CGROUP2).ours("texts of our own"),
        root!(leaves_nothing).needs(CGROUP2),
    ],
};

fn update(container: &Container<'_>, flags: &[&str]) -> Res {
    container.command("update", flags).ok().map(drop)
}

fn every_limit_by_flag(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    for (flags, file, expected) in [
        (&["--memory", "67108864"][..], "memory.max", "67108864"),
        (&["--memory-reservation=33554432"], "memory.low", "33554432"),
        (&["--pids-limit", "77"], "pids.max", "77"),
        (&["--cpu-quota=30000", "--cpu-period=60000"], "cpu.max", "30000 60000"),
        (&["--cpu-share", "262144"], "cpu.weight", "10000"),
    ] {
        update(&container, flags)?;
        same!(value(&container, file)?, expected);
    }
    Ok(())
}

fn sizes_have_units(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    for (size, bytes) in [("64m", 64 << 20), ("96MB", 96 << 20), ("0.5g", 512 << 20)] {
        update(&container, &["--memory", size])?;
        same!(value(&container, "memory.max")?, bytes.to_string());
    }
    Ok(())
}

fn from_stdin(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    for (flags, limit) in [(&["--resources=-"][..], 41), (&["-r", "-"], 42)] {
        let resources = json!({"pids": {"limit": limit}, "memory": {"limit": 64 << 20}});
        container.command("update", flags).input(&resources.to_string())?.ok()?;
        same!(value(&container, "pids.max")?, limit.to_string());
        same!(value(&container, "memory.max")?, (64 << 20).to_string());
    }
    Ok(())
}

/// What podman 4 writes for `podman update`.
fn from_a_file_of_an_engine(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"pids": {"limit": 2048}}))?;
    let resources = json!({
        "devices": [{"allow": false, "access": "rwm"}],
        "memory": {"limit": 100_663_296, "swap": 209_715_200},
        "cpu": {"quota": 30_000, "period": 100_000},
        "pids": {"limit": 55},
    });
    let file = ctx.make_file("resources", &resources.to_string())?;
    update(&container, &[&format!("--resources={}", file.display())])?;
    for (file, expected) in
        [("memory.max", "100663296"), ("cpu.max", "30000 100000"), ("pids.max", "55")]
    {
        same!(value(&container, file)?, expected);
    }
    Ok(())
}

fn memory_bites(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"memory": {"limit": 512 << 20}}))?;
    container.exec(&[], &["/bin/probe", "eat", "100"])?.is(0)?.prints("ate")?;
    let both = |bytes: u64| [format!("--memory={bytes}"), format!("--memory-swap={bytes}")];
    update(&container, &both(32 << 20).each_ref().map(String::as_str))?;
    container.exec(&[], &["/bin/probe", "eat", "100"])?.is(128 + 9)?.prints("")?;
    update(&container, &both(512 << 20).each_ref().map(String::as_str))?;
    container.exec(&[], &["/bin/probe", "eat", "100"])?.is(0)?.prints("ate")?;
    Ok(())
}

fn pids_bite(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"pids": {"limit": 100}}))?;
    let children = || -> Res<i32> {
        let out = container.exec(&[], &["/bin/probe", "fork", "20"])?.is(0)?;
        out.text().parse().doing("number of children")
    };
    same!(children()?, 20);
    update(&container, &["--pids-limit", "8"])?;
    let few = children()?;
    holds!((2..8).contains(&few), "{few} children started");
    Ok(())
}

fn cpu_bites(ctx: &Ctx) -> Res {
    let line = "echo ready; while :; do :; done";
    let container = ctx.container_of(&["/bin/sh", "-c", line])?;
    container.run_until("ready")?;
    let throttled = || -> Res<u64> {
        let stat = value(&container, "cpu.stat")?;
        let number = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        number.doing("nr_throttled")?.parse().doing("a number")
    };
    same!(throttled()?, 0);
    update(&container, &["--cpu-quota=10000", "--cpu-period=100000"])?;
    ctx.eventually("it is throttled", || throttled().ok().filter(|times| *times >= 3))?;
    Ok(())
}

fn quota_can_be_lifted(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"cpu": {"quota": 10_000, "period": 100_000}}))?;
    update(&container, &["--cpu-quota=-1"])?;
    same!(value(&container, "cpu.max")?, "max 100000");
    Ok(())
}

fn what_is_not_given_stays(ctx: &Ctx) -> Res {
    let limits = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 77},
        "cpu": {"quota": 30_000, "period": 60_000}});
    let container = running(ctx, limits)?;
    update(&container, &["--pids-limit", "78"])?;
    same!(value(&container, "memory.max")?, (64 << 20).to_string());
    same!(value(&container, "cpu.max")?, "30000 60000");
    same!(value(&container, "pids.max")?, "78");
    Ok(())
}

fn period_keeps_the_quota(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"cpu": {"quota": 50_000, "period": 100_000}}))?;
    update(&container, &["--cpu-period", "200000"])?;
    same!(value(&container, "cpu.max")?, "50000 200000");
    Ok(())
}

fn updates_add_up(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    update(&container, &["--cpu-quota", "30000"])?;
    same!(value(&container, "cpu.max")?, "30000 100000");
    update(&container, &["--cpu-period", "50000"])?;
    same!(value(&container, "cpu.max")?, "30000 50000");
    update(&container, &["--cpu-quota", "20000"])?;
    same!(value(&container, "cpu.max")?, "20000 50000");
    Ok(())
}

fn no_limit_can_be_asked_for(ctx: &Ctx) -> Res {
    let limits = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 77}});
    let container = running(ctx, limits)?;
    update(&container, &["--memory=-1", "--pids-limit=-1"])?;
    same!(value(&container, "memory.max")?, "max");
    same!(value(&container, "pids.max")?, "max");
    Ok(())
}

fn swap_follows_memory(ctx: &Ctx) -> Res {
    let mib = |count: u64| (count << 20).to_string();
    let container = running(ctx, json!({"memory": {"limit": 64 << 20, "swap": 96 << 20}}))?;
    let swap = || value(&container, "memory.swap.max");
    same!(swap()?, mib(32));
    update(&container, &["--memory=80m"])?;
    same!((value(&container, "memory.max")?, swap()?), (mib(80), mib(16)));
    let refused = container.command("update", &["--memory=128m"]).done()?;
    refused.refused(&["linux.resources.memory.swap"])?;
    same!((value(&container, "memory.max")?, swap()?), (mib(80), mib(16)));
    update(&container, &["--memory=-1"])?;
    same!(swap()?, "max");
    Ok(())
}

/// A weight is refused by a cgroup that is idle.
fn idle_and_shares_in_either_order(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    update(&container, &["--cpu-share=2048", "--cpu-idle=1"])?;
    same!(value(&container, "cpu.idle")?, "1");
    update(&container, &["--cpu-share=262144", "--cpu-idle=0"])?;
    same!(value(&container, "cpu.idle")?, "0");
    same!(value(&container, "cpu.weight")?, "10000");
    Ok(())
}

fn refused_value_changes_nothing(ctx: &Ctx) -> Res {
    let limits = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 77},
        "cpu": {"quota": 30_000, "period": 60_000, "shares": 2}});
    let container = running(ctx, limits)?;
    let files = ["memory.max", "memory.low", "pids.max", "cpu.max", "cpu.weight", "memory.high"];
    let values = || files.map(|file| value(&container, file).unwrap_or_default());
    let before = values();
    let resources = json!({
        "memory": {"limit": 128 << 20, "reservation": 1 << 20},
        "pids": {"limit": 78},
        "cpu": {"quota": 40_000, "shares": 262_144},
        "unified": {"memory.high": "nonsense"},
    });
    let call = container.command("update", &["-r", "-"]).input(&resources.to_string())?;
    call.done()?.refused(&["linux.resources.unified[memory.high]: write \"nonsense\" to "])?;
    same!(values(), before);
    // What was refused is not remembered either.
    update(&container, &["--cpu-period", "50000"])?;
    same!(value(&container, "cpu.max")?, "30000 50000");
    Ok(())
}

fn wrong_together_is_refused_with_all_reasons(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"pids": {"limit": 77}}))?;
    let flags = ["--memory=64m", "--memory-swap=32m", "--pids-limit=-5", "--cpu-idle=2"];
    let out = container.command("update", &flags).done()?;
    let out = out.refused(&["linux.resources.memory.swap"])?;
    out.says_one_of(&["linux.resources.pids.limit"])?
        .says_one_of(&["linux.resources.cpu.idle: 2 is neither 0 nor 1"])?;
    same!(value(&container, "pids.max")?, "77");
    same!(value(&container, "memory.max")?, "max");
    Ok(())
}

fn others_writes_stay(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 77}}))?;
    fs::write(dir(&container)?.join("pids.max"), "50").doing("write pids.max")?;
    update(&container, &["--memory", "100663296"])?;
    same!(value(&container, "pids.max")?, "50");
    Ok(())
}

fn below_usage_refused_if_asked(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    let resources = json!({"memory": {"limit": 4096, "checkBeforeUpdate": true},
        "pids": {"limit": 5}});
    let call = container.command("update", &["-r", "-"]).input(&resources.to_string())?;
    let says = ["rejecting memory limit 4096 <= usage ", "lower than its current usage"];
    call.done()?.refused(&says)?;
    same!(value(&container, "memory.max")?, "max");
    same!(value(&container, "pids.max")?, "max");
    same!(container.status()?, "running");
    Ok(())
}

fn of_created_and_paused(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    update(&container, &["--pids-limit", "33"])?;
    same!(value(&container, "pids.max")?, "33");
    container.start()?;
    container.until_output("ready")?;
    container.command("pause", &[]).ok()?;
    update(&container, &["--pids-limit", "34"])?;
    same!(value(&container, "pids.max")?, "34");
    same!(container.status()?, "paused");
    Ok(())
}

fn of_stopped_refused(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    container.kill("KILL")?;
    container.until("stopped")?;
    let out = container.command("update", &["--pids-limit", "33"]).done()?;
    out.refused(&["container not running", "is not running"])?;
    Ok(())
}

/// The rule that denies everything, with which an engine's list begins, takes no device away.
fn devices_stay(ctx: &Ctx) -> Res {
    const READ: &str = "dd if=/tmp/kmsg of=/dev/null bs=8k count=1 2>&1";
    let mut container = ctx.sleeper()?;
    let rules = json!([{"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rm"}]);
    container.all_capabilities().set("/linux/resources/devices", rules);
    container.run_until("ready")?;
    container.exec(&[], &["/bin/sh", "-c", &format!("mknod /tmp/kmsg c 1 11 && {READ}")])?.is(0)?;
    let resources = json!({"devices": [{"allow": false, "access": "rwm"}], "pids": {"limit": 9}});
    container.command("update", &["-r", "-"]).input(&resources.to_string())?.ok()?;
    same!(value(&container, "pids.max")?, "9");
    container.exec(&[], &["/bin/sh", "-c", READ])?.is(0)?;
    Ok(())
}

fn unknown_field_is_warned_of(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    let resources = json!({"pids": {"limit": 9, "limitt": 8}, "nosuch": {}, "memory": null});
    let call = container.command("update", &["-r", "-"]).input(&resources.to_string())?;
    call.ok()?
        .says_one_of(&["linux.resources.nosuch: unknown field, ignored"])?
        .says_one_of(&["linux.resources.pids.limitt: unknown field, ignored"])?;
    same!(value(&container, "pids.max")?, "9");
    Ok(())
}

fn wrong_flags_refused(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    for (flags, says) in [
        (&["--memory=12q"][..], "--memory: \"12q\" is no size"),
        (&["--cpu-share=-1"], "--cpu-share: \"-1\" is no number of 0 or more"),
        (&["--blkio-weight=1001"], "--blkio-weight: 1001 is not between 10 and 1000"),
        (&["--resources=/no/such"], "--resources /no/such: No such file or directory"),
        (&["--nosuch=1"], "unknown flag '--nosuch'"),
        (&["--pids-limit=-2"], "linux.resources.pids.limit: -2 is negative"),
    ] {
        container.command("update", flags).done()?.refused(&[says])?;
    }
    for text in ["", "{", "[]", "{\"pids\":{\"limit\":\"many\"}}", "{\"memory\":[]}"] {
        container.command("update", &["-r", "-"]).input(text)?.done()?.refused(&[])?;
    }
    same!(value(&container, "pids.max")?, "max");
    Ok(())
}

fn leaves_nothing(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    update(&container, &["--pids-limit", "33"])?;
    container
        .command("update", &["-r", "-"])
        .input("{\"unified\":{\"memory.high\":\"?\"}}")?
        .done()?
        .failed()?;
    container.kill("KILL")?;
    container.until("stopped")?;
    container.delete()?;
    container.gone()
}

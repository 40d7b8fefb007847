//! events: statistics, the OOM killer, the end.

use std::fs;

use serde_json::{Value, json};

use super::burn;
use crate::call::Running;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::lines;

const CGROUP2: &[Need] = &[Need::Cgroup2];
const NOT_CRUN: &str = "crun has no events";

pub(crate) const FEATURE: Feature = Feature {
    name: "events",
    cases: &[
        root!(stats_once).only_runc(NOT_CRUN),
        root!(stats_of_created).only_runc(NOT_CRUN),
        root!(stats_have_the_limits).needs(CGROUP2).only_runc(NOT_CRUN),
        root!(stats_without_limits).needs(CGROUP2).only_runc(NOT_CRUN),
        root!(stats_count_throttling).needs(CGROUP2).only_runc(NOT_CRUN),
        root!(stats_count_exec).needs(CGROUP2).only_runc(NOT_CRUN),
        root!(stats_of_stopped_refused).only_runc(NOT_CRUN),
        root!(stats_of_unknown_refused).only_runc(NOT_CRUN),
        root!(of_stopped_refused).only_runc(NOT_CRUN),
        root!(interval_must_be_a_duration).only_runc(NOT_CRUN),
        root!(interval_must_be_above_zero).only_runc(NOT_CRUN),
        root!(interval_is_kept).needs(CGROUP2).only_runc(NOT_CRUN),
        root!(ends_with_the_container).needs(CGROUP2).only_runc(NOT_CRUN),
        root!(ends_with_delete).needs(CGROUP2).only_runc(NOT_CRUN),
        root!(ends_with_the_last_process)
            .needs(CGROUP2)
            .ours("runc 1.1 waits for ever when the cgroup is removed at once"),
        root!(oom).needs(CGROUP2).only_runc(NOT_CRUN),
        root!(oom_of_init).needs(CGROUP2).ours("runc may miss it: it looks at the end first"),
        root!(oom_before_is_not_told).needs(CGROUP2).only_runc(NOT_CRUN),
        root!(goes_on_while_paused)
            .needs(CGROUP2)
            .ours("the freezer is moved by hand, which runc is not told of"),
    ],
};

fn stats_call(container: &Container<'_>) -> crate::call::Call {
    container.command("events", &["--stats"])
}

/// `data` of the one line that `--stats` prints.
fn stats(container: &Container<'_>) -> Res<Value> {
    let out = stats_call(container).ok()?;
    same!(lines(&out.out).len(), 1);
    let mut line = out.json()?;
    same!(line["type"], "stats");
    same!(line["id"], container.id);
    Ok(line["data"].take())
}

fn running(ctx: &Ctx, resources: Value) -> Res<Container<'_>> {
    let mut container = ctx.sleeper()?;
    container.set("/linux/resources", resources);
    container.run_until("ready")?;
    Ok(container)
}

/// `events` that has printed its first statistics, and so watches.
fn watching(container: &Container<'_>) -> Res<Running> {
    let running = container.command("events", &["--interval", "100ms"]).spawn()?;
    until(container.ctx, &running, "stats", 1)?;
    Ok(running)
}

fn count(text: &str, kind: &str) -> usize {
    // The last line may not be whole yet.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter(|line| line.contains(&format!("\"type\":\"{kind}\""))).count()
}

/// Waits until `events` has printed so many lines of this type.
fn until(ctx: &Ctx, running: &Running, kind: &str, wanted: usize) -> Res {
    let printed = || (count(&running.out_now(), kind) >= wanted).then_some(());
    ctx.eventually(&format!("events prints {wanted} lines of {kind}"), printed)
}

fn stats_once(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    burn(&container)?;
    let data = stats(&container)?;
    same!(data["pids"]["current"], 1);
    holds!(data["cpu"]["usage"]["total"].as_u64() > Some(0), "no time in {data}");
    for part in ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt"] {
        holds!(data[part].is_object(), "{part} of {data}");
    }
    same!(data.get("network_interfaces"), Some(&Value::Null));
    Ok(())
}

fn stats_of_created(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    let data = stats(&container)?;
    same!(data["pids"].get("limit"), None);
    Ok(())
}

fn stats_have_the_limits(ctx: &Ctx) -> Res {
    let memory = json!({"limit": 64 << 20, "swap": 128 << 20});
    let container = running(ctx, json!({"memory": memory, "pids": {"limit": 77}}))?;
    let data = stats(&container)?;
    same!(data["pids"], json!({"current": 1, "limit": 77}));
    same!(data["memory"]["usage"]["limit"], 64 << 20);
    same!(data["memory"]["swap"]["limit"], 128 << 20);
    let usage = data["memory"]["usage"]["usage"].as_u64();
    holds!(Some(4096) <= usage && usage <= Some(64 << 20), "uses {usage:?}");
    same!(data["memory"]["swap"]["usage"].as_u64(), usage);
    holds!(data["memory"]["raw"]["anon"].as_u64() >= Some(4096), "raw of {data}");
    Ok(())
}

fn stats_without_limits(ctx: &Ctx) -> Res {
    let data = stats(&running(ctx, json!({}))?)?;
    same!(data["memory"]["usage"]["limit"], u64::MAX);
    same!(data["memory"]["swap"]["limit"], u64::MAX);
    same!(data["memory"]["kernel"], json!({"limit": 0, "failcnt": 0}));
    same!(data["pids"], json!({"current": 1}));
    Ok(())
}

fn stats_count_throttling(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/sh", "-c", "while :; do :; done"])?;
    container.set("/linux/resources", json!({"cpu": {"quota": 10_000, "period": 50_000}}));
    container.run_detached()?;
    ctx.eventually("it is throttled", || {
        let throttling = stats(&container).ok()?["cpu"]["throttling"].take();
        let number = |name: &str| throttling[name].as_u64();
        (number("throttledPeriods")? > 2 && number("throttledTime")? > 1_000_000).then_some(())
    })
}

fn stats_count_exec(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    container.exec(&["-d"], &["/bin/sleep", "100"])?.is(0)?;
    same!(stats(&container)?["pids"]["current"], 2);
    Ok(())
}

fn stopped(ctx: &Ctx) -> Res<Container<'_>> {
    let container = ctx.container_of(&["/bin/true"])?;
    container.run_detached()?;
    container.until("stopped")?;
    Ok(container)
}

fn stats_of_stopped_refused(ctx: &Ctx) -> Res {
    stats_call(&stopped(ctx)?).done()?.prints("")?.refused(&["not running"])?;
    Ok(())
}

fn of_stopped_refused(ctx: &Ctx) -> Res {
    stopped(ctx)?.command("events", &[]).done()?.prints("")?.refused(&["not running"])?;
    Ok(())
}

fn stats_of_unknown_refused(ctx: &Ctx) -> Res {
    let out = ctx.runtime().args(["events", "--stats", "nobody"]).done()?;
    out.prints("")?.refused(&["does not exist"])?;
    Ok(())
}

fn interval_must_be_a_duration(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    for interval in ["x", "5", "1..5s"] {
        let out = container.command("events", &["--interval", interval]).done()?.failed()?;
        out.says_one_of(&["invalid value"])?;
    }
    Ok(())
}

fn interval_must_be_above_zero(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    for interval in ["--interval=0", "--interval=0s", "--interval=-1m"] {
        let out = container.command("events", &[interval]).done()?.prints("")?;
        out.refused(&["must be greater than 0"])?;
    }
    Ok(())
}

fn interval_is_kept(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    let often = watching(&container)?;
    let seldom = container.command("events", &["--interval=1h"]).spawn()?;
    until(ctx, &often, "stats", 6)?;
    holds!(often.out_now().lines().all(|line| line.starts_with('{')), "{}", often.out_now());
    container.kill("KILL")?;
    same!(count(&often.wait()?.is(0)?.out, "oom"), 0);
    seldom.wait()?.is(0)?.prints("")?;
    Ok(())
}

fn ends_with_the_container(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    let mut events = watching(&container)?;
    holds!(!events.ended(), "it ended before the container");
    container.kill("TERM")?;
    let out = events.wait()?.is(0)?;
    same!(count(&out.out, "oom"), 0);
    holds!(out.err.is_empty(), "it says {}", out.err);
    Ok(())
}

fn ends_with_delete(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    let events = watching(&container)?;
    container.force_delete()?;
    events.wait()?.is(0)?;
    Ok(())
}

/// Of a container in somebody else's pid namespace others may outlive the first process.
fn ends_with_the_last_process(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&[
        "/bin/sh",
        "-c",
        "setsid /bin/probe ignore-term & exec /bin/probe until-term",
    ])?;
    container.drop_namespace("pid");
    container.run_until("ready\nready")?;
    let events = watching(&container)?;
    container.kill("TERM")?;
    container.until("stopped")?;
    let before = count(&events.out_now(), "stats");
    until(ctx, &events, "stats", before + 3)?;
    container.force_delete()?;
    events.wait()?.is(0)?;
    Ok(())
}

const LITTLE: u64 = 32 << 20;

fn little(ctx: &Ctx) -> Res<Container<'_>> {
    running(ctx, json!({"memory": {"limit": LITTLE, "swap": LITTLE}}))
}

fn eat_too_much(container: &Container<'_>) -> Res {
    container.exec(&[], &["/bin/probe", "eat", "200"])?.is(128 + 9)?;
    Ok(())
}

fn oom(ctx: &Ctx) -> Res {
    let container = little(ctx)?;
    let events = watching(&container)?;
    same!(count(&events.out_now(), "oom"), 0);
    eat_too_much(&container)?;
    until(ctx, &events, "oom", 1)?;
    let line = events.out_now().lines().find(|line| line.contains("oom\"")).map(String::from);
    same!(line.doing("line")?, format!("{{\"type\":\"oom\",\"id\":\"{}\"}}", container.id));
    same!(container.status()?, "running");
    // Statistics go on.
    let before = count(&events.out_now(), "stats");
    until(ctx, &events, "stats", before + 2)?;
    container.kill("KILL")?;
    events.wait()?.is(0)?;
    Ok(())
}

fn oom_of_init(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/linux/resources", json!({"memory": {"limit": LITTLE, "swap": LITTLE}}));
    container.sh("echo ready; until [ -e /tmp/go ]; do sleep 0.05; done; exec /bin/probe eat 200");
    container.drop_mount("/tmp");
    container.run_until("ready")?;
    let events = watching(&container)?;
    container.exec(&[], &["/bin/touch", "/tmp/go"])?.is(0)?;
    same!(count(&events.wait()?.is(0)?.out, "oom"), 1);
    container.until("stopped")
}

fn oom_before_is_not_told(ctx: &Ctx) -> Res {
    let container = little(ctx)?;
    eat_too_much(&container)?;
    let events = watching(&container)?;
    until(ctx, &events, "stats", 3)?;
    same!(count(&events.out_now(), "oom"), 0);
    eat_too_much(&container)?;
    until(ctx, &events, "oom", 1)?;
    container.kill("KILL")?;
    events.wait()?.is(0)?;
    Ok(())
}

fn goes_on_while_paused(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({}))?;
    let events = watching(&container)?;
    let freeze = format!("/sys/fs/cgroup/{}/cgroup.freeze", container.id);
    fs::write(&freeze, "1").doing("freeze")?;
    container.until("paused")?;
    let before = count(&events.out_now(), "stats");
    until(ctx, &events, "stats", before + 2)?;
    fs::write(&freeze, "0").doing("thaw")?;
    container.kill("KILL")?;
    events.wait()?.is(0)?;
    Ok(())
}

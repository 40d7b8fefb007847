//! Time of the processor, measured over a few seconds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Files, near, read, running};
use crate::cgroups;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::lines;

const CPU: &[Need] = &[Need::Controller("cpu")];

pub(crate) const FEATURE: Feature = Feature {
    name: "limits.cpu",
    cases: &[
        root!(quota_is_held).needs(CPU),
        root!(shares_are_held).needs(CPU),
        root!(cpus_of_a_set).needs(&[Need::Controller("cpuset")]),
    ],
};

const WINDOW: Duration = Duration::from_secs(2);

/// Others want the processor too: one window of these has to be as wanted.
const WINDOWS: usize = 8;

fn spinning(ctx: &Ctx, cpu: Value) -> Res<Container<'_>> {
    running(ctx, json!({"cpu": cpu}), &["/bin/probe", "spin"])
}

/// All that the container has used so far.
fn used(container: &Container<'_>) -> Res<Duration> {
    let place = cgroups::place_of(container.pid()?, "cpuacct")?;
    let text = read(&place, Files { v2: "cpu.stat", v1: "cpuacct.usage" })?;
    let number = |text: &str| text.trim().parse::<u64>().doing(text);
    match lines(&text).into_iter().find_map(|line| line.strip_prefix("usage_usec ")) {
        Some(micros) => number(micros).map(Duration::from_micros),
        None => number(&text).map(Duration::from_nanos),
    }
}

/// Whether a share is what was wanted, give or take a tenth, in one window of several.
fn held(wanted: f64, share: impl Fn() -> Res<f64>) -> Res {
    let mut seen = Vec::new();
    for _ in 0..WINDOWS {
        let share = share()?;
        if near(share, wanted) {
            return Ok(());
        }
        seen.push(format!("{share:.3}"));
    }
    Err(format!("{}, wanted {wanted:.3}", seen.join(", ")))
}

/// On a machine with other work the container may get less, never more; and then the kernel has held it now and
/// then.
fn quota_is_held(ctx: &Ctx) -> Res {
    const QUOTA: f64 = 0.25;
    let container = spinning(ctx, json!({"quota": 12_500, "period": 50_000}))?;
    let mut seen = Vec::new();
    for _ in 0..WINDOWS {
        let share = share(&container)?;
        let is_held = share < QUOTA * 1.1;
        holds!(is_held, "{share:.3} of a processor, wanted {QUOTA}");
        if near(share, QUOTA) {
            return Ok(());
        }
        seen.push(share);
    }
    let times = throttled(&container)?;
    holds!(times > 0, "{seen:?} of a processor, and it was never throttled; wanted {QUOTA}");
    Ok(())
}

/// In how many periods it was.
fn throttled(container: &Container<'_>) -> Res<u64> {
    let place = cgroups::place_of(container.pid()?, "cpu")?;
    let stat = read(&place, Files { v2: "cpu.stat", v1: "cpu.stat" })?;
    let times = lines(&stat).into_iter().find_map(|line| line.strip_prefix("nr_throttled "));
    times.doing("nr_throttled")?.parse().doing("nr_throttled")
}

/// The part of one processor's time that it gets.
fn share(container: &Container<'_>) -> Res<f64> {
    let (begin, before) = (Instant::now(), used(container)?);
    std::thread::sleep(WINDOW);
    let used = used(container)? - before;
    Ok(used.as_secs_f64() / begin.elapsed().as_secs_f64())
}

/// What they come to is the runtime's choice in v2; the kernel has to hold what it chose.
fn shares_are_held(ctx: &Ctx) -> Res {
    let low = spinning(ctx, json!({"shares": 1024}))?;
    let high = spinning(ctx, json!({"shares": 4096}))?;
    let wanted = weight(&high)? / weight(&low)?;
    let differ = wanted > 2.5;
    holds!(differ, "4096 shares weigh {wanted} of 1024");
    held(wanted, || {
        let before = (used(&low)?, used(&high)?);
        std::thread::sleep(WINDOW);
        let (low, high) = (used(&low)? - before.0, used(&high)? - before.1);
        Ok(high.as_secs_f64() / low.as_secs_f64())
    })
}

fn weight(container: &Container<'_>) -> Res<f64> {
    let place = cgroups::place_of(container.pid()?, "cpu")?;
    read(&place, Files { v2: "cpu.weight", v1: "cpu.shares" })?.trim().parse().doing("weight")
}

fn cpus_of_a_set(ctx: &Ctx) -> Res {
    let limits = json!({"cpu": {"cpus": "0"}});
    let container = running(ctx, limits, &["/bin/probe", "until-term"])?;
    let status = container.exec(&[], &["/bin/cat", "/proc/self/status"])?.is(0)?;
    same!(crate::text::field(&status.out, "Cpus_allowed_list"), Some("0"));
    Ok(())
}

//! What goes to and from disks.

use serde_json::json;

use super::{limit, near};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::{DISK, Need};
use crate::result::{Res, holds};
use crate::text::lines;

const IO: &[Need] = &[Need::Controller("io"), Need::Disk];

pub(crate) const FEATURE: Feature = Feature {
    name: "limits.io",
    cases: &[
        root!(unlimited_is_quick).needs(IO),
        root!(writing_takes_as_long_as_the_rate_says).needs(IO),
        root!(reading_takes_as_long_as_the_rate_says).needs(IO),
        root!(operations_are_counted).needs(IO),
    ],
};

/// Past the page cache, in which nothing waits.
const WRITE: &str = "dd if=/dev/zero of=/dev/disk bs=256k count=12 oflag=direct";
const READ: &str = "dd if=/dev/disk of=/dev/null bs=256k count=12 iflag=direct";

/// A container that has the disk, and runs this.
fn with_disk<'a>(ctx: &'a Ctx, line: &str) -> Res<Container<'a>> {
    let (major, minor) = DISK.1;
    let mut container = ctx.container_of(&["/bin/sh", "-c", line])?;
    container.push(
        "/linux/devices",
        json!({"path": "/dev/disk", "type": "b", "major": major, "minor": minor, "fileMode": 0o600}),
    );
    container.push(
        "/linux/resources/devices",
        json!({"allow": true, "type": "b", "major": major, "minor": minor, "access": "rw"}),
    );
    Ok(container)
}

/// How many seconds the line takes with this limit.
fn seconds(ctx: &Ctx, line: &str, throttle: Option<(&str, u64)>) -> Res<f64> {
    const NOW: &str = "cut -d ' ' -f 1 /proc/uptime";
    let mut container = with_disk(ctx, &format!("{NOW} && {line} && {NOW}"))?;
    if let Some((key, rate)) = throttle {
        let (major, minor) = DISK.1;
        let row = json!({"major": major, "minor": minor, "rate": rate});
        limit(&mut container, json!({"blockIO": {key: [row]}}));
    }
    let out = container.run()?.is(0)?;
    let times: Vec<f64> = lines(&out.out).iter().filter_map(|line| line.parse().ok()).collect();
    match times[..] {
        [begin, end] => Ok(end - begin),
        _ => Err(format!("no two times in {}", out.out)),
    }
}

fn lasts(ctx: &Ctx, line: &str, throttle: (&str, u64), wanted: f64) -> Res {
    let took = seconds(ctx, line, Some(throttle))?;
    holds!(near(took, wanted), "it took {took} s, wanted {wanted}");
    Ok(())
}

fn unlimited_is_quick(ctx: &Ctx) -> Res {
    for line in [WRITE, READ] {
        let took = seconds(ctx, line, None)?;
        let quick = took < 0.5;
        holds!(quick, "{line}: it took {took} s");
    }
    Ok(())
}

fn writing_takes_as_long_as_the_rate_says(ctx: &Ctx) -> Res {
    lasts(ctx, WRITE, ("throttleWriteBpsDevice", 1 << 20), 3.0)
}

fn reading_takes_as_long_as_the_rate_says(ctx: &Ctx) -> Res {
    lasts(ctx, READ, ("throttleReadBpsDevice", 1 << 20), 3.0)
}

fn operations_are_counted(ctx: &Ctx) -> Res {
    let line = "dd if=/dev/zero of=/dev/disk bs=4k count=60 oflag=direct";
    lasts(ctx, line, ("throttleWriteIOPSDevice", 20), 3.0)
}

//! Limits as systemd knows them: a property for each file of the cgroup that will be written and has
//! one, from the value that will be written there. So both say the same, whichever field of
//! `linux.resources` it is from.
//!
//! systemd is told because it writes its own idea of a limit again when it reloads, and shows it
//! (`systemctl status`). What has no property, or a value that systemd does not take, is in the file
//! alone. <https://man7.org/linux/man-pages/man5/systemd.resource-control.5.html>

use super::super::write::Write;
use super::dbus::Value;
use super::property::Property;
use std::collections::BTreeMap;

/// What a value of a file becomes.
#[derive(Clone, Copy)]
enum As {
    /// Bytes or a count; `max`, and -1 in v1, is infinity.
    Limit,
    /// A weight.
    Weight,
    /// A weight for all devices, then for some.
    IoWeight,
    /// The same with the range of the BFQ scheduler.
    BfqWeight,
    /// A list of ranges as a mask of bits.
    Mask,
    /// Quota and period.
    CpuMax,
    /// What a cgroup's idling is to systemd: a weight of 0.
    Idle,
}

/// File, property, first version of systemd that has it.
const TABLE: &[(&str, &str, As, u32)] = &[
    ("memory.max", "MemoryMax", As::Limit, 0),
    ("memory.low", "MemoryLow", As::Limit, 0),
    ("memory.min", "MemoryMin", As::Limit, 0),
    ("memory.high", "MemoryHigh", As::Limit, 0),
    ("memory.swap.max", "MemorySwapMax", As::Limit, 0),
    ("memory.zswap.max", "MemoryZSwapMax", As::Limit, 253),
    ("pids.max", "TasksMax", As::Limit, 0),
    ("cpu.weight", "CPUWeight", As::Weight, 0),
    ("cpu.max", "CPUQuotaPerSecUSec", As::CpuMax, 0),
    ("cpuset.cpus", "AllowedCPUs", As::Mask, 0),
    ("cpuset.mems", "AllowedMemoryNodes", As::Mask, 0),
    ("io.weight", "IOWeight", As::IoWeight, 0),
    ("io.bfq.weight", "IOWeight", As::BfqWeight, 0),
    // v1
    ("memory.limit_in_bytes", "MemoryLimit", As::Limit, 0),
    ("cpu.shares", "CPUShares", As::Weight, 0),
    ("blkio.weight", "BlockIOWeight", As::Weight, 0),
    ("blkio.bfq.weight", "BlockIOWeight", As::Weight, 0),
    // After the weights, which an idle cgroup does not have.
    ("cpu.idle", "CPUWeight", As::Idle, 252),
];

/// Microseconds in a second, and in a hundredth of one.
const SECOND: u128 = 1_000_000;
const PERCENT: u128 = 10_000;

/// The properties that `writes` come to.
pub(super) fn properties(writes: &[Write]) -> Vec<Property> {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for write in writes {
        last.insert(&write.file, write.value.trim());
    }
    let mut properties = Vec::new();
    for (file, name, kind, since) in TABLE {
        if let Some(value) = last.get(file) {
            let made = convert(name, *kind, value).unwrap_or_default();
            properties.extend(made.into_iter().map(|one| one.since(*since)));
        }
    }
    properties.extend(quota_of_v1(&last).unwrap_or_default());
    properties
}

fn convert(name: &str, kind: As, value: &str) -> Option<Vec<Property>> {
    let one = |value| Some(vec![Property::new(name, value)]);
    match kind {
        As::Limit => one(Value::Uint64(limit(value)?)),
        As::Weight => one(Value::Uint64(value.parse().ok()?)),
        As::Mask => one(Value::Bytes(mask(value)?)),
        As::Idle => (value == "1").then_some(Value::Uint64(0)).and_then(one),
        As::IoWeight => Some(io_weights(value, |weight| weight)),
        As::BfqWeight => Some(io_weights(value, io_weight)),
        As::CpuMax => {
            let (quota, period) = value.split_once(' ').unwrap_or((value, "100000"));
            quota_and_period(limit(quota)?, period.trim().parse().ok()?)
        }
    }
}

fn limit(value: &str) -> Option<u64> {
    match value {
        "max" | "-1" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// v1 has a file for either. A quota alone has the kernel's period.
fn quota_of_v1(last: &BTreeMap<&str, &str>) -> Option<Vec<Property>> {
    let (quota, period) = (last.get("cpu.cfs_quota_us"), last.get("cpu.cfs_period_us"));
    match (quota, period) {
        (None, None) => None,
        (quota, period) => quota_and_period(
            limit(quota.unwrap_or(&"-1"))?,
            period.unwrap_or(&"100000").parse().ok()?,
        ),
    }
}

/// systemd counts in whole percents of a processor. It is told the next one above, so that what
/// it writes when it reloads does not fall below what the config has.
fn quota_and_period(quota: u64, period: u64) -> Option<Vec<Property>> {
    let per_second = match quota {
        u64::MAX => u64::MAX,
        quota => {
            let exact = (u128::from(quota) * SECOND).checked_div(u128::from(period))?;
            u64::try_from(exact.max(1).next_multiple_of(PERCENT)).unwrap_or(u64::MAX)
        }
    };
    Some(vec![
        Property::new("CPUQuotaPeriodUSec", Value::Uint64(period)),
        Property::new("CPUQuotaPerSecUSec", Value::Uint64(per_second)),
    ])
}

/// `0-2,5` as bits, the lowest of the first byte for 0. The kernel has room for 8192 processors.
fn mask(list: &str) -> Option<Vec<u8>> {
    let mut mask = Vec::new();
    for range in list.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= 8192 {
            return None;
        }
        mask.resize(mask.len().max(last / 8 + 1), 0);
        for bit in first..=last {
            if let Some(byte) = mask.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    (!mask.is_empty()).then_some(mask)
}

/// Lines of `WEIGHT`, `default WEIGHT` or `MAJOR:MINOR WEIGHT`.
fn io_weights(value: &str, convert: fn(u64) -> u64) -> Vec<Property> {
    let mut properties = Vec::new();
    let mut devices = Vec::new();
    for line in value.lines() {
        let (whose, weight) = line.trim().rsplit_once(' ').unwrap_or(("default", line.trim()));
        match (whose.trim(), weight.parse().ok().map(convert)) {
            (_, None) => {}
            ("default", Some(weight)) => {
                properties.push(Property::new("IOWeight", Value::Uint64(weight)));
            }
            (device, Some(weight)) => {
                let path = Value::string(format!("/dev/block/{device}"));
                devices.push(Value::Struct(vec![path, Value::Uint64(weight)]));
            }
        }
    }
    if !devices.is_empty() {
        properties.push(Property::new("IODeviceWeight", Value::Array("(st)".into(), devices)));
    }
    properties
}

/// The weight that systemd would turn into this weight of BFQ: 1, 100 and 1000 of that are 1, 100 and
/// 10000.
fn io_weight(bfq: u64) -> u64 {
    match bfq {
        ..=100 => bfq.max(1),
        bfq => 100 + (bfq.min(1000) - 100) * 9900 / 900,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::v2::limits;
    use super::*;

    fn text(writes: &[(&str, &str)]) -> Vec<String> {
        let write = |(file, value): &(&str, &str)| Write::new("", file, *value);
        let writes: Vec<Write> = writes.iter().map(write).collect();
        properties(&writes).iter().map(Property::to_string).collect()
    }

    #[test]
    fn what_engines_send() {
        let json = r#"{"memory":{"limit":1000,"swap":3000,"reservation":500},"pids":{"limit":55},
            "cpu":{"shares":1024,"quota":12345,"period":50000,"cpus":"0-2,9","mems":"0"}}"#;
        let limits = limits::of(&serde_json::from_str(json).expect("resources"));
        let shown: Vec<String> =
            properties(&limits.writes).iter().map(Property::to_string).collect();
        let expected = [
            "MemoryMax = uint64 1000",
            "MemoryLow = uint64 500",
            "MemorySwapMax = uint64 2000",
            "TasksMax = uint64 55",
            "CPUWeight = uint64 100",
            "CPUQuotaPeriodUSec = uint64 50000",
            "CPUQuotaPerSecUSec = uint64 250000",
            "AllowedCPUs = bytes [07, 02]",
            "AllowedMemoryNodes = bytes [01]",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn no_limit_is_infinity() {
        let infinity = "uint64 18446744073709551615";
        for (file, value, name) in [
            ("memory.max", "max", "MemoryMax"),
            ("pids.max", "max", "TasksMax"),
            ("memory.limit_in_bytes", "-1", "MemoryLimit"),
        ] {
            assert_eq!(text(&[(file, value)]), [format!("{name} = {infinity}")]);
        }
        let quota = format!("CPUQuotaPerSecUSec = {infinity}");
        for writes in [("cpu.max", "max 100000"), ("cpu.cfs_quota_us", "-1")] {
            let expected = ["CPUQuotaPeriodUSec = uint64 100000".to_string(), quota.clone()];
            assert_eq!(text(&[writes]), expected);
        }
    }

    #[test]
    fn a_quota_is_rounded_up_to_a_percent() {
        let per_second = |quota, period| {
            let made = quota_and_period(quota, period).expect("properties");
            made[1].value.clone()
        };
        for (quota, period, expected) in [
            (50_000, 100_000, 500_000),
            (50_001, 100_000, 510_000),
            (1000, 1_000_000, 10_000),
            (1, 1_000_000, 10_000),
            (200_000, 100_000, 2_000_000),
            (u64::MAX - 1, 1, u64::MAX),
        ] {
            assert_eq!(per_second(quota, period), Value::Uint64(expected), "{quota}/{period}");
        }
        assert_eq!(quota_and_period(1, 0), None);
    }

    #[test]
    fn the_last_write_wins_and_idle_beats_weight_where_it_is_known() {
        assert_eq!(text(&[("memory.max", "1"), ("memory.max", "2")]), ["MemoryMax = uint64 2"]);
        let writes = [("cpu.idle", "1"), ("cpu.weight", "7")];
        assert_eq!(text(&writes), ["CPUWeight = uint64 7", "CPUWeight = uint64 0"]);
        let both = writes.map(|(file, value)| Write::new("", file, value));
        let versions: Vec<u32> = properties(&both).iter().map(|one| one.since).collect();
        assert_eq!(versions, [0, 252]);
        assert_eq!(text(&[("cpu.idle", "0")]), [""; 0]);
    }

    #[test]
    fn weights_of_io() {
        let weights = ["IOWeight = uint64 200", "IODeviceWeight = [('/dev/block/8:0', uint64 30)]"];
        assert_eq!(text(&[("io.weight", "default 200\n8:0 30")]), weights);
        assert_eq!(text(&[("io.weight", "200")]), weights[..1]);
        for (bfq, weight) in [(1, 1), (10, 10), (100, 100), (500, 4500), (1000, 10_000)] {
            let expected = [format!("IOWeight = uint64 {weight}")];
            assert_eq!(text(&[("io.bfq.weight", &bfq.to_string())]), expected);
        }
    }

    #[test]
    fn v1() {
        let writes = [
            ("cpu.shares", "512"),
            ("cpu.cfs_period_us", "50000"),
            ("cpu.cfs_quota_us", "25000"),
            ("blkio.weight", "300"),
        ];
        let expected = [
            "CPUShares = uint64 512",
            "BlockIOWeight = uint64 300",
            "CPUQuotaPeriodUSec = uint64 50000",
            "CPUQuotaPerSecUSec = uint64 500000",
        ];
        assert_eq!(text(&writes), expected);
    }

    #[test]
    fn what_has_no_property_or_no_sense_is_left_to_the_kernel() {
        let writes = [
            ("io.max", "8:0 rbps=1"),
            ("memory.max", "many"),
            ("cpu.max", "1 2 3"),
            ("cpuset.cpus", "3-1"),
            ("cpuset.mems", "99999999999"),
            ("io.weight", "default x"),
        ];
        assert_eq!(text(&writes), [""; 0]);
    }
}

//! Values of config.json, which were made for cgroup v1, as cgroup v2 spells them. Pure numbers.
//!
//! Where cgroup v2 leaves a choice, it is the one that runc (since 1.3.2) and crun (since 1.23) made,
//! so that changing the runtime changes no container.

/// The smallest and largest `cpu.shares` of cgroup v1; values outside count as these.
const SHARES: (u64, u64) = (2, 262_144);

/// The period of the kernel when none is given, in microseconds.
const DEFAULT_PERIOD: u64 = 100_000;

/// `cpu.shares` (v1: 2 to 262144, default 1024) as `cpu.weight` (v2: 1 to 10000, default 100).
///
/// The curve is the parabola in the logarithms that maps lowest, default and highest of the one onto
/// those of the other; a straight line would turn the default of v1 into a weight of 39.
pub(super) fn cpu_weight(shares: u64) -> u64 {
    match shares {
        ..=2 => 1,
        shares if shares >= SHARES.1 => 10_000,
        shares => {
            let log = (shares as f64).log2();
            10f64.powf((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0).ceil() as u64
        }
    }
}

/// `cpu.max`: quota and period in microseconds. A quota of 0 or less is no quota.
pub(super) fn cpu_max(quota: Option<i64>, period: Option<u64>) -> String {
    let period = period.filter(|period| *period != 0).unwrap_or(DEFAULT_PERIOD);
    match quota {
        Some(quota) if quota > 0 => format!("{quota} {period}"),
        _ => format!("max {period}"),
    }
}

/// A limit of which -1 is "no limit"; `None` for other negative values, which mean nothing.
pub(in super::super) fn limit(value: i64) -> Option<String> {
    match value {
        -1 => Some("max".into()),
        0.. => Some(value.to_string()),
        _ => None,
    }
}

/// `pids.max`. A limit of 0 is written as 1: the container's first process is born in its cgroup,
/// which a 0 would refuse, and either lets that process have no others.
pub(in super::super) fn pids_max(value: i64) -> Option<String> {
    limit(if value == 0 { 1 } else { value })
}

/// `memory.swap.max`, which v2 counts apart, from v1's `swap`, which is memory and swap together
/// (bytes; 0 is unset, -1 is no limit). `Ok(None)`: nothing to write.
pub(in super::super) fn swap_max(swap: i64, memory: i64) -> Result<Option<String>, &'static str> {
    match (swap, memory) {
        (..=-2, _) => Err("must be -1 (no limit), 0 (unset) or a number of bytes"),
        (0, -1) | (-1, _) => Ok(Some("max".into())),
        (0, _) => Ok(None),
        (_, -1) => Ok(Some(swap.to_string())),
        (_, ..=0) => Err("is memory and swap together and so needs linux.resources.memory.limit"),
        _ if swap < memory => {
            Err("is memory and swap together and so cannot be below linux.resources.memory.limit")
        }
        _ => Ok(Some((swap - memory).to_string())),
    }
}

/// `blkio.weight` of cgroup v1 (10 to 1000) as `io.weight` (1 to 10000), on a straight line.
pub(super) fn io_weight(weight: u16) -> u64 {
    1 + u64::from(weight.clamp(10, 1000) - 10) * 9999 / 990
}

/// A rate of `io.max`. On cgroup v1 a 0 takes the limit of a device away; on v2 the kernel refuses
/// it, and the word for that is `max`.
pub(super) fn io_rate(rate: u64) -> String {
    match rate {
        0 => "max".into(),
        _ => rate.to_string(),
    }
}

/// A line of `rdma.max`. The kernel counts in signed 32 bits, and more than that is no limit.
pub(super) fn rdma_max(device: &str, handles: Option<u32>, objects: Option<u32>) -> String {
    let one = |key: &str, value: Option<u32>| match value {
        None => String::new(),
        Some(value) if i32::try_from(value).is_err() => format!(" {key}=max"),
        Some(value) => format!(" {key}={value}"),
    };
    format!("{device}{}{}", one("hca_handle", handles), one("hca_object", objects))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_map_lowest_default_and_highest() {
        for (shares, weight) in
            [(0, 1), (1, 1), (2, 1), (1024, 100), (262_144, 10_000), (u64::MAX, 10_000)]
        {
            assert_eq!(cpu_weight(shares), weight, "{shares}");
        }
    }

    #[test]
    fn more_shares_never_weigh_less() {
        let weights: Vec<u64> = (SHARES.0..=SHARES.1).map(cpu_weight).collect();
        assert!(weights.is_sorted());
        assert!(weights.iter().all(|weight| (1..=10_000).contains(weight)));
    }

    /// 100m, half a CPU, two and four, as Kubernetes and Docker count them.
    #[test]
    fn shares_of_engines() {
        for (shares, weight) in [(102, 17), (512, 59), (2048, 174), (4096, 303)] {
            assert_eq!(cpu_weight(shares), weight, "{shares}");
        }
    }

    #[test]
    fn quota_and_period() {
        assert_eq!(cpu_max(Some(50_000), Some(200_000)), "50000 200000");
        assert_eq!(cpu_max(Some(50_000), None), "50000 100000");
        assert_eq!(cpu_max(Some(50_000), Some(0)), "50000 100000");
        assert_eq!(cpu_max(Some(-1), Some(20_000)), "max 20000");
        assert_eq!(cpu_max(None, Some(20_000)), "max 20000");
    }

    #[test]
    fn limits() {
        assert_eq!(limit(-1).as_deref(), Some("max"));
        assert_eq!(limit(i64::MAX).as_deref(), Some("9223372036854775807"));
        assert_eq!(limit(-2), None);
        assert_eq!(pids_max(0).as_deref(), Some("1"));
        assert_eq!(pids_max(-1).as_deref(), Some("max"));
        assert_eq!(pids_max(2048).as_deref(), Some("2048"));
        assert_eq!(pids_max(i64::MIN), None);
    }

    /// What runc makes of each pair of swap and memory, one of each sign.
    #[test]
    fn swap_without_memory() {
        assert_eq!(swap_max(200, 50), Ok(Some("150".into())));
        assert_eq!(swap_max(50, 50), Ok(Some("0".into())));
        assert_eq!(swap_max(0, 50), Ok(None));
        assert_eq!(swap_max(0, 0), Ok(None));
        assert_eq!(swap_max(-1, 50), Ok(Some("max".into())));
        assert_eq!(swap_max(-1, 0), Ok(Some("max".into())));
        assert_eq!(swap_max(-1, -1), Ok(Some("max".into())));
        assert_eq!(swap_max(0, -1), Ok(Some("max".into())));
        assert_eq!(swap_max(200, -1), Ok(Some("200".into())));
        assert!(swap_max(49, 50).unwrap_err().contains("below"));
        assert!(swap_max(200, 0).unwrap_err().contains("needs"));
        assert!(swap_max(-7, 50).is_err());
    }

    #[test]
    fn swap_never_overflows() {
        let edges = [i64::MIN, -2, -1, 0, 1, 2, i64::MAX - 1, i64::MAX];
        for swap in edges {
            for memory in edges {
                if let Ok(Some(value)) = swap_max(swap, memory) {
                    assert!(value == "max" || value.parse::<i64>().is_ok_and(|value| value >= 0));
                }
            }
        }
    }

    #[test]
    fn weights_of_disks() {
        for (weight, expected) in [(10, 1), (100, 910), (500, 4950), (1000, 10_000)] {
            assert_eq!(io_weight(weight), expected, "{weight}");
        }
        let all: Vec<u64> = (10..=1000).map(io_weight).collect();
        assert!(all.is_sorted_by(|a, b| a < b));
        assert!((0..=u16::MAX).map(io_weight).all(|weight| (1..=10_000).contains(&weight)));
    }

    #[test]
    fn rates_and_rdma() {
        assert_eq!((io_rate(0), io_rate(1)), ("max".into(), "1".into()));
        assert_eq!(io_rate(u64::MAX), "18446744073709551615");
        assert_eq!(rdma_max("mlx", Some(2), None), "mlx hca_handle=2");
        assert_eq!(rdma_max("mlx", Some(0), Some(u32::MAX)), "mlx hca_handle=0 hca_object=max");
        assert_eq!(rdma_max("mlx", None, Some(2_147_483_647)), "mlx hca_object=2147483647");
    }
}

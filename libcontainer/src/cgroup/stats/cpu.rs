//! Processor time.

use super::parse::{flat_keyed, number};
use std::time::Duration;

/// How long a unit of `cpuacct.stat` is: USER_HZ is 100 on every machine.
const TICK: Duration = Duration::from_millis(10);

/// Processor time, summed up over all processors.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Cpu {
    /// All of it. v2: `usage_usec` of `cpu.stat`; v1: `cpuacct.usage`.
    pub usage: Duration,
    /// In programs. v2: `user_usec`; v1: `cpuacct.stat`, to 10 ms.
    pub user: Duration,
    /// In the kernel. v2: `system_usec`; v1: `cpuacct.stat`, to 10 ms.
    pub system: Duration,
    /// `usage` for each possible processor (v1 only, `cpuacct.usage_percpu`).
    pub per_cpu_usage: Vec<Duration>,
    /// `user` for each possible processor (v1 only, `cpuacct.usage_all`).
    pub per_cpu_user: Vec<Duration>,
    /// `system` for each possible processor (v1 only, `cpuacct.usage_all`).
    pub per_cpu_system: Vec<Duration>,
    /// What its quota did to it: zeroes without the controller.
    pub throttling: Throttling,
}

/// What `linux.resources.cpu.quota` did: `cpu.stat`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Throttling {
    /// Periods in which it wanted to run (`nr_periods`).
    pub periods: u64,
    /// Periods in which its quota was used up (`nr_throttled`).
    pub throttled_periods: u64,
    /// How long it was held back, over all processors (v2: `throttled_usec`, v1: `throttled_time`).
    pub throttled_time: Duration,
    /// Periods in which it used more than its quota, saved up before (`nr_bursts`).
    pub burst_periods: u64,
    /// How much more, over all processors (v2: `burst_usec`, v1: `burst_time`).
    pub burst_time: Duration,
}

impl Cpu {
    /// `cpu.stat` of v2.
    pub(super) fn parse(text: &str) -> Self {
        let mut cpu = Self { throttling: Throttling::parse(text), ..Self::default() };
        for (key, value) in flat_keyed(text) {
            match key {
                "usage_usec" => cpu.usage = Duration::from_micros(value),
                "user_usec" => cpu.user = Duration::from_micros(value),
                "system_usec" => cpu.system = Duration::from_micros(value),
                _ => {}
            }
        }
        cpu
    }

    /// Adds `cpuacct.stat` of v1.
    pub(super) fn add_stat(&mut self, text: &str) {
        let ticks = |count| TICK.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        for (key, value) in flat_keyed(text) {
            match key {
                "user" => self.user = ticks(value),
                "system" => self.system = ticks(value),
                _ => {}
            }
        }
    }

    /// Adds `cpuacct.usage_all` of v1: a header, then `CPU USER SYSTEM` on each line.
    pub(super) fn add_usage_all(&mut self, text: &str) {
        for line in text.lines() {
            let mut numbers = line.split(' ').map_while(number).map(Duration::from_nanos);
            if let (Some(_), Some(user), Some(system)) =
                (numbers.next(), numbers.next(), numbers.next())
            {
                self.per_cpu_user.push(user);
                self.per_cpu_system.push(system);
            }
        }
    }
}

/// `cpuacct.usage_percpu` of v1.
pub(super) fn per_cpu(text: &str) -> Vec<Duration> {
    text.split_whitespace().filter_map(number).map(Duration::from_nanos).collect()
}

impl Throttling {
    /// `cpu.stat` of either version: they differ in the names of times, and so in their units.
    pub(super) fn parse(text: &str) -> Self {
        let mut throttling = Self::default();
        for (key, value) in flat_keyed(text) {
            match key {
                "nr_periods" => throttling.periods = value,
                "nr_throttled" => throttling.throttled_periods = value,
                "throttled_usec" => throttling.throttled_time = Duration::from_micros(value),
                "throttled_time" => throttling.throttled_time = Duration::from_nanos(value),
                "nr_bursts" => throttling.burst_periods = value,
                "burst_usec" => throttling.burst_time = Duration::from_micros(value),
                "burst_time" => throttling.burst_time = Duration::from_nanos(value),
                _ => {}
            }
        }
        throttling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux 6.1 with the controller.
    const V2: &str = "usage_usec 190000\nuser_usec 180000\nsystem_usec 10000\nnr_periods 7\n\
        nr_throttled 3\nthrottled_usec 42\nnr_bursts 2\nburst_usec 5\n";

    #[test]
    fn v2_counts_in_microseconds() {
        let cpu = Cpu::parse(V2);
        assert_eq!(cpu.usage, Duration::from_millis(190));
        assert_eq!(cpu.user, Duration::from_millis(180));
        assert_eq!(cpu.system, Duration::from_millis(10));
        let throttling = cpu.throttling;
        assert_eq!((throttling.periods, throttling.throttled_periods), (7, 3));
        assert_eq!(throttling.throttled_time, Duration::from_micros(42));
        assert_eq!((throttling.burst_periods, throttling.burst_time.as_nanos()), (2, 5_000));
    }

    /// Linux 6.18 without the controller, and with a key that is newer than this code.
    #[test]
    fn v2_without_the_controller_counts_time_all_the_same() {
        let cpu = Cpu::parse("usage_usec 15293\nuser_usec 3823\nsystem_usec 11470\nnice_usec 0\n");
        assert_eq!(cpu.usage, Duration::from_micros(15_293));
        assert_eq!(cpu.throttling, Throttling::default());
        assert_eq!(Cpu::parse(""), Cpu::default());
    }

    #[test]
    fn v1_counts_in_nanoseconds_and_ticks() {
        let throttling = Throttling::parse(
            "nr_periods 1\nnr_throttled 1\nthrottled_time 42\nnr_bursts 1\nburst_time 7\n",
        );
        assert_eq!(throttling.throttled_time, Duration::from_nanos(42));
        assert_eq!(throttling.burst_time, Duration::from_nanos(7));
        let mut cpu = Cpu::default();
        cpu.add_stat("user 2009880\nsystem 747244\n");
        assert_eq!((cpu.user.as_millis(), cpu.system.as_millis()), (20_098_800, 7_472_440));
    }

    #[test]
    fn v1_counts_each_processor() {
        let mut cpu = Cpu::default();
        cpu.add_usage_all("cpu user system\n0 9543014209899 3651686502338\n1 10 20\n");
        assert_eq!(cpu.per_cpu_user, [9_543_014_209_899, 10].map(Duration::from_nanos));
        assert_eq!(cpu.per_cpu_system, [3_651_686_502_338, 20].map(Duration::from_nanos));
        assert_eq!(
            per_cpu("13194700712237 30 \n"),
            [13_194_700_712_237, 30].map(Duration::from_nanos)
        );
        assert!(per_cpu("\n").is_empty());
    }
}

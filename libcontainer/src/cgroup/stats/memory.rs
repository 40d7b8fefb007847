//! Memory.

use super::Counter;
use super::files::Files;
use super::parse::flat_keyed;
use crate::error::Result;
use std::collections::BTreeMap;

/// Memory, in bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Memory {
    /// All of it but swap (v2: `memory.current`, `.max`, `.peak`; v1: `memory.usage_in_bytes` and so
    /// on).
    pub usage: Counter,
    /// Swap alone: v2 (`memory.swap.*`).
    pub swap: Option<Counter>,
    /// Memory and swap together: v1 (`memory.memsw.*`).
    pub with_swap: Option<Counter>,
    /// The kernel's memory: v1 (`memory.kmem.*`). On v2 it is `kernel` of `stat`.
    pub kernel: Option<Counter>,
    /// The buffers of TCP: v1 (`memory.kmem.tcp.*`).
    pub kernel_tcp: Option<Counter>,
    /// Page cache (v2: `file` of `memory.stat`; v1: `cache`, of this cgroup without those below).
    pub cache: u64,
    /// `memory.stat`, by the kernel's names. Most are bytes; those that begin with `pg`, `workingset`,
    /// `thp` and the like count events.
    pub stat: BTreeMap<String, u64>,
    /// What the limits led to.
    pub events: MemoryEvents,
}

/// How often limits led to something (v2: `memory.events`, which counts those below, too; v1 knows
/// `oom_kill` alone, from `memory.oom_control`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MemoryEvents {
    /// Memory was reclaimed though usage was below `memory.low`.
    pub low: u64,
    /// Tasks were made to reclaim since usage was above `memory.high`.
    pub high: u64,
    /// Usage was about to go over `memory.max`.
    pub max: u64,
    /// Nothing was left to reclaim, and an allocation was about to fail.
    pub oom: u64,
    /// Processes that the OOM killer killed.
    pub oom_kill: u64,
    /// Times that it killed all of a cgroup.
    pub oom_group_kill: u64,
}

impl MemoryEvents {
    pub(crate) fn parse(text: &str) -> Self {
        let mut events = Self::default();
        for (key, value) in flat_keyed(text) {
            match key {
                "low" => events.low = value,
                "high" => events.high = value,
                "max" => events.max = value,
                "oom" => events.oom = value,
                "oom_kill" => events.oom_kill = value,
                "oom_group_kill" => events.oom_group_kill = value,
                _ => {}
            }
        }
        events
    }
}

impl Memory {
    pub(super) fn read_v2(files: &Files<'_>) -> Result<Option<Self>> {
        const NAMES: [&str; 4] = [".current", ".max", ".peak", ""];
        let Some(usage) = files.counter("memory", NAMES)? else { return Ok(None) };
        let stat = files.parsed("memory.stat", stat)?;
        Ok(Some(Self {
            usage,
            swap: files.counter("memory.swap", NAMES)?,
            cache: stat.get("file").copied().unwrap_or_default(),
            stat,
            events: files.parsed("memory.events", MemoryEvents::parse)?,
            ..Self::default()
        }))
    }

    pub(super) fn read_v1(files: &Files<'_>) -> Result<Option<Self>> {
        const NAMES: [&str; 4] =
            [".usage_in_bytes", ".limit_in_bytes", ".max_usage_in_bytes", ".failcnt"];
        let Some(usage) = files.counter("memory", NAMES)? else { return Ok(None) };
        let stat = files.parsed("memory.stat", stat)?;
        Ok(Some(Self {
            usage,
            swap: None,
            with_swap: files.counter("memory.memsw", NAMES)?,
            kernel: files.counter("memory.kmem", NAMES)?,
            kernel_tcp: files.counter("memory.kmem.tcp", NAMES)?,
            cache: stat.get("cache").copied().unwrap_or_default(),
            stat,
            events: files.parsed("memory.oom_control", MemoryEvents::parse)?,
        }))
    }
}

fn stat(text: &str) -> BTreeMap<String, u64> {
    flat_keyed(text).map(|(key, value)| (key.into(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_both_versions() {
        let events = MemoryEvents::parse(
            "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\nsock_throttled 7\n",
        );
        let expected =
            MemoryEvents { low: 1, high: 2, max: 3, oom: 4, oom_kill: 5, oom_group_kill: 6 };
        assert_eq!(events, expected);
        let v1 = MemoryEvents::parse("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
        assert_eq!(v1, MemoryEvents { oom_kill: 2, ..MemoryEvents::default() });
    }

    #[test]
    fn every_key_of_stat_is_kept() {
        let stat = stat("anon 49152\nfile 0\npgfault 1612\nodd\n");
        let expected = [("anon", 49_152), ("file", 0), ("pgfault", 1_612)];
        assert_eq!(stat, expected.map(|(key, value)| (key.into(), value)).into());
    }
}

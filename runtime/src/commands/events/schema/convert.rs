//! From the library's statistics to the schema.

use std::time::Duration;

use libcontainer::cgroup::stats::{self, Counter};

use super::{
    Blkio, BlkioEntry, Cpu, CpuSet, CpuUsage, Empty, HugePages, Memory, MemoryEntry, Pids, Psi,
    Stall, Stats, Throttling,
};

fn nanoseconds(time: &Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl<'a> From<&'a stats::Stats> for Stats<'a> {
    fn from(stats: &'a stats::Stats) -> Self {
        let pressure = &stats.pressure;
        let psi = |stalls: &Option<stats::Stalls>| stalls.as_ref().map(Psi::from);
        let memory = stats.memory.as_ref().map(Memory::from).unwrap_or_default();
        let blkio = stats.io.as_ref().map(Blkio::from).unwrap_or_default();
        let pages = |(size, pages): (&'a String, _)| (size.as_str(), HugePages::from(pages));
        Self {
            cpu: Cpu { psi: psi(&pressure.cpu), ..Cpu::from(&stats.cpu) },
            cpuset: stats.cpuset.as_ref().map(CpuSet::from).unwrap_or_default(),
            memory: Memory { psi: psi(&pressure.memory), ..memory },
            pids: stats.pids.as_ref().map(Pids::from).unwrap_or_default(),
            blkio: Blkio { psi: psi(&pressure.io), ..blkio },
            hugetlb: stats.hugetlb.iter().map(pages).collect(),
            intel_rdt: Empty {},
            network_interfaces: None,
        }
    }
}

impl From<&stats::Cpu> for Cpu {
    fn from(cpu: &stats::Cpu) -> Self {
        let each = |times: &[Duration]| times.iter().map(nanoseconds).collect();
        let throttling = &cpu.throttling;
        Self {
            usage: CpuUsage {
                total: nanoseconds(&cpu.usage),
                percpu: each(&cpu.per_cpu_usage),
                percpu_kernel: each(&cpu.per_cpu_system),
                percpu_user: each(&cpu.per_cpu_user),
                kernel: nanoseconds(&cpu.system),
                user: nanoseconds(&cpu.user),
            },
            throttling: Throttling {
                periods: throttling.periods,
                throttled_periods: throttling.throttled_periods,
                throttled_time: nanoseconds(&throttling.throttled_time),
            },
            psi: None,
        }
    }
}

impl<'a> From<&'a stats::CpuSet> for CpuSet<'a> {
    fn from(set: &'a stats::CpuSet) -> Self {
        Self {
            cpus: &set.cpus,
            cpu_exclusive: set.cpu_exclusive.into(),
            mems: &set.mems,
            mem_hardwall: set.mem_hardwall.into(),
            mem_exclusive: set.mem_exclusive.into(),
            memory_migrate: set.memory_migrate.into(),
            memory_spread_page: set.memory_spread_page.into(),
            memory_spread_slab: set.memory_spread_slab.into(),
            memory_pressure: set.memory_pressure,
            sched_load_balance: set.sched_load_balance.into(),
            sched_relax_domain_level: set.sched_relax_domain_level,
        }
    }
}

impl<'a> From<&'a stats::Memory> for Memory<'a> {
    fn from(memory: &'a stats::Memory) -> Self {
        let entry = |counter: &Option<Counter>| counter.as_ref().map(MemoryEntry::from);
        Self {
            cache: memory.cache,
            usage: (&memory.usage).into(),
            swap: entry(&memory.with_swap).unwrap_or_else(|| with_swap(memory)),
            kernel: entry(&memory.kernel).unwrap_or_default(),
            kernel_tcp: entry(&memory.kernel_tcp).unwrap_or_default(),
            raw: Some(&memory.stat).filter(|stat| !stat.is_empty()),
            psi: None,
        }
    }
}

/// Memory and swap of v2 as v1 counts them; their peaks may have been at different times.
fn with_swap(memory: &stats::Memory) -> MemoryEntry {
    let usage = MemoryEntry::from(&memory.usage);
    let swap = memory.swap.as_ref().map(MemoryEntry::from).unwrap_or_default();
    MemoryEntry {
        limit: swap.limit.saturating_add(usage.limit),
        usage: swap.usage.saturating_add(usage.usage),
        max: 0,
        failcnt: 0,
    }
}

impl From<&Counter> for MemoryEntry {
    fn from(counter: &Counter) -> Self {
        Self {
            limit: counter.limit.unwrap_or(u64::MAX),
            usage: counter.usage,
            max: counter.peak.unwrap_or_default(),
            failcnt: counter.failures,
        }
    }
}

impl From<&stats::Pids> for Pids {
    fn from(pids: &stats::Pids) -> Self {
        Self { current: pids.current, limit: pids.limit.unwrap_or_default() }
    }
}

impl<'a> From<&'a stats::Io> for Blkio<'a> {
    fn from(io: &'a stats::Io) -> Self {
        let each = |list: &'a [stats::IoEntry]| list.iter().map(BlkioEntry::from).collect();
        Self {
            io_service_bytes_recursive: each(&io.service_bytes),
            io_serviced_recursive: each(&io.serviced),
            io_queue_recursive: each(&io.queued),
            io_service_time_recursive: each(&io.service_time),
            io_wait_time_recursive: each(&io.wait_time),
            io_merged_recursive: each(&io.merged),
            io_time_recursive: each(&io.time),
            sectors_recursive: each(&io.sectors),
            psi: None,
        }
    }
}

impl<'a> From<&'a stats::IoEntry> for BlkioEntry<'a> {
    fn from(entry: &'a stats::IoEntry) -> Self {
        Self { major: entry.major, minor: entry.minor, op: &entry.op, value: entry.value }
    }
}

/// Reserved pages where the kernel counts them, as runc since 1.1.11.
impl From<&stats::HugePages> for HugePages {
    fn from(pages: &stats::HugePages) -> Self {
        let counter = pages.reserved.as_ref().unwrap_or(&pages.used);
        Self {
            usage: counter.usage,
            max: counter.peak.unwrap_or_default(),
            failcnt: counter.failures,
        }
    }
}

impl From<&stats::Stalls> for Psi {
    fn from(stalls: &stats::Stalls) -> Self {
        Self { some: (&stalls.some).into(), full: (&stalls.full).into() }
    }
}

impl From<&stats::Stall> for Stall {
    fn from(stall: &stats::Stall) -> Self {
        Self {
            avg10: stall.avg10,
            avg60: stall.avg60,
            avg300: stall.avg300,
            total: u64::try_from(stall.total.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

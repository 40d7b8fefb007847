//! [Memory](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#memory)

use oci_spec::runtime::LinuxMemory;

use super::{Findings, limit};

/// What `memory.swappiness` of cgroup v1 takes.
const MOST_SWAPPINESS: u64 = 100;

pub(super) fn check(memory: &LinuxMemory, findings: &mut Findings) {
    let limits = [
        ("limit", memory.limit()),
        ("reservation", memory.reservation()),
        ("swap", memory.swap()),
        ("kernel", kernel(memory)),
        ("kernelTCP", memory.kernel_tcp()),
    ];
    for (name, value) in limits {
        limit(&format!("linux.resources.memory.{name}"), value, findings);
    }
    swap(memory.swap().unwrap_or(0), memory.limit().unwrap_or(0), findings);
    let swappiness = memory.swappiness().unwrap_or(0);
    let text = format!("{swappiness} is out of range; 0 to {MOST_SWAPPINESS} is right");
    let field = "linux.resources.memory.swappiness";
    findings.expect(swappiness <= MOST_SWAPPINESS, field, text);
}

/// `swap` is memory and swap together.
fn swap(swap: i64, memory: i64, findings: &mut Findings) {
    let text = match memory {
        _ if swap <= 0 => return,
        0 => format!(
            "{swap} is memory and swap together, and so needs linux.resources.memory.limit as well"
        ),
        _ if swap < memory => format!(
            "{swap} is memory and swap together, and so cannot be below \
             linux.resources.memory.limit, {memory}"
        ),
        _ => return,
    };
    findings.add("linux.resources.memory.swap", text);
}

/// The type calls it obsolete; configs hold it all the same.
#[allow(deprecated)]
fn kernel(memory: &LinuxMemory) -> Option<i64> {
    memory.kernel()
}

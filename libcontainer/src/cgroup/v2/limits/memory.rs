//! `linux.resources.memory`.

use super::super::super::unenforced::Reason;
use super::super::super::write::{IfMissing, Limits, Write};
use super::super::convert;
use oci_spec::runtime::LinuxMemory;

const LIMIT: &str = "linux.resources.memory.limit";
const SWAP: &str = "linux.resources.memory.swap";

/// To the kernel the files are independent: any order is taken, whether values go up or down. Swap
/// is first, as with runc, so that what a lower limit drives out of memory finds the swap that it
/// may use; the other way round, it might be killed in between.
pub(super) fn add(memory: &LinuxMemory, limits: &mut Limits) {
    swap(memory, limits);
    let rows = [
        (LIMIT, "memory.max", memory.limit()),
        ("linux.resources.memory.reservation", "memory.low", memory.reservation()),
    ];
    for (field, file, value) in rows {
        if let Some(value) = value.filter(|value| *value != 0) {
            limits.limit(field, file, convert::limit(value));
        }
    }
    not_in_v2(memory, limits);
}

/// A kernel without swap accounting limits no swap, and where nothing is to be limited, or there
/// is no swap to use, that is no loss.
fn swap(memory: &LinuxMemory, limits: &mut Limits) {
    let swap = memory.swap().unwrap_or(0);
    match convert::swap_max(swap, memory.limit().unwrap_or(0)) {
        Ok(Some(value)) => {
            let if_missing = match value.as_str() {
                "max" | "0" => IfMissing::Fine,
                _ => IfMissing::Error,
            };
            limits.writes.push(Write::new(SWAP, "memory.swap.max", value).if_missing(if_missing));
        }
        Ok(None) => {}
        Err(text) => limits.problem(SWAP, text),
    }
}

fn not_in_v2(memory: &LinuxMemory, limits: &mut Limits) {
    // -1 limits nothing, and 0 is unset.
    let limiting = |value: Option<i64>| value.is_some_and(|value| !matches!(value, -1 | 0));
    let rows = [
        ("kernel", limiting(kernel(memory))),
        ("kernelTCP", limiting(memory.kernel_tcp())),
        ("swappiness", memory.swappiness().is_some()),
        ("disableOOMKiller", memory.disable_oom_killer() == Some(true)),
        ("useHierarchy", memory.use_hierarchy() == Some(false)),
    ];
    for (name, _) in rows.into_iter().filter(|(_, asked)| *asked) {
        limits.unenforced(format!("linux.resources.memory.{name}"), Reason::NotInV2);
    }
}

/// The type calls it obsolete; configs hold it all the same.
#[allow(deprecated)]
fn kernel(memory: &LinuxMemory) -> Option<i64> {
    memory.kernel()
}

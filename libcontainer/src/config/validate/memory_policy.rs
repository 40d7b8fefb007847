//! [Memory policy](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#memory-policy)
//! and [personality](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#personality).

use oci_spec::runtime::MemoryPolicyFlagType::{
    MpolFNumaBalancing, MpolFRelativeNodes, MpolFStaticNodes,
};
use oci_spec::runtime::MemoryPolicyModeType::{
    MpolBind, MpolDefault, MpolLocal, MpolPreferred, MpolPreferredMany,
};
use oci_spec::runtime::{Linux, LinuxMemoryPolicy};

use super::Findings;
use crate::config::List;

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    if let Some(policy) = linux.memory_policy() {
        nodes(policy, findings);
        flags(policy, findings);
    }
    let flags = linux.personality().as_ref().and_then(|personality| personality.flags().as_ref());
    let text = "the specification has no flags yet; leave it out";
    findings.expect(flags.is_none_or(Vec::is_empty), "linux.personality.flags", text);
}

fn nodes(policy: &LinuxMemoryPolicy, findings: &mut Findings) {
    const FIELD: &str = "linux.memoryPolicy.nodes";
    let mode = policy.mode();
    let takes_none = matches!(mode, MpolDefault | MpolLocal);
    match policy.nodes().as_deref().filter(|nodes| !nodes.is_empty()) {
        Some(nodes) if takes_none => {
            findings.add(FIELD, format!("{nodes:?} goes with another mode, {mode} takes no nodes"));
        }
        Some(nodes) => {
            if let Err(text) = List::nodes(nodes) {
                findings.add(FIELD, text);
            }
        }
        // Without nodes, that of the processor is preferred.
        None => {
            let text = format!("is missing; {mode} takes a list such as 0-3,7");
            findings.expect(takes_none || mode == MpolPreferred, FIELD, text);
        }
    }
}

/// The kernel's rules: `sanitize_mpol_flags` and `mpol_new` of mm/mempolicy.c.
fn flags(policy: &LinuxMemoryPolicy, findings: &mut Findings) {
    const FIELD: &str = "linux.memoryPolicy.flags";
    let mode = policy.mode();
    let flags = policy.flags().as_deref().unwrap_or_default();
    let [balancing, relative, fixed] = [MpolFNumaBalancing, MpolFRelativeNodes, MpolFStaticNodes]
        .map(|flag| flags.contains(&flag));
    let text = "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other";
    findings.expect(!(relative && fixed), FIELD, text);
    let balanced = matches!(mode, MpolBind | MpolPreferredMany);
    let text = format!(
        "MPOL_F_NUMA_BALANCING goes with MPOL_BIND and MPOL_PREFERRED_MANY, not with {mode}"
    );
    findings.expect(!balancing || balanced, FIELD, text);
    let without_nodes = policy.nodes().as_deref().unwrap_or_default().is_empty();
    let text = format!("what is said of nodes goes with nodes, and {mode} has none here");
    findings.expect(!((relative || fixed) && without_nodes), FIELD, text);
}

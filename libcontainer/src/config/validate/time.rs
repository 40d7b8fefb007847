//! [Offset for time namespace](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#offset-for-time-namespace)
//! ([time_namespaces(7)](https://man7.org/linux/man-pages/man7/time_namespaces.7.html))

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::Findings;
use super::namespaces::{Origin, origin};
use crate::config::explain::join;

const FIELD: &str = "linux.timeOffsets";

/// The clocks that the kernel offsets.
const CLOCKS: &[&str] = &["monotonic", "boottime"];

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    let Some(offsets) = linux.time_offsets().as_ref().filter(|offsets| !offsets.is_empty()) else {
        return;
    };
    match origin(Some(linux), LinuxNamespaceType::Time) {
        Origin::New => (),
        Origin::Host => findings.add(FIELD, "needs a time namespace in linux.namespaces"),
        Origin::Joined => findings.add(FIELD, "needs a new time namespace, not a joined one"),
    }
    let mut clocks = offsets.keys().collect::<Vec<_>>();
    clocks.sort_unstable();
    for clock in clocks {
        let field = join(FIELD, clock);
        let text = format!("unknown clock; known are {}", CLOCKS.join(", "));
        findings.expect(CLOCKS.contains(&clock.as_str()), &field, text);
        let nanosecs = offsets[clock].nanosecs().unwrap_or(0);
        let text = format!("{nanosecs} is out of range; 0 to 999999999 is right");
        findings.expect(nanosecs < 1_000_000_000, format!("{field}.nanosecs"), text);
    }
}

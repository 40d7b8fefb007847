//! Annotations by which crun is told to make something else of a container: who writes one counts on it.

use serde_json::Value;

use super::super::json::Report;
use super::walk::at;

/// The one that is followed: whether the process has its caller's groups.
pub(crate) const KEEP_GROUPS: &str = "run.oci.keep_original_groups";

/// How the names begin that [crun(1)](https://manpages.debian.org/testing/crun/crun.1.en.html) has.
const CRUNS: &[&str] = &["run.oci.", "module.wasm.image/"];

pub(super) fn look(config: &mut Value, report: &mut Report) {
    let Some(annotations) = at(config, &["annotations"]) else { return };
    let is_cruns = |name: &&String| CRUNS.iter().any(|begin| name.starts_with(begin));
    for name in annotations.keys().filter(is_cruns).filter(|name| *name != KEEP_GROUPS) {
        let text = "is an order to crun; nothing is done about it here";
        report.warnings.push(format!("annotations[{name}]: {text}"));
    }
}

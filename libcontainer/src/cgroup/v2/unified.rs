//! `linux.resources.unified`: files of cgroup v2 by name, passed through.

use super::super::write::{Limits, Write};
use std::collections::HashMap;

/// Files with a line for each device or resource: what is written of one keeps the others.
const KEYED: &[&str] = &["io.max", "io.weight", "io.bfq.weight", "rdma.max"];

/// Adds the writes, by name so that the order is always the same. They win over the typed fields:
/// what those would have written to a file of one value is left out, which also spares a container
/// that is updated a limit that holds for a moment.
pub(super) fn add(files: &HashMap<String, String>, limits: &mut Limits) {
    let wins = |file: &str| files.contains_key(file) && !KEYED.contains(&file);
    limits.writes.retain(|write| !wins(&write.file));
    let mut keys: Vec<&String> = files.keys().collect();
    keys.sort();
    for key in keys {
        let field = format!("linux.resources.unified[{key}]");
        limits.writes.push(Write::new(&field, key, &files[key]));
    }
}

//! `state`, and the form of a container's state that `list` shares.

use libcontainer::State;
use serde_json::json;

use crate::args::CommandLine;
use crate::failure::Result;
use crate::json::{Object, pretty};
use crate::output::print;

/// Prints the state as JSON.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let state = line.root()?.open(line.args.id())?.state()?;
    print(&format!("{}\n", pretty(&object(&state))))?;
    Ok(0)
}

/// The keys in the order of runc.
pub(super) fn object(state: &State) -> Object {
    let mut object = vec![
        ("ociVersion", json!(state.oci_version)),
        ("id", json!(state.id)),
        ("pid", json!(state.pid)),
        ("status", json!(state.status.to_string())),
        ("bundle", json!(state.bundle.to_string_lossy())),
        ("rootfs", json!(state.rootfs.to_string_lossy())),
        ("created", json!(state.created)),
    ];
    if !state.annotations.is_empty() {
        object.push(("annotations", json!(state.annotations)));
    }
    object.push(("owner", json!(state.owner)));
    object
}

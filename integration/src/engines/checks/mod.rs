//! The checks, a file for each subject.

pub(crate) mod build;
pub(crate) mod buildah;
pub(crate) mod compose;
pub(crate) mod cri_container;
pub(crate) mod cri_limits;
pub(crate) mod cri_node;
pub(crate) mod cri_pod;
pub(crate) mod cri_security;
pub(crate) mod cri_streams;
pub(crate) mod ctr_events;
pub(crate) mod ctr_limits;
pub(crate) mod ctr_run;
pub(crate) mod ctr_task;
pub(crate) mod docker;
pub(crate) mod dockerd;
pub(crate) mod errors;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod life;
pub(crate) mod limits;
pub(crate) mod network;
pub(crate) mod podman;
pub(crate) mod pods;
pub(crate) mod run;
pub(crate) mod security;
pub(crate) mod terminal;
pub(crate) mod userns;

use std::fs;

use crate::call::Out;
use crate::result::{Doing, Res};

/// Of a program that is not there or cannot be executed.
const OTHER_WORDS: &str = "crun says it in words of its own";

/// A file of the cgroup of a process, by its name in v1 or in v2.
fn cgroup_file(pid: i32, controller: &str, v1: &str, v2: &str) -> Res<String> {
    let place = crate::cgroups::place_of(pid, controller)?;
    let name = if place.controllers.is_empty() { v2 } else { v1 };
    let text = fs::read_to_string(place.dir.join(name)).doing(name)?;
    Ok(text.trim().to_string())
}

/// `ctr` has no flag for it, and where there is swap a limit of memory alone ends nobody.
fn forbid_swap(pid: i32) -> Res {
    let file = crate::cgroups::place_of(pid, "memory")?.dir.join("memory.swap.max");
    if file.exists() { fs::write(file, "0").doing("forbid it to swap") } else { Ok(()) }
}

/// On a terminal. `ctr` gives it its size when the program runs already.
const TALK: &[&str] = &[
    "sh",
    "-c",
    "tty; : >/dev/tty && echo ready; read a; echo \"<$a>\"; \
     until [ \"$(stty size 2>/dev/null)\" = '31 97' ]; do sleep 0.02; done; stty size; exit 5",
];

/// `ctr` gives up a stream that it has not opened when a quick process ends: one call of these must have
/// both, and all of them the exit status.
fn has_both(code: i32, call: impl Fn() -> Res<Out>) -> Res {
    const CALLS: usize = 5;
    let mut said = String::new();
    for _ in 0..CALLS {
        let out = call()?.is(code)?;
        if out.out == "out\n" && out.err.contains("err\n") {
            return Ok(());
        }
        said = format!("{out:?}");
    }
    Err(format!("a stream is missing: {said}"))
}

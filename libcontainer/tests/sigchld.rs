//! A program that ignores SIGCHLD, with which the kernel keeps no exit status of its children, starts
//! containers as any other; what cannot be done without a status says so, before anything is done.

#![allow(clippy::multiple_unsafe_ops_per_block)]

mod common;

use common::{Left, Stage, Watchdog, process};
use libcontainer::{ExecOptions, Spawned, oci};
use serde_json::{Value, json};
use std::time::Duration;

/// Waits for a process of which nothing is kept.
fn ends_without_status(process: &Spawned) {
    assert_eq!(process.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
}

#[test]
fn a_caller_that_ignores_sigchld() {
    let Some(stage) = Stage::new("sigchld") else { return };
    let _watchdog = Watchdog::new("sigchld", Duration::from_secs(60));
    let before = Left::look(&stage);
    // SAFETY: takes no pointer; this program has no other test.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };

    let created = stage.create(&stage.config(&["/bin/sh", "-c", "exit 3"])).unwrap();
    created.container.start().unwrap();
    ends_without_status(&created.init);
    created.container.delete(false).unwrap();
    drop(created.init);

    let running = stage.sleeper(|_| {});
    let process: oci::Process = serde_json::from_value(process(&["/bin/true"])).unwrap();
    ends_without_status(&running.container().exec(&process, &ExecOptions::default()).unwrap());
    drop(running);

    let failed = |config: &Value| stage.create(config).unwrap_err().to_string();
    let error = failed(&stage.config(&["/bin/no-such-program"]));
    assert!(error.contains("no-such-program"), "{error}");
    for kind in ["createRuntime", "createContainer"] {
        let mut config = stage.config(&["/bin/true"]);
        config["hooks"] = json!({ kind: [{"path": "/bin/true"}] });
        let error = failed(&config);
        assert!(error.starts_with(&format!("hooks.{kind}[0]")), "{error}");
        assert!(error.contains("ignores SIGCHLD"), "{error}");
    }
    assert_eq!(Left::look(&stage), before);
}

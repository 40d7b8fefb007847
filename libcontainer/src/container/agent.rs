//! The seccomp agent: whoever answers the calls that a filter notifies. It listens at
//! `linux.seccomp.listenerPath`, and gets the container process state with the filter's listener
//! ([The Container Process State](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#containerprocessstate)).

use crate::error::{Error, Result};
use crate::sys::socket;
use oci_spec::runtime::Spec;
use serde_json::{Value, json};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

const FIELD: &str = "linux.seccomp.listenerPath";

/// How long an agent may take to accept, and to read what it is sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to the agent.
pub(super) struct Agent {
    socket: OwnedFd,
    metadata: Option<String>,
}

impl Agent {
    /// Connects, before anything is made, if a filter with a listener is to be loaded: that nobody
    /// listens there is found at once.
    pub(super) fn connect(spec: &Spec, listens: bool) -> Result<Option<Self>> {
        let seccomp = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
        let Some(seccomp) = seccomp.filter(|_| listens) else { return Ok(None) };
        let path = seccomp.listener_path().as_deref().unwrap_or(Path::new(""));
        let connected = socket::connect(&crate::plan::c_path(path)?, Some(PATIENCE));
        let socket = connected.map_err(|errno| {
            Error::system(format!("connect to {}", path.display()), errno).field(FIELD)
        })?;
        Ok(Some(Self { socket, metadata: seccomp.listener_metadata().clone() }))
    }

    /// Sends the state and the listener: `pid` is that of the process that the filter is for.
    pub(super) fn deliver(&self, listener: &OwnedFd, pid: i32, state: Value) -> Result<()> {
        let mut process = json!({
            "ociVersion": state["ociVersion"],
            "fds": ["seccompFd"],
            "pid": pid,
            "state": state,
        });
        if let Some(metadata) = self.metadata.as_ref().filter(|text| !text.is_empty()) {
            process["metadata"] = metadata.as_str().into();
        }
        let text = process.to_string();
        socket::send_all(self.socket.as_raw_fd(), text.as_bytes(), listener.as_raw_fd()).map_err(
            |errno| Error::system("send the listener to the seccomp agent", errno).field(FIELD),
        )
    }
}

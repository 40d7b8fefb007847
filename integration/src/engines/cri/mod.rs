//! A client of Kubernetes' Container Runtime Interface, as kubelet is one: gRPC, which curl brings over,
//! with the messages of [`schema`] as JSON. Debian has no crictl.

mod pod;
mod schema;
mod stream;
mod wire;

use std::fs;

use serde_json::{Value, json};

pub(crate) use pod::{Container, Pod, Said};
pub(crate) use stream::Stream;

use super::containerd::{SOCKET, has_systemd};
use crate::ctx::Ctx;
use crate::result::{Doing, Res};
use crate::text::shown;

/// The label of all that a check makes.
const LABEL: &str = "skep-check";

#[derive(Clone, Copy)]
pub(crate) struct Cri<'a> {
    pub(crate) ctx: &'a Ctx,
}

impl<'a> Cri<'a> {
    pub(crate) fn of(ctx: &'a Ctx) -> Cri<'a> {
        Cri { ctx }
    }

    /// A method of the runtime service.
    pub(crate) fn call(&self, method: &str, request: &Value) -> Res<Value> {
        let message = wire::encode(&format!("{method}Request"), request)?;
        // Not compressed, and its length.
        let mut body = vec![0];
        body.extend((message.len() as u32).to_be_bytes());
        body.extend(message);
        let file = |kind| self.ctx.dir.join(format!("{kind}{}", self.ctx.next()));
        let (asked, heads, answer) = (file("request"), file("heads"), file("answer"));
        fs::write(&asked, body).doing("write the request")?;
        let curl = self.ctx.program("curl").args(["--silent", "--show-error"]);
        curl.args(["--http2-prior-knowledge", "--unix-socket", SOCKET])
            .args(["--header", "content-type: application/grpc", "--header", "te: trailers"])
            .arg("--data-binary")
            .arg(format!("@{}", shown(&asked)))
            .arg("--dump-header")
            .arg(&heads)
            .arg("--output")
            .arg(&answer)
            .arg(format!("http://localhost/runtime.v1.RuntimeService/{method}"))
            .ok()?;
        succeeded(method, &fs::read_to_string(&heads).doing("read the answer")?)?;
        let answer = fs::read(&answer).doing("read the answer")?;
        wire::decode(&format!("{method}Response"), answer.get(5..).doing("an answer")?)
    }

    /// A pod: what every one has, and these changes, in the form of crictl's files.
    pub(crate) fn pod(&self, changes: &Value) -> Res<Pod<'a>> {
        self.pod_of("", changes)
    }

    /// With this runtime handler.
    pub(crate) fn pod_of(&self, handler: &str, changes: &Value) -> Res<Pod<'a>> {
        let name = self.ctx.id();
        let logs = self.ctx.make_dir("logs")?;
        let mut config = json!({
            "metadata": {"name": name, "uid": name, "namespace": "straw", "attempt": 0},
            "hostname": "straw-pod",
            "log_directory": logs,
            "labels": {LABEL: self.ctx.id_prefix()},
            "linux": {"security_context": {"namespace_options": own_pids()}},
        });
        if has_systemd() {
            // As kubelet says it; only that makes a scope of the name of a container.
            config["linux"]["cgroup_parent"] = json!("/system.slice");
        }
        merge(&mut config, changes);
        let request = json!({"config": config, "runtime_handler": handler});
        let id = text(&self.call("RunPodSandbox", &request)?["pod_sandbox_id"])?;
        Ok(Pod { cri: *self, id, config })
    }

    /// Stops and removes the pods of this check.
    pub(super) fn clear(&self) -> Res {
        let filter = json!({"filter": {"label_selector": {LABEL: self.ctx.id_prefix()}}});
        let list = self.call("ListPodSandbox", &filter)?;
        for pod in list["items"].as_array().doing("the pods")? {
            let which = json!({"pod_sandbox_id": pod["id"]});
            self.call("StopPodSandbox", &which)?;
            self.call("RemovePodSandbox", &which)?;
        }
        Ok(())
    }
}

/// The status of a gRPC answer, which is in its trailers, or among its headers.
fn succeeded(method: &str, heads: &str) -> Res {
    let head = |key: &str| {
        let mut lines = heads.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.trim())
    };
    match head("grpc-status") {
        Some("0") => Ok(()),
        Some(code) => {
            let words = head("grpc-message").unwrap_or_default();
            Err(format!("{method}: {} (gRPC status {code})", plain(words)))
        }
        None => Err(format!("{method}: no status in the answer")),
    }
}

/// Without the percent signs that stand for what cannot be in a header.
fn plain(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.extend(code.unwrap_or(b'%').to_ne_bytes());
        bytes.extend(part.as_bytes().get(2..).unwrap_or_default());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What kubelet asks for unless a pod says otherwise; the interface's own default is one for all.
fn own_pids() -> Value {
    json!({"pid": "CONTAINER"})
}

/// [RFC 7396](https://www.rfc-editor.org/rfc/rfc7396).
fn merge(target: &mut Value, changes: &Value) {
    let Some(changes) = changes.as_object() else {
        *target = changes.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in changes {
        merge(&mut target[key.as_str()], value);
    }
}

pub(crate) fn text(value: &Value) -> Res<String> {
    value.as_str().map(str::to_string).doing("a text in the answer")
}

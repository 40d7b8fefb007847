//! Pods and their containers, by their ids.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Cri, Stream, merge, own_pids, text};
use crate::engines::containerd::IMAGE;
use crate::result::{Doing, Res, same};

/// A pod sandbox that runs.
pub(crate) struct Pod<'a> {
    pub(crate) cri: Cri<'a>,
    pub(crate) id: String,
    pub(super) config: Value,
}

impl<'a> Pod<'a> {
    /// A method that is asked with the pod's id only.
    pub(crate) fn call(&self, method: &str) -> Res<Value> {
        self.cri.call(method, &json!({"pod_sandbox_id": self.id}))
    }

    /// The status with the engine's own notes on it.
    pub(crate) fn status(&self) -> Res<(Value, Value)> {
        let request = json!({"pod_sandbox_id": self.id, "verbose": true});
        with_info(&self.cri.call("PodSandboxStatus", &request)?)
    }

    /// A container in it, not started.
    pub(crate) fn created(&self, command: &[&str], changes: &Value) -> Res<Container<'a>> {
        let name = format!("c{}", self.cri.ctx.next());
        let log_name = format!("{name}.log");
        let mut config = json!({
            "metadata": {"name": name, "attempt": 0},
            "image": {"image": IMAGE},
            "command": command,
            "log_path": log_name,
            "linux": {"security_context": {"namespace_options": own_pids()}},
        });
        merge(&mut config, changes);
        let request =
            json!({"pod_sandbox_id": self.id, "config": config, "sandbox_config": self.config});
        let id = text(&self.cri.call("CreateContainer", &request)?["container_id"])?;
        let log = self.cri.ctx.dir.join("logs").join(log_name);
        Ok(Container { cri: self.cri, id, log })
    }

    pub(crate) fn started(&self, command: &[&str], changes: &Value) -> Res<Container<'a>> {
        let container = self.created(command, changes)?;
        container.call("StartContainer")?;
        Ok(container)
    }

    /// A container that does nothing until it is told to end.
    pub(crate) fn sleeper(&self, changes: &Value) -> Res<Container<'a>> {
        let container = self.started(&["/bin/probe", "until-term"], changes)?;
        container.until_log("ready")?;
        Ok(container)
    }

    /// What `sh -c LINE` prints in a container of its own, which must end well.
    pub(crate) fn shell(&self, line: &str, changes: &Value) -> Res<String> {
        // The engine says that it has ended before the last of its log is written.
        const END: &str = "[end of output]\n";
        let line = format!("({line}); code=$?; echo '{}'; exit $code", END.trim_end());
        let container = self.started(&["sh", "-c", &line], changes)?;
        let code = container.wait()?;
        let log = container.until_said("the end", |log| log.out.ends_with(END))?;
        match code {
            0 => Ok(log.out.trim_end_matches(END).trim_end().to_string()),
            code => Err(format!("exit status {code}: {}{}", log.out, log.err)),
        }
    }

    /// What the probe says of itself in a container with these changes.
    pub(crate) fn report(&self, changes: &Value) -> Res<Value> {
        let container = self.started(&["/bin/probe", "report"], changes)?;
        same!(container.wait()?, 0);
        let whole = container.until_said("a report", |log| log.out.ends_with("}\n"))?;
        serde_json::from_str(&whole.out).doing(&whole.out)
    }
}

/// A container, by its id.
pub(crate) struct Container<'a> {
    cri: Cri<'a>,
    pub(crate) id: String,
    log: PathBuf,
}

/// What a process wrote, and its exit status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i64,
}

impl Container<'_> {
    /// A method that is asked with the container's id only.
    pub(crate) fn call(&self, method: &str) -> Res<Value> {
        self.call_with(method, &json!({}))
    }

    /// And with more.
    pub(crate) fn call_with(&self, method: &str, more: &Value) -> Res<Value> {
        let mut request = json!({"container_id": self.id});
        merge(&mut request, more);
        self.cri.call(method, &request)
    }

    pub(crate) fn exec(&self, command: &[&str]) -> Res<Said> {
        let answer = self.call_with("ExecSync", &json!({"cmd": command, "timeout": 10}))?;
        let code = answer["exit_code"].as_i64().doing("exit_code")?;
        Ok(Said { out: text(&answer["stdout"])?, err: text(&answer["stderr"])?, code })
    }

    /// What `sh -c LINE` prints in it, which must end well.
    pub(crate) fn shell(&self, line: &str) -> Res<String> {
        let said = self.exec(&["sh", "-c", line])?;
        match said.code {
            0 => Ok(said.out.trim_end().to_string()),
            code => Err(format!("`{line}` gave exit status {code}: {}", said.err)),
        }
    }

    /// The streams of another process in it.
    pub(crate) fn exec_stream(&self, command: &[&str], tty: bool) -> Res<Stream> {
        let how =
            json!({"cmd": command, "tty": tty, "stdin": true, "stdout": true, "stderr": !tty});
        Stream::open(&text(&self.call_with("Exec", &how)?["url"])?)
    }

    /// The streams of its own process.
    pub(crate) fn attach(&self, tty: bool) -> Res<Stream> {
        let how = json!({"tty": tty, "stdin": true, "stdout": true, "stderr": !tty});
        Stream::open(&text(&self.call_with("Attach", &how)?["url"])?)
    }

    pub(crate) fn status(&self) -> Res<Value> {
        Ok(self.call("ContainerStatus")?["status"].clone())
    }

    /// The engine's own notes on it, its config.json among them.
    pub(crate) fn info(&self) -> Res<Value> {
        let answer = self.call_with("ContainerStatus", &json!({"verbose": true}))?;
        Ok(with_info(&answer)?.1)
    }

    /// The pid of its process.
    pub(crate) fn pid(&self) -> Res<i32> {
        Ok(self.info()?["pid"].as_i64().doing("its pid")? as i32)
    }

    /// With so many seconds to end.
    pub(crate) fn stop(&self, timeout: u32) -> Res<Value> {
        self.call_with("StopContainer", &json!({"timeout": timeout}))
    }

    /// Waits for its end, and gives its exit status.
    pub(crate) fn wait(&self) -> Res<i64> {
        let ended = || {
            let status = self.status().ok()?;
            let ended = status["state"] == "CONTAINER_EXITED";
            status["exit_code"].as_i64().filter(|_| ended)
        };
        self.cri.ctx.eventually("the container ends", ended)
    }

    /// Waits until its log has this.
    pub(crate) fn until_log(&self, text: &str) -> Res {
        self.until_said(&format!("`{text}`"), |log| log.out.contains(text)).map(drop)
    }

    /// Waits until its log is like this.
    pub(crate) fn until_said(&self, what: &str, right: impl Fn(&Said) -> bool) -> Res<Said> {
        let find = || self.log().ok().filter(&right);
        let found = self.cri.ctx.eventually(&format!("{what} in the log"), find);
        found.map_err(|reason| format!("{reason}: {:?}", self.log()))
    }

    /// Its log, in the form that kubelet reads: time, stream, whether the line is whole, and the line.
    fn log(&self) -> Res<Said> {
        let log = fs::read_to_string(&self.log).doing("read the log")?;
        let mut said = Said { out: String::new(), err: String::new(), code: 0 };
        for line in log.lines() {
            let parts: Vec<&str> = line.splitn(4, ' ').collect();
            let &[_time, stream, tag, text] = parts.as_slice() else {
                return Err(format!("a line of the log: {line}"));
            };
            let to = if stream == "stdout" { &mut said.out } else { &mut said.err };
            *to += text;
            if tag == "F" {
                to.push('\n');
            }
        }
        Ok(said)
    }

    pub(crate) fn log_path(&self) -> &Path {
        &self.log
    }
}

/// The status of a verbose answer, and its notes, which are JSON in a text.
fn with_info(answer: &Value) -> Res<(Value, Value)> {
    let info = answer["info"]["info"].as_str().unwrap_or("{}");
    Ok((answer["status"].clone(), serde_json::from_str(info).doing("its notes")?))
}

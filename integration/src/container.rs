//! A container of a case: its bundle, and the runtime's commands on it.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::call::{Call, Out};
use crate::ctx::Ctx;
use crate::result::{Doing, Res};
use crate::{cgroups, config, image, text};

pub(crate) struct Container<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    pub(crate) config: Value,
    /// Where the call writes that gave the container its stdout.
    stdout: RefCell<PathBuf>,
}

impl<'a> Container<'a> {
    pub(crate) fn new(ctx: &'a Ctx) -> Res<Container<'a>> {
        let id = ctx.id();
        let bundle = ctx.make_dir(&format!("bundle{}", ctx.next()))?;
        image::copy(ctx.template(), &bundle.join("rootfs"))?;
        let mut config = config::default(ctx.is_root());
        // There a container without a path is below the caller's own cgroups, which are not ours to use.
        if ctx.is_root() && !ctx.uses_systemd() && cgroups::has_v1() {
            config::set(&mut config, "/linux/cgroupsPath", format!("/{id}").into());
        }
        Ok(Container { ctx, id, bundle, config, stdout: RefCell::default() })
    }

    // --- the bundle ---

    pub(crate) fn rootfs(&self) -> PathBuf {
        self.bundle.join("rootfs")
    }

    /// A path below the rootfs, seen from outside.
    pub(crate) fn inside(&self, path: &str) -> PathBuf {
        self.rootfs().join(path.trim_start_matches('/'))
    }

    /// Sets the value at a JSON pointer, making the objects on the way.
    pub(crate) fn set(&mut self, pointer: &str, value: impl Into<Value>) -> &mut Self {
        config::set(&mut self.config, pointer, value.into());
        self
    }

    /// Adds to the array at a JSON pointer, making it.
    pub(crate) fn push(&mut self, pointer: &str, value: impl Into<Value>) -> &mut Self {
        config::push(&mut self.config, pointer, value.into());
        self
    }

    pub(crate) fn remove(&mut self, pointer: &str) -> &mut Self {
        config::remove(&mut self.config, pointer);
        self
    }

    pub(crate) fn args(&mut self, args: &[&str]) -> &mut Self {
        self.set("/process/args", args)
    }

    /// Runs the line with the rootfs's shell.
    pub(crate) fn sh(&mut self, line: &str) -> &mut Self {
        self.args(&["/bin/sh", "-c", line])
    }

    pub(crate) fn user(&mut self, uid: u32, gid: u32) -> &mut Self {
        self.set("/process/user/uid", uid).set("/process/user/gid", gid)
    }

    pub(crate) fn env(&mut self, assignment: &str) -> &mut Self {
        self.push("/process/env", assignment)
    }

    /// A namespace of this kind: a new one, or the one at `path`.
    pub(crate) fn namespace(&mut self, kind: &str, path: Option<&str>) -> &mut Self {
        self.drop_namespace(kind);
        let mut namespace = serde_json::json!({"type": kind});
        if let Some(path) = path {
            namespace["path"] = path.into();
        }
        self.push("/linux/namespaces", namespace)
    }

    pub(crate) fn drop_namespace(&mut self, kind: &str) -> &mut Self {
        if let Some(list) = self.config["linux"]["namespaces"].as_array_mut() {
            list.retain(|each| each["type"] != kind);
        }
        self
    }

    /// Replaces the mount at this destination, or adds it.
    pub(crate) fn mount(
        &mut self,
        destination: &str,
        kind: &str,
        source: &str,
        options: &[&str],
    ) -> &mut Self {
        self.drop_mount(destination);
        self.push(
            "/mounts",
            serde_json::json!({"destination": destination, "type": kind, "source": source, "options": options}),
        )
    }

    pub(crate) fn drop_mount(&mut self, destination: &str) -> &mut Self {
        if let Some(list) = self.config["mounts"].as_array_mut() {
            list.retain(|each| each["destination"] != destination);
        }
        self
    }

    pub(crate) fn bind(
        &mut self,
        source: &std::path::Path,
        destination: &str,
        options: &[&str],
    ) -> &mut Self {
        self.mount(destination, "bind", &source.to_string_lossy(), options)
    }

    /// Maps ids 0 to `count` - 1 to the ids from `first` on, in a user namespace of its own.
    pub(crate) fn map_ids(&mut self, first: u32, count: u32) -> &mut Self {
        let map = serde_json::json!([{"containerID": 0, "hostID": first, "size": count}]);
        self.namespace("user", None)
            .set("/linux/uidMappings", map.clone())
            .set("/linux/gidMappings", map)
    }

    /// Allows all that a container may be allowed, so that only what is tested limits it.
    pub(crate) fn all_capabilities(&mut self) -> &mut Self {
        for set in ["bounding", "effective", "permitted"] {
            self.set(&format!("/process/capabilities/{set}"), config::ALL_CAPABILITIES);
        }
        self
    }

    pub(crate) fn save(&self) -> Res {
        let path = self.bundle.join("config.json");
        fs::write(&path, format!("{:#}", self.config)).doing(&format!("write {}", path.display()))
    }

    // --- the commands ---

    /// `RUNTIME --root R COMMAND FLAG... ID`
    pub(crate) fn command(&self, command: &str, flags: &[&str]) -> Call {
        self.ctx.runtime().arg(command).args(flags).arg(&self.id)
    }

    /// As `command`, with the bundle, whose config is written first.
    fn with_bundle(&self, command: &str, flags: &[&str]) -> Res<Call> {
        self.save()?;
        let call = self
            .ctx
            .runtime()
            .arg(command)
            .arg("--bundle")
            .arg(&self.bundle)
            .args(flags)
            .arg(&self.id);
        *self.stdout.borrow_mut() = call.stdout_path();
        Ok(call)
    }

    pub(crate) fn create_call(&self, flags: &[&str]) -> Res<Call> {
        self.with_bundle("create", flags)
    }

    pub(crate) fn run_call(&self, flags: &[&str]) -> Res<Call> {
        self.with_bundle("run", flags)
    }

    pub(crate) fn create(&self) -> Res<Out> {
        self.create_call(&[])?.ok()
    }

    pub(crate) fn start(&self) -> Res<Out> {
        self.command("start", &[]).ok()
    }

    /// Runs it in the foreground to its end, whatever that is.
    pub(crate) fn run(&self) -> Res<Out> {
        self.run_call(&[])?.done()
    }

    pub(crate) fn run_detached(&self) -> Res<Out> {
        self.run_call(&["--detach"])?.ok()
    }

    /// Runs it detached until it has printed this.
    pub(crate) fn run_until(&self, said: &str) -> Res {
        self.run_detached()?;
        self.until_output(said)
    }

    pub(crate) fn kill(&self, signal: &str) -> Res<Out> {
        self.ctx.runtime().args(["kill", &self.id, signal]).ok()
    }

    pub(crate) fn kill_all(&self, signal: &str) -> Res<Out> {
        self.ctx.runtime().args(["kill", "--all", &self.id, signal]).ok()
    }

    pub(crate) fn delete(&self) -> Res<Out> {
        self.command("delete", &[]).ok()
    }

    pub(crate) fn force_delete(&self) -> Res<Out> {
        self.command("delete", &["--force"]).ok()
    }

    pub(crate) fn state(&self) -> Res<Value> {
        self.command("state", &[]).ok()?.json()
    }

    pub(crate) fn status(&self) -> Res<String> {
        Ok(self.state()?["status"].as_str().unwrap_or("no status").to_string())
    }

    /// Waits until `state` gives this status.
    pub(crate) fn until(&self, status: &str) -> Res {
        self.ctx.eventually(&format!("{} becomes {status}", self.id), || {
            self.status().ok().filter(|now| now == status).map(drop)
        })
    }

    /// The pid of its init process, seen from outside.
    pub(crate) fn pid(&self) -> Res<i32> {
        let state = self.state()?;
        match state["pid"].as_i64() {
            Some(pid) if pid > 0 => Ok(pid as i32),
            _ => Err(format!("state has no pid: {state}")),
        }
    }

    pub(crate) fn exec_call(&self, flags: &[&str], args: &[&str]) -> Call {
        self.command("exec", flags).args(args)
    }

    /// Runs a process in it to its end, whatever that is.
    pub(crate) fn exec(&self, flags: &[&str], args: &[&str]) -> Res<Out> {
        self.exec_call(flags, args).done()
    }

    /// What the container has written to its stdout so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&*self.stdout.borrow()).unwrap_or_default()).into_owned()
    }

    pub(crate) fn until_output(&self, said: &str) -> Res {
        let has = || self.output().contains(said).then_some(());
        self.ctx.eventually(&format!("container prints {said}"), has).map_err(|reason| {
            let errors =
                fs::read_to_string(self.stdout.borrow().with_extension("err")).unwrap_or_default();
            format!(
                "{reason}; printed `{}` `{}`",
                text::brief(&self.output(), 200),
                text::brief(&errors, 200)
            )
        })
    }

    /// Runs it in the foreground with the probe's report as its output.
    pub(crate) fn report(&mut self) -> Res<Value> {
        self.args(&["/bin/probe", "report"]);
        self.run()?.is(0)?.json()
    }

    /// Nothing of it may be there: no state, no cgroup, no mount below its bundle.
    pub(crate) fn gone(&self) -> Res {
        let found =
            crate::harness::leaks::of_container(&self.bundle, &self.ctx.state_roots(), &self.id);
        if found.is_empty() { Ok(()) } else { Err(format!("left behind: {}", found.join(", "))) }
    }
}

//! containerd's own command line, `ctr`.

use std::fs;
use std::path::PathBuf;

use super::containerd::IMAGE;
use crate::call::{Call, Out};
use crate::ctx::Ctx;
use crate::result::{Doing, Res};
use crate::text::shown;

#[derive(Clone, Copy)]
pub(crate) struct Ctr<'a> {
    pub(crate) ctx: &'a Ctx,
}

impl<'a> Ctr<'a> {
    pub(crate) fn of(ctx: &'a Ctx) -> Ctr<'a> {
        Ctr { ctx }
    }

    pub(crate) fn call(&self, args: &[&str]) -> Call {
        self.ctx.program("ctr").args(args)
    }

    /// `run --rm` in the foreground, to its end.
    pub(crate) fn run(&self, flags: &[&str], command: &[&str]) -> Res<Out> {
        self.run_call(flags, command).done()
    }

    pub(crate) fn run_call(&self, flags: &[&str], command: &[&str]) -> Call {
        let call = self.run_as_configured(flags);
        call.arg(IMAGE).arg(self.ctx.id()).args(command)
    }

    /// Without the image, the name and the command.
    pub(crate) fn run_as_configured(&self, flags: &[&str]) -> Call {
        let binary = shown(&self.ctx.runtime);
        self.call(&["run", "--rm", "--runc-binary", &binary]).args(flags)
    }

    /// What `sh -c LINE` prints in a container with these flags.
    pub(crate) fn shell(&self, flags: &[&str], line: &str) -> Res<String> {
        Ok(self.run(flags, &["sh", "-c", line])?.is(0)?.text().to_string())
    }

    /// What the probe says of itself in a container with these flags.
    pub(crate) fn report(&self, flags: &[&str]) -> Res<serde_json::Value> {
        self.run(flags, &["/bin/probe", "report"])?.is(0)?.json()
    }

    /// `run --detach`.
    pub(crate) fn detached(&self, flags: &[&str], command: &[&str]) -> Res<Task<'a>> {
        let task = self.named(&self.ctx.id());
        let binary = shown(&self.ctx.runtime);
        let log = format!("file://{}", task.log.display());
        self.call(&["run", "--detach", "--runc-binary", &binary, "--log-uri", &log])
            .args(flags)
            .arg(IMAGE)
            .arg(&task.name)
            .args(command)
            .ok()?;
        Ok(task)
    }

    pub(crate) fn named(&self, name: &str) -> Task<'a> {
        Task { ctr: *self, name: name.to_string(), log: self.ctx.dir.join(format!("{name}.log")) }
    }

    /// A container that does nothing until it is told to end.
    pub(crate) fn sleeper(&self, flags: &[&str]) -> Res<Task<'a>> {
        let task = self.detached(flags, &["/bin/probe", "until-term"])?;
        task.until_log("ready")?;
        Ok(task)
    }

    /// Removes all that has a name of this check.
    pub(super) fn clear(&self) -> Res {
        let mine = |out: Out| -> Vec<String> {
            let names = out.out.lines().filter(|name| name.starts_with(&self.ctx.id_prefix()));
            names.map(str::to_string).collect()
        };
        for task in mine(self.call(&["task", "ls", "--quiet"]).ok()?) {
            self.call(&["task", "delete", "--force", &task]).ok()?;
        }
        for container in mine(self.call(&["container", "ls", "--quiet"]).ok()?) {
            self.call(&["container", "rm", &container]).ok()?;
        }
        Ok(())
    }
}

/// A container's task, by the container's name.
pub(crate) struct Task<'a> {
    ctr: Ctr<'a>,
    pub(crate) name: String,
    log: PathBuf,
}

impl Task<'_> {
    /// `ctr task COMMAND NAME`.
    pub(crate) fn call(&self, command: &[&str]) -> Call {
        self.ctr.call(&["task"]).args(command).arg(&self.name)
    }

    pub(crate) fn exec(&self, flags: &[&str], command: &[&str]) -> Res<Out> {
        self.exec_call(flags, command).done()
    }

    pub(crate) fn exec_call(&self, flags: &[&str], command: &[&str]) -> Call {
        let id = format!("exec{}", self.ctr.ctx.next());
        self.call_exec(&id, flags).args(command)
    }

    /// An exec with this id, without its command.
    pub(crate) fn call_exec(&self, id: &str, flags: &[&str]) -> Call {
        let task = self.ctr.call(&["task", "exec", "--exec-id", id]);
        task.args(flags).arg(&self.name)
    }

    /// Pid and state as `task ls` has them.
    pub(crate) fn listed(&self) -> Res<(i32, String)> {
        let list = self.ctr.call(&["task", "ls"]).ok()?;
        let of_it = |line: &&str| line.split_whitespace().next() == Some(&self.name);
        let line = list.out.lines().find(of_it).doing("the task in the list")?;
        let mut fields = line.split_whitespace().skip(1);
        let pid = fields.next().doing("its pid")?.parse().doing("its pid")?;
        Ok((pid, fields.next().doing("its state")?.to_string()))
    }

    pub(crate) fn pid(&self) -> Res<i32> {
        Ok(self.listed()?.0)
    }

    /// Waits until `task ls` has this state.
    pub(crate) fn until_is(&self, state: &str) -> Res {
        let is = || self.listed().is_ok_and(|(_, now)| now == state).then_some(());
        self.ctr.ctx.eventually(&format!("it is {state}"), is)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until its log has this.
    pub(crate) fn until_log(&self, text: &str) -> Res {
        let has = || self.log().contains(text).then_some(());
        self.ctr.ctx.eventually(&format!("`{text}` in the log"), has)
    }

    /// Waits for its end and deletes the task, which gives its exit status.
    pub(crate) fn end(&self) -> Res<i32> {
        self.until_is("STOPPED")?;
        let deleted = self.call(&["delete"]).ok()?;
        // `ctr` says it only if it is not 0, and then in a warning.
        let Some((_, code)) = deleted.err.split_once("exit with non-zero exit code ") else {
            return Ok(0);
        };
        let digits = code.split(|each: char| !each.is_ascii_digit()).next();
        digits.unwrap_or_default().parse().doing(&deleted.err)
    }
}

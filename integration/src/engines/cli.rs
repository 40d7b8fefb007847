//! The command line that Docker and Podman share.

use std::fs;
use std::path::Path;

use super::Engine;
use crate::call::{Call, Out};
use crate::ctx::Ctx;
use crate::result::{Doing, Res};

/// The image of every check: the rootfs of all other cases.
pub(crate) const IMAGE: &str = "localhost/straw:latest";

#[derive(Clone, Copy)]
pub(crate) struct Cli<'a> {
    pub(crate) ctx: &'a Ctx,
    engine: &'static Engine,
}

impl<'a> Cli<'a> {
    /// Of the engine that the check is for.
    pub(crate) fn of(ctx: &'a Ctx) -> Cli<'a> {
        Cli { ctx, engine: ctx.engine.expect("only checks of engines ask for it") }
    }

    /// Whether the size of a terminal may be told when the program runs already.
    pub(crate) fn tells_size_late(&self) -> bool {
        self.is_podman()
    }

    fn is_podman(&self) -> bool {
        self.engine.program == "podman"
    }

    /// A call of the engine's program.
    pub(crate) fn call(&self, args: &[&str]) -> Call {
        self.call_of(self.engine.program, args)
    }

    /// A call of what builds images.
    pub(crate) fn builder(&self, args: &[&str]) -> Call {
        self.call_of(self.engine.builder, args)
    }

    fn call_of(&self, program: &str, args: &[&str]) -> Call {
        (self.engine.surroundings)(self.ctx, self.ctx.program(program)).args(args)
    }

    /// It must succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> Res<Out> {
        self.call(args).ok()
    }

    /// `run --rm` in the foreground, to its end.
    pub(crate) fn run(&self, flags: &[&str], command: &[&str]) -> Res<Out> {
        if !self.is_podman() {
            return self.run_call(flags, command).done();
        }
        let log = self.ctx.dir.join(format!("log{}", self.ctx.next()));
        let option = format!("path={}", log.display());
        let flags = [&["--log-opt", &option], flags].concat();
        Ok(or_logged(self.run_call(&flags, command).done()?, &log))
    }

    pub(crate) fn run_call(&self, flags: &[&str], command: &[&str]) -> Call {
        // A name, so that it is removed also when the check fails before its end.
        let name = self.ctx.id();
        self.call(&["run", "--rm", "--name", &name]).args(flags).arg(IMAGE).args(command)
    }

    /// What `sh -c LINE` prints in a container with these flags.
    pub(crate) fn shell(&self, flags: &[&str], line: &str) -> Res<String> {
        Ok(self.run(flags, &["sh", "-c", line])?.is(0)?.text().to_string())
    }

    /// `run --detach`.
    pub(crate) fn detached(&self, flags: &[&str], command: &[&str]) -> Res<Started<'a>> {
        let name = self.ctx.id();
        self.call(&["run", "--detach", "--name", &name])
            .args(flags)
            .arg(IMAGE)
            .args(command)
            .ok()?;
        Ok(self.named(&name))
    }

    /// The container of this name.
    pub(crate) fn named(&self, name: &str) -> Started<'a> {
        Started { cli: *self, name: name.to_string() }
    }

    /// A container that does nothing until it is told to end.
    pub(crate) fn sleeper(&self, flags: &[&str]) -> Res<Started<'a>> {
        let container = self.detached(flags, &["/bin/probe", "until-term"])?;
        container.until_log("ready")?;
        Ok(container)
    }

    /// Makes [`IMAGE`] of the rootfs.
    pub(super) fn import(&self) -> Res {
        let rootfs = self.ctx.dir.join("image");
        crate::image::copy(self.ctx.template(), &rootfs)?;
        let tar = self.ctx.dir.join("image.tar");
        let pack = self.ctx.program("tar").arg("-cf").arg(&tar).arg("-C").arg(&rootfs).arg(".");
        pack.ok()?;
        self.call(&["import", "--change", "CMD [\"sh\"]"]).arg(&tar).arg(IMAGE).ok().map(drop)
    }

    /// Removes all that has a name of this check.
    pub(super) fn clear(&self) -> Res {
        self.remove(&[
            (&["ps", "--all", "--quiet"], &["rm", "--force", "--volumes"]),
            (&["network", "ls", "--quiet"], &["network", "rm"]),
            (&["volume", "ls", "--quiet"], &["volume", "rm", "--force"]),
        ])
    }

    /// The same, with these commands: what lists, and what removes what was listed.
    pub(super) fn remove(&self, kinds: &[(&[&str], &[&str])]) -> Res {
        let name = format!("name={}", self.ctx.id_prefix());
        for (list, remove) in kinds {
            let found = self.call(list).args(["--filter", &name]).ok()?;
            let found: Vec<&str> = found.out.split_whitespace().collect();
            if !found.is_empty() {
                self.call(remove).args(found).ok()?;
            }
        }
        Ok(())
    }
}

/// With any runtime Podman prints nothing at all of a container that has ended before conmon accepts who
/// attaches: a machine that stops conmon between poll(2) and waitpid(2) is enough. What the container has
/// written to conmon is in its log.
fn or_logged(mut out: Out, log: &Path) -> Out {
    if out.out.is_empty() && out.err.is_empty() {
        let log = fs::read_to_string(log).unwrap_or_default();
        (out.out, out.err) = (logged(&log, "stdout"), logged(&log, "stderr"));
    }
    out
}

/// What was written to one stream, of lines with a time, a stream, and whether they are full or a part.
fn logged(log: &str, stream: &str) -> String {
    let line = |line: &str| {
        let (_time, line) = line.split_once(' ')?;
        match line.strip_prefix(stream)?.split_at_checked(3)? {
            (" F ", text) => Some(format!("{text}\n")),
            (" P ", text) => Some(text.to_owned()),
            _ => None,
        }
    };
    log.lines().filter_map(line).collect()
}

/// A container by its name.
pub(crate) struct Started<'a> {
    pub(crate) cli: Cli<'a>,
    pub(crate) name: String,
}

impl Started<'_> {
    /// `COMMAND FLAGS... NAME`.
    pub(crate) fn call(&self, command: &[&str]) -> Call {
        self.cli.call(command).arg(&self.name)
    }

    pub(crate) fn exec(&self, flags: &[&str], command: &[&str]) -> Res<Out> {
        self.exec_call(flags, command).done()
    }

    pub(crate) fn exec_call(&self, flags: &[&str], command: &[&str]) -> Call {
        self.cli.call(&["exec"]).args(flags).arg(&self.name).args(command)
    }

    pub(crate) fn logs(&self) -> Res<Out> {
        self.call(&["logs"]).ok()
    }

    /// What `inspect --format` makes of it.
    pub(crate) fn is(&self, format: &str) -> Res<String> {
        let out = self.call(&["inspect", "--type", "container", "--format", format]).ok()?;
        Ok(out.text().to_string())
    }

    /// Waits until inspecting it gives this.
    pub(crate) fn until_is(&self, format: &str, wanted: &str) -> Res {
        let what = format!("{format} is {wanted}");
        let is = || (self.is(format).as_deref() == Ok(wanted)).then_some(());
        self.cli.ctx.eventually(&what, is)
    }

    /// Waits until its log has this.
    pub(crate) fn until_log(&self, text: &str) -> Res {
        let has = || self.logs().is_ok_and(|out| out.out.contains(text)).then_some(());
        self.cli.ctx.eventually(&format!("`{text}` in the log"), has)
    }

    /// Waits until the engine has forgotten it.
    pub(crate) fn until_gone(&self) -> Res {
        let id = ["inspect", "--type", "container"];
        let gone = || self.call(&id).done().is_ok_and(|out| out.code != 0).then_some(());
        self.cli.ctx.eventually("the container is removed", gone)
    }

    /// Waits for its end, and gives its exit status.
    pub(crate) fn wait(&self) -> Res<i32> {
        self.call(&["wait"]).ok()?.text().parse().doing("the exit status of wait")
    }

    /// The pid of its first process.
    pub(crate) fn pid(&self) -> Res<i32> {
        self.is("{{.State.Pid}}")?.parse().doing("its pid")
    }
}

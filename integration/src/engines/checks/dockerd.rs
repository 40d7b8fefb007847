//! Docker's daemon with other settings: another one beside the first, with a place of its own.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::engines::cli::IMAGE;
use crate::engines::daemon::Daemon;
use crate::engines::docker::RUNTIME;
use crate::harness::case::{Feature, root};
use crate::harness::procs;
use crate::result::{Doing, Res, holds};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "dockerd",
    cases: &[
        root!(containers_in_user_namespaces).takes(90),
        root!(containers_outlive_it).takes(90),
    ],
};

struct Other<'a> {
    ctx: &'a Ctx,
    config: Value,
}

impl<'a> Other<'a> {
    fn new(ctx: &'a Ctx, more: &[(&str, Value)]) -> Res<Other<'a>> {
        let dir = ctx.make_dir("dockerd")?;
        let mut config = json!({
            "runtimes": { RUNTIME: { "path": ctx.runtime } },
            "default-runtime": RUNTIME,
            "storage-driver": "overlay2",
            "hosts": [format!("unix://{}", shown(dir.join("socket")))],
            "data-root": dir.join("data"),
            "exec-root": dir.join("exec"),
            "pidfile": dir.join("pid"),
            "bridge": "none",
            "iptables": false,
            "ip6tables": false,
        });
        for (key, value) in more {
            config[key] = value.clone();
        }
        Ok(Other { ctx, config })
    }

    fn start(&self) -> Res<Daemon> {
        let config = self.ctx.make_file("dockerd.json", &self.config.to_string())?;
        let mut dockerd = Command::new("dockerd");
        dockerd.arg("--config-file").arg(config);
        let log = self.ctx.dir.join(format!("dockerd{}.log", self.ctx.next()));
        let daemon = Daemon::start(&mut dockerd, &log)?;
        daemon.until(|| self.call(&["version"]).done().is_ok_and(|out| out.code == 0))
    }

    fn call(&self, args: &[&str]) -> Call {
        let host = self.config["hosts"][0].as_str().unwrap_or_default();
        self.ctx.program("docker").args(["--host", host]).args(args)
    }

    /// Gives it the image of the first one.
    fn import(&self) -> Res {
        let tar = shown(self.ctx.dir.join("image.tar"));
        self.ctx.program("docker").args(["save", "--output", &tar, IMAGE]).ok()?;
        self.call(&["load", "--input", &tar]).ok().map(drop)
    }

    /// Does `look` while it runs, and ends it and all that is in it.
    fn with(&self, look: impl FnOnce(&Self) -> Res) -> Res {
        let daemon = self.start()?;
        let outcome = self.import().and_then(|()| look(self));
        self.clear().and(daemon.stop()).and(outcome)
    }

    fn clear(&self) -> Res {
        let all = self.call(&["ps", "--all", "--quiet"]).ok()?;
        if all.out.is_empty() {
            return Ok(());
        }
        self.call(&["rm", "--force"]).args(all.out.split_whitespace()).ok().map(drop)
    }
}

/// `userns-remap`: root of the container is nobody on the host.
fn containers_in_user_namespaces(ctx: &Ctx) -> Res {
    // What useradd gives where there is no such user yet.
    let who = "dockremap:700000:65536\n";
    for file in ["/etc/subuid", "/etc/subgid"] {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        std::fs::write(file, text + who).doing("give subordinate ids")?;
    }
    ctx.program("useradd").args(["--system", "--user-group", "dockremap"]).done()?;
    Other::new(ctx, &[("userns-remap", json!("dockremap"))])?.with(|docker| {
        let run = ["run", "--rm", "--name", "first", "--network", "none", "--init", "--volume", "/data"];
        let line = "id -u; tr -s ' ' </proc/self/uid_map; stat -c %u / /data /etc/passwd; \
                    echo x >/data/file && chown alice /data/file && mount -t tmpfs tmpfs /tmp || echo refused";
        let out = docker.call(&run).args([IMAGE, "sh", "-c", line]).ok()?;
        out.prints("0\n 0 700000 65536\n0\n0\n0\nrefused")?;
        let flags = ["run", "--detach", "--name", "lasts", "--network", "none", "--memory", "64m"];
        docker.call(&flags).args([IMAGE, "/bin/probe", "until-term"]).ok()?;
        let pid = docker.call(&["inspect", "--format", "{{.State.Pid}}", "lasts"]).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.text()));
        let status = status.doing("its status")?;
        let uid = crate::text::field(&status, "Uid").unwrap_or_default();
        holds!(uid.starts_with("700000\t"), "on the host it is {uid}");
        docker.call(&["exec", "--user", "alice", "lasts", "id", "-u"]).ok()?.prints("1000")?;
        // The host's own user namespace by wish.
        let host = ["run", "--rm", "--name", "host", "--network", "none", "--userns", "host", IMAGE];
        docker.call(&host).args(["cat", "/proc/self/uid_map"]).ok()?.has("4294967295").map(drop)
    })
}

/// `live-restore`: the daemon is killed, and its next one finds the containers running.
fn containers_outlive_it(ctx: &Ctx) -> Res {
    let docker = Other::new(ctx, &[("live-restore", json!(true))])?;
    let daemon = docker.start()?;
    docker.import()?;
    let run = ["run", "--detach", "--name", "lasts", "--network", "none"];
    docker.call(&run).args([IMAGE, "/bin/probe", "until-term"]).ok()?;
    let pid = || docker.call(&["inspect", "--format", "{{.State.Pid}}", "lasts"]).ok();
    let before = pid()?;
    let file = ctx.dir.join("dockerd/exec/containerd/containerd.pid");
    let containerd = std::fs::read_to_string(file).doing("the pid of its containerd")?;
    // Which dies as well. To the next dockerd it lives until somebody has waited for it.
    nix::sys::prctl::set_child_subreaper(true).doing("wait for orphans")?;
    daemon.kill()?;
    ctx.eventually("its containerd has ended", || {
        procs::reap_adopted();
        (!Path::new("/proc").join(containerd.trim()).exists()).then_some(())
    })?;
    let daemon = docker.start()?;
    let outcome = (|| {
        pid()?.prints(before.text())?;
        docker.call(&["exec", "lasts", "sh", "-c", "exit 6"]).done()?.is(6)?;
        docker.call(&["stop", "lasts"]).ok()?;
        let code = docker.call(&["inspect", "--format", "{{.State.ExitCode}}", "lasts"]).ok()?;
        code.prints("42").map(drop)
    })();
    docker.clear().and(daemon.stop()).and(outcome)?;
    // The one that was killed left what it had mounted over its own directory.
    ctx.program("umount").arg(ctx.dir.join("dockerd/data")).done().map(drop)
}

//! Compose: services with a network and a volume, from one file.

use serde_json::json;

use crate::call::Call;
use crate::ctx::Ctx;
use crate::engines::cli::{Cli, IMAGE};
use crate::harness::case::{Feature, root};
use crate::result::{Doing, Res, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "compose",
    cases: &[
        root!(two_services).takes(60),
        root!(waits_for_health).takes(60),
        root!(scaled).takes(60),
        root!(built).takes(60),
        root!(what_ends_is_reported).takes(60),
    ],
};

/// A project in a directory of its own; it is taken down in the end, whatever happened.
struct Project<'a> {
    ctx: &'a Ctx,
    /// A plugin of Docker, or Compose 1, which is a program.
    compose: &'static str,
    name: String,
    file: String,
}

impl<'a> Project<'a> {
    fn new(ctx: &'a Ctx, config: &serde_json::Value) -> Res<Project<'a>> {
        let file = ctx.make_file("compose.json", &config.to_string())?;
        let plugin = Cli::of(ctx).call(&["compose", "version"]).done()?.code == 0;
        let compose = if plugin { "compose" } else { "docker-compose" };
        Ok(Project { ctx, compose, name: ctx.id(), file: crate::text::shown(file) })
    }

    fn call(&self, args: &[&str]) -> Call {
        let call = match self.compose {
            "compose" => Cli::of(self.ctx).call(&["compose"]),
            program => self.ctx.program(program),
        };
        call.args(["--project-name", &self.name, "--file", &self.file]).args(args)
    }

    fn down(&self) -> Res {
        self.call(&["down", "--volumes", "--timeout", "1", "--remove-orphans"]).ok().map(drop)
    }

    /// Brings it up for the time of `look`.
    fn up(&self, flags: &[&str], look: impl FnOnce(&Self) -> Res) -> Res {
        let up = self.call(&["up", "--detach"]).args(flags).ok();
        let looked = up.and_then(|_| look(self));
        looked.and(self.down())?;
        let left = Cli::of(self.ctx).ok(&[
            "ps",
            "--all",
            "--quiet",
            "--filter",
            &format!("name={}", self.name),
        ])?;
        left.prints("").map(drop)
    }
}

/// A service that answers on port 80, and one that does nothing.
fn services() -> serde_json::Value {
    let serve = "echo serving >/data/log; echo ready; while :; do echo straw | nc -l -p 80; done";
    json!({
        "services": {
            "web": { "image": IMAGE, "command": ["sh", "-c", serve], "volumes": ["data:/data"],
                     "networks": ["hive"], "stop_grace_period": "1s", "init": true },
            "client": { "image": IMAGE, "command": ["/bin/probe", "until-term"],
                        "volumes": ["data:/data:ro"], "networks": ["hive"], "depends_on": ["web"],
                        "environment": { "NAME": "client" } },
        },
        "networks": { "hive": {} },
        "volumes": { "data": {} },
    })
}

fn two_services(ctx: &Ctx) -> Res {
    Project::new(ctx, &services())?.up(&[], |project| {
        let list = project.call(&["ps", "--services", "--filter", "status=running"]).ok()?;
        let mut list: Vec<&str> = list.out.lines().collect();
        list.sort_unstable();
        same!(list, ["client", "web"]);
        ctx.eventually("the log of web", || {
            let logs = project.call(&["logs", "--no-color", "web"]).ok().ok()?;
            logs.out.contains("ready").then_some(())
        })?;
        let exec = |line: &str| project.call(&["exec", "-T", "client", "sh", "-c", line]).done();
        exec("cat /data/log; echo $NAME; exit 7")?.is(7)?.prints("serving\nclient")?;
        ctx.eventually("an answer of web", || {
            exec("nc -w 2 web 80").ok().filter(|out| out.text() == "straw")
        })?;
        let run = ["run", "--rm", "-T", "client", "sh", "-c", "cat /data/log; exit 3"];
        project.call(&run).done()?.is(3)?.prints("serving")?;
        project.call(&["stop", "--timeout", "1"]).ok()?;
        project.call(&["start"]).ok()?;
        project.call(&["restart", "--timeout", "1", "client"]).ok().map(drop)
    })
}

fn waits_for_health(ctx: &Ctx) -> Res {
    let config = json!({ "services": {
        "slow": { "image": IMAGE, "init": true,
            "command": ["sh", "-c", "sleep 0.5; touch /tmp/well; exec sleep 1000"],
            "healthcheck": { "test": ["CMD", "test", "-e", "/tmp/well"], "interval": "200ms", "retries": 50 } },
        "waits": { "image": IMAGE, "command": ["/bin/probe", "until-term"],
            "depends_on": { "slow": { "condition": "service_healthy" } } },
    }});
    Project::new(ctx, &config)?.up(&[], |project| {
        let slow = project.call(&["ps", "--quiet", "slow"]).ok()?;
        same!(Cli::of(ctx).named(slow.text()).is("{{.State.Health.Status}}")?, "healthy");
        Ok(())
    })
}

fn scaled(ctx: &Ctx) -> Res {
    let config = json!({ "services": {
        "many": { "image": IMAGE, "command": ["/bin/probe", "until-term"], "scale": 1,
                  "mem_limit": "64m", "pids_limit": 50 },
    }});
    Project::new(ctx, &config)?.up(&["--scale", "many=3"], |project| {
        let list = project.call(&["ps", "--quiet"]).ok()?;
        same!(list.out.lines().count(), 3);
        let top = project.call(&["top", "many"]).ok()?;
        same!(top.out.matches("until-term").count(), 3);
        Ok(())
    })
}

fn built(ctx: &Ctx) -> Res {
    let dir = ctx.make_dir("service")?;
    let file = format!("FROM {IMAGE}\nRUN echo built >/file\n");
    std::fs::write(dir.join("Dockerfile"), file).doing("write the Dockerfile")?;
    let image = format!("localhost/{}:latest", ctx.id());
    let config = json!({ "services": {
        "one": { "build": dir, "image": image, "command": ["sh", "-c", "cat /file; exec /bin/probe until-term"] },
    }});
    let outcome = Project::new(ctx, &config)?.up(&["--build"], |project| {
        ctx.eventually("the built file in the log", || {
            let logs = project.call(&["logs", "one"]).ok().ok()?;
            logs.out.contains("built").then_some(())
        })
    });
    Cli::of(ctx).ok(&["rmi", "--force", &image])?;
    outcome
}

/// In the foreground, with the exit status of a service.
fn what_ends_is_reported(ctx: &Ctx) -> Res {
    let config = json!({ "services": {
        "ends": { "image": IMAGE, "command": ["sh", "-c", "echo words of it; exit 23"] },
        "stays": { "image": IMAGE, "command": ["/bin/probe", "until-term"] },
    }});
    let project = Project::new(ctx, &config)?;
    let out = project.call(&["up", "--exit-code-from", "ends", "--timeout", "1"]).done();
    project.down()?;
    out?.is(23)?.has("words of it").map(drop)
}

//! Podman's pods: containers that share namespaces, and what Kubernetes' files say of them.

use serde_json::json;

use crate::ctx::Ctx;
use crate::engines::cli::{Cli, Started};
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "pods",
    cases: &[
        root!(share_namespaces),
        root!(share_pids),
        root!(stopped_started_and_killed),
        root!(paused).needs(&[Need::Cgroup]),
        root!(published_port),
        root!(played),
        root!(played_with_limits).needs(&[Need::Controller("memory")]),
        root!(generated),
    ],
};

/// A pod, and two containers in it.
fn pod<'a>(cli: &Cli<'a>, flags: &[&str]) -> Res<(String, Started<'a>, Started<'a>)> {
    let pod = cli.ctx.id();
    cli.call(&["pod", "create", "--name", &pod]).args(flags).ok()?;
    let first = cli.sleeper(&["--pod", &pod])?;
    let second = cli.sleeper(&["--pod", &pod])?;
    Ok((pod, first, second))
}

fn namespace(container: &Started<'_>, kind: &str) -> Res<String> {
    let link = format!("/proc/self/ns/{kind}");
    Ok(container.exec(&[], &["readlink", &link])?.is(0)?.text().to_string())
}

fn share_namespaces(ctx: &Ctx) -> Res {
    let (pod, first, second) = pod(&Cli::of(ctx), &["--hostname", "the-pod"])?;
    for kind in ["net", "ipc", "uts"] {
        same!(namespace(&first, kind)?, namespace(&second, kind)?);
    }
    for kind in ["mnt", "pid"] {
        holds!(namespace(&first, kind)? != namespace(&second, kind)?, "they share {kind}");
    }
    first.exec(&[], &["hostname"])?.is(0)?.prints("the-pod")?;
    let list = Cli::of(ctx).ok(&["pod", "ps", "--format", "{{.Name}} {{.NumberOfContainers}}"])?;
    list.has(&format!("{pod} 3")).map(drop)
}

fn share_pids(ctx: &Ctx) -> Res {
    let (_, first, second) = pod(&Cli::of(ctx), &["--share", "pid,net"])?;
    same!(namespace(&first, "pid")?, namespace(&second, "pid")?);
    let seen = first.exec(&[], &["sh", "-c", "grep -l until-term /proc/[0-9]*/cmdline | wc -l"])?;
    holds!(seen.is(0)?.text() != "1", "it sees itself alone");
    // What is left of one ends with it, and the other one stays.
    first.call(&["stop"]).ok()?;
    same!(first.is("{{.State.ExitCode}}")?, "42");
    second.exec(&[], &["true"])?.is(0).map(drop)
}

fn stopped_started_and_killed(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let (pod, first, second) = pod(&cli, &[])?;
    cli.ok(&["pod", "stop", &pod])?;
    for each in [&first, &second] {
        same!(each.is("{{.State.Status}} {{.State.ExitCode}}")?, "exited 42");
    }
    cli.ok(&["pod", "start", &pod])?;
    for each in [&first, &second] {
        same!(each.is("{{.State.Status}}")?, "running");
    }
    cli.ok(&["pod", "kill", &pod])?;
    for each in [&first, &second] {
        each.until_is("{{.State.Status}} {{.State.ExitCode}}", "exited 137")?;
    }
    cli.ok(&["pod", "rm", &pod]).map(drop)
}

fn paused(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let (pod, first, second) = pod(&cli, &[])?;
    cli.ok(&["pod", "pause", &pod])?;
    for each in [&first, &second] {
        same!(each.is("{{.State.Status}}")?, "paused");
    }
    cli.ok(&["pod", "unpause", &pod])?;
    first.exec(&[], &["true"])?.is(0)?;
    let top = cli.ok(&["pod", "top", &pod, "args"])?;
    same!(top.out.matches("until-term").count(), 2);
    Ok(())
}

/// Of the pod, for whichever container listens.
fn published_port(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let pod = ctx.id();
    cli.ok(&["pod", "create", "--name", &pod, "--publish", "127.0.0.1::80"])?;
    let line = "echo ready; while :; do echo straw | nc -l -p 80; done";
    let server = cli.detached(&["--pod", &pod], &["sh", "-c", line])?;
    server.until_log("ready")?;
    let port = server.call(&["port"]).ok()?;
    let port = port.text().rsplit(':').next().unwrap_or_default().to_string();
    ctx.eventually("an answer", || {
        let out = ctx.program("busybox").args(["nc", "-w", "2", "127.0.0.1", &port]).done().ok()?;
        (out.text() == "straw").then_some(())
    })
}

/// A pod as Kubernetes has it, with this limit of memory. The image has no PATH, and before Podman 5 such a
/// pod had none either.
fn manifest(name: &str, memory: Option<&str>) -> serde_json::Value {
    let image = crate::engines::cli::IMAGE;
    let data = json!([{ "name": "data", "mountPath": "/data" }]);
    let limits = memory.map_or(json!({}), |memory| json!({ "limits": { "memory": memory } }));
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": {
            "hostname": "played",
            "restartPolicy": "Never",
            "initContainers": [{ "name": "first", "image": image, "volumeMounts": data,
                "command": ["/bin/sh", "-c", "echo of the first >/data/file"] }],
            "containers": [{ "name": "main", "image": image, "volumeMounts": data,
                "command": ["/bin/probe", "until-term"], "resources": limits,
                "env": [{ "name": "STRAW", "value": "gold" }], "workingDir": "/tmp",
                "securityContext": { "readOnlyRootFilesystem": true, "runAsUser": 1000,
                    "capabilities": { "drop": ["ALL"] }, "allowPrivilegeEscalation": false } }],
            "volumes": [{ "name": "data", "emptyDir": {} }],
        },
    })
}

/// Plays it for the time of `look`.
fn play(ctx: &Ctx, memory: Option<&str>, look: impl FnOnce(&Started<'_>) -> Res) -> Res {
    let cli = Cli::of(ctx);
    let name = ctx.id();
    let file = shown(ctx.make_file("pod.yaml", &manifest(&name, memory).to_string())?);
    let played = cli.ok(&["kube", "play", &file]);
    let looked = played.and_then(|_| look(&cli.named(&format!("{name}-main"))));
    cli.ok(&["kube", "down", &file]).and(looked)
}

fn played(ctx: &Ctx) -> Res {
    play(ctx, None, |main| {
        let line = "cat /data/file; id -u; hostname; pwd; echo $STRAW; echo x >/file || echo refused; \
                    grep -E '^(NoNewPrivs|CapBnd)' /proc/self/status";
        let wanted = "of the first\n1000\nplayed\n/tmp\ngold\nrefused\n\
                      CapBnd:\t0000000000000000\nNoNewPrivs:\t1";
        main.exec(&[], &["/bin/sh", "-c", line])?.is(0)?.prints(wanted).map(drop)
    })
}

fn played_with_limits(ctx: &Ctx) -> Res {
    play(ctx, Some("48Mi"), |main| {
        let place = crate::cgroups::place_of(main.pid()?, "memory")?;
        let file =
            if place.controllers.is_empty() { "memory.max" } else { "memory.limit_in_bytes" };
        let limit = std::fs::read_to_string(place.dir.join(file)).doing(file)?;
        same!(limit.trim(), (48 << 20).to_string());
        Ok(())
    })
}

/// What Podman writes of a container can be played.
fn generated(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let (pod, ..) = pod(&cli, &[])?;
    let file = shown(ctx.dir.join("generated.yaml"));
    cli.ok(&["kube", "generate", "--filename", &file, &pod])?;
    cli.ok(&["pod", "rm", "--force", "--time", "0", &pod])?;
    cli.ok(&["kube", "play", &file])?;
    let of_pod = format!("pod={pod}");
    let list = cli.ok(&["ps", "--quiet", "--filter", &of_pod, "--filter", "status=running"])?;
    same!(list.out.lines().count(), 3);
    cli.ok(&["kube", "down", &file]).map(drop)
}

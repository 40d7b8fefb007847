//! The six kinds of hooks: when, where and with what they run, and what their failure does.

use std::fs;

use serde_json::{Value, json};

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::result::{Doing, Res, holds, same};
use crate::text::{lines, shown};

pub(crate) const FEATURE: Feature = Feature {
    name: "hooks",
    cases: &[
        either!(order).ours("runc runs poststart in create, crun before startContainer"),
        either!(order_around_start),
        either!(order_within_a_kind),
        either!(state_on_stdin),
        either!(state_has_the_pid).only_runc("crun gives hooks in the container pid 0"),
        either!(state_status_of_each_kind)
            .ours("runc runs poststart while created, crun has other words"),
        either!(arguments_and_environment),
        either!(environment_unset_is_empty).ours("the peers give the hook their own environment"),
        either!(namespaces),
        root!(prestart_may_enter_the_network),
        root!(begin_in_the_bundle),
        either!(create_container_sees_the_mounts),
        either!(stdout_is_not_the_containers).only_runc("crun leaves it to them"),
        either!(timeout),
        either!(failing_prestart),
        either!(failing_create_runtime),
        either!(failing_create_container),
        either!(failing_start_container),
        either!(failing_poststart_only_warns).ours("with both peers start fails"),
        either!(failing_poststop_only_warns).only_crun("with runc delete fails"),
        either!(missing_program),
        either!(poststop_after_run),
        either!(poststop_after_force_delete),
        root!(hook_gets_no_stray_fds).only_runc("crun's hooks inherit the caller's"),
    ],
};

/// The kinds in their order, and whether the hook runs in the container's root.
const KINDS: &[(&str, bool)] = &[
    ("prestart", false),
    ("createRuntime", false),
    ("createContainer", false),
    ("startContainer", true),
    ("poststart", false),
    ("poststop", false),
];

/// A hook that runs this line with /bin/sh, which the host and the rootfs have.
/// The state is read to its end: crun dies of SIGPIPE when a hook leaves some of it.
fn hook(container: &mut Container<'_>, kind: &str, line: &str) {
    let line = format!("( {line} ); status=$?; cat >/dev/null; exit $status");
    let hook =
        json!({"path": "/bin/sh", "args": ["sh", "-c", line], "env": ["PATH=/usr/bin:/bin"]});
    container.push(&format!("/hooks/{kind}"), hook);
}

/// What `line` leaves in `$F`, for a hook of each kind. `$F` is a file of the rootfs, so every hook can reach it.
fn hook_of_each_kind(container: &mut Container<'_>, line: &str) {
    for (kind, inside) in KINDS {
        let file = if *inside { format!("/{kind}") } else { shown(container.inside(kind)) };
        hook(container, kind, &format!("F={file}; {line}"));
    }
}

fn left(container: &Container<'_>, kind: &str) -> Res<String> {
    fs::read_to_string(container.inside(kind)).doing(&format!("what {kind} wrote"))
}

fn order(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    for (kind, inside) in KINDS {
        let file = if *inside { "/order".to_string() } else { shown(container.inside("order")) };
        hook(&mut container, kind, &format!("echo {kind} >>{file}"));
    }
    let after = |container: &Container<'_>| -> Res<Vec<String>> {
        Ok(lines(&left(container, "order")?).iter().map(|line| line.to_string()).collect())
    };
    container.create()?;
    same!(after(&container)?, ["prestart", "createRuntime", "createContainer"]);
    container.start()?;
    container.until_output("ready")?;
    same!(after(&container)?[3..], ["startContainer", "poststart"]);
    container.kill("KILL")?;
    container.until("stopped")?;
    same!(after(&container)?.len(), 5);
    container.delete()?;
    same!(after(&container)?[5..], ["poststop"]);
    Ok(())
}

/// What both peers agree on.
fn order_around_start(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    // The hooks read their stdin: crun dies of SIGPIPE when they end without.
    for (kind, inside) in KINDS {
        let file = if *inside { "/order".to_string() } else { shown(container.inside("order")) };
        hook(&mut container, kind, &format!("cat >/dev/null; echo {kind} >>{file}"));
    }
    container.run()?.is(0)?;
    let text = left(&container, "order")?;
    let kinds = lines(&text);
    same!(kinds[..3], ["prestart", "createRuntime", "createContainer"]);
    same!(kinds.last(), Some(&"poststop"));
    same!(kinds.len(), KINDS.len());
    Ok(())
}

fn order_within_a_kind(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let file = shown(container.inside("order"));
    for number in 1..=3 {
        hook(
            &mut container,
            "createRuntime",
            &format!("sleep 0.0{}; echo {number} >>{file}", 9 - number),
        );
    }
    container.run()?.is(0)?;
    same!(left(&container, "order")?, "1\n2\n3\n");
    Ok(())
}

/// Not the others: containers are started and deleted from anywhere.
fn begin_in_the_bundle(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    hook_of_each_kind(&mut container, "cat >/dev/null; pwd >$F");
    container.run()?.is(0)?;
    for kind in ["prestart", "createRuntime"] {
        let directory = left(&container, kind)?;
        same!(directory.trim_end(), shown(&container.bundle));
    }
    Ok(())
}

fn state_on_stdin(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/annotations/com.example.key", "some value");
    hook_of_each_kind(&mut container, "cat >$F");
    container.run()?.is(0)?;
    for (kind, inside) in KINDS {
        let state: Value = serde_json::from_str(&left(&container, kind)?).doing(kind)?;
        same!(state["id"], container.id);
        // crun gives "/" to the one that cannot see the bundle.
        holds!(
            *inside || state["bundle"] == shown(&container.bundle),
            "{kind}: {}",
            state["bundle"]
        );
        same!(state["annotations"]["com.example.key"], "some value");
        holds!(state["ociVersion"].is_string(), "{kind}: no ociVersion in {state}");
    }
    Ok(())
}

fn state_has_the_pid(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    hook_of_each_kind(&mut container, "cat >$F");
    container.run_until("ready")?;
    let pid = container.pid()?;
    for kind in ["prestart", "createRuntime", "poststart"] {
        let state: Value = serde_json::from_str(&left(&container, kind)?).doing(kind)?;
        holds!(state["pid"] == pid, "{kind} is told pid {}, state says {pid}", state["pid"]);
    }
    Ok(())
}

fn state_status_of_each_kind(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    hook_of_each_kind(&mut container, "cat >$F");
    container.run_until("ready")?;
    container.force_delete()?;
    let wanted = [
        ("prestart", "creating"),
        ("createRuntime", "creating"),
        ("createContainer", "creating"),
        ("startContainer", "created"),
        ("poststart", "running"),
        ("poststop", "stopped"),
    ];
    for (kind, status) in wanted {
        let state: Value = serde_json::from_str(&left(&container, kind)?).doing(kind)?;
        holds!(state["status"] == status, "{kind} is told {}, wanted {status}", state["status"]);
    }
    Ok(())
}

fn arguments_and_environment(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let file = shown(container.inside("out"));
    let hook = json!({"path": "/bin/sh", "args": ["named", "-c", "echo \"$0|$1|$A|$B\" >$FILE", "zero", "one two"],
        "env": ["A=1", "B=x y", format!("FILE={file}")]});
    container.push("/hooks/createRuntime", hook);
    container.run()?.is(0)?;
    same!(left(&container, "out")?, "zero|one two|1|x y\n");
    Ok(())
}

fn environment_unset_is_empty(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let file = shown(container.inside("out"));
    let hook =
        json!({"path": "/bin/sh", "args": ["sh", "-c", format!("echo \"<$LEAKED>\" >{file}")]});
    container.push("/hooks/createRuntime", hook);
    container.run_call(&[])?.env("LEAKED", "yes").ok()?;
    same!(left(&container, "out")?, "<>\n");
    Ok(())
}

/// createContainer and startContainer run in the container's namespaces, the others in the runtime's.
fn namespaces(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    hook_of_each_kind(
        &mut container,
        "readlink /proc/self/ns/uts >$F; readlink /proc/self/ns/mnt >>$F",
    );
    container.run_until("ready")?;
    container.force_delete()?;
    let own = |kind| fs::read_link(format!("/proc/self/ns/{kind}")).map(shown).doing(kind);
    let ours = format!("{}\n{}\n", own("uts")?, own("mnt")?);
    for (kind, _) in KINDS {
        let inside = *kind == "createContainer" || *kind == "startContainer";
        let got = left(&container, kind)?;
        holds!(
            (got == ours) != inside,
            "{kind} ran in {}, the caller is in {}",
            got.trim(),
            ours.trim()
        );
    }
    Ok(())
}

/// What Docker's build does: the state's pid is there, and so are its namespaces.
fn prestart_may_enter_the_network(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let file = shown(container.inside("out"));
    let line = format!(
        "pid=$(sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p'); readlink /proc/$pid/ns/pid >{file}"
    );
    hook(&mut container, "prestart", &line);
    container.run()?.is(0)?;
    let (inside, own) =
        (left(&container, "out")?, fs::read_link("/proc/self/ns/pid").doing("own")?);
    holds!(
        inside.starts_with("pid:[") && inside.trim() != shown(own),
        "pid of the state is of {inside}"
    );
    Ok(())
}

/// Mounts are made, the root is not yet changed.
fn create_container_sees_the_mounts(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let (file, shm) = (shown(container.inside("out")), shown(container.inside("dev/shm")));
    hook(
        &mut container,
        "createContainer",
        &format!("grep -c \" {shm} \" /proc/self/mounts >{file}"),
    );
    container.run()?.is(0)?;
    same!(left(&container, "out")?, "1\n");
    Ok(())
}

fn stdout_is_not_the_containers(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "payload"])?;
    hook(&mut container, "createRuntime", "echo from the hook");
    container.run()?.is(0)?.prints("payload")?;
    Ok(())
}

fn timeout(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", "exec sleep 60"], "env": ["PATH=/usr/bin:/bin"], "timeout": 1});
    container.push("/hooks/createRuntime", hook);
    let begin = std::time::Instant::now();
    container.run()?.failed()?;
    let took = begin.elapsed().as_millis();
    holds!((900..8000).contains(&took), "gave up after {took} ms");
    container.gone()
}

/// A failing hook of this kind makes `run` fail, says which, and leaves nothing.
fn fails(ctx: &Ctx, kind: &str) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "payload"])?;
    hook(&mut container, kind, "echo from the hook >&2; exit 3");
    container.run()?.failed()?.prints("")?.says_one_of(&["hook"])?;
    container.gone()
}

fn failing_prestart(ctx: &Ctx) -> Res {
    fails(ctx, "prestart")
}

fn failing_create_runtime(ctx: &Ctx) -> Res {
    fails(ctx, "createRuntime")
}

fn failing_create_container(ctx: &Ctx) -> Res {
    fails(ctx, "createContainer")
}

fn failing_start_container(ctx: &Ctx) -> Res {
    fails(ctx, "startContainer")
}

fn failing_poststart_only_warns(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    hook(&mut container, "poststart", "exit 3");
    container.create()?;
    container.start()?;
    container.until_output("ready")?;
    same!(container.status()?, "running");
    Ok(())
}

fn failing_poststop_only_warns(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let file = shown(container.inside("out"));
    hook(&mut container, "poststop", "cat >/dev/null; exit 3");
    hook(&mut container, "poststop", &format!("echo second >{file}"));
    container.run_detached()?;
    container.until("stopped")?;
    container.delete()?;
    same!(left(&container, "out")?, "second\n");
    container.gone()
}

fn missing_program(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "payload"])?;
    container.push("/hooks/createRuntime", json!({"path": "/no/such/hook"}));
    container.run()?.failed()?.prints("")?;
    container.gone()
}

fn poststop_after_run(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let file = shown(container.inside("out"));
    hook(&mut container, "poststop", &format!("echo once >>{file}"));
    container.run()?.is(0)?;
    same!(left(&container, "out")?, "once\n");
    Ok(())
}

fn poststop_after_force_delete(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    let file = shown(container.inside("out"));
    hook(&mut container, "poststop", &format!("echo once >>{file}"));
    container.run_until("ready")?;
    container.force_delete()?;
    same!(left(&container, "out")?, "once\n");
    Ok(())
}

fn hook_gets_no_stray_fds(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let stray =
        fs::File::open("/etc/hostname").or_else(|_| fs::File::open("/etc/passwd")).doing("open")?;
    crate::call::inherit(&stray)?;
    let file = shown(container.inside("out"));
    hook(&mut container, "createRuntime", &format!("ls -l /proc/self/fd >{file}"));
    container.run()?.is(0)?;
    let fds = left(&container, "out")?;
    holds!(!fds.contains("/etc/hostname") && !fds.contains("/etc/passwd"), "the hook has {fds}");
    Ok(())
}

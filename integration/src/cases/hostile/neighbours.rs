//! A process that shares a container's pid namespace: what it sees of the runtime while somebody enters that
//! container, and what it can have it do.

use serde_json::json;

use super::super::terminal::exec_on;
use super::NAME;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::pty::Terminal;
use crate::result::{Doing, Res, holds};

pub(crate) const FEATURE: Feature = Feature {
    name: NAME,
    cases: &[
        root!(cve_2019_5736_neighbour_sees_no_host_binary_in_exec)
            .takes(120)
            .needs(&[Need::Quick, Need::Ptrace])
            .ours("what enters executes the peers' own program there"),
        root!(cve_2019_5736_neighbour_sees_no_host_binary_in_start)
            .takes(120)
            .needs(&[Need::Quick, Need::Ptrace])
            .ours("the peers' own program waits there for start"),
        root!(socket_of_who_enters_is_not_had).takes(120).needs(&[Need::Quick]).ours(NO_SOCKET),
        root!(socket_of_who_enters_names_no_other_process)
            .takes(120)
            .needs(&[Need::Quick, Need::Ptrace])
            .ours(NO_SOCKET),
    ],
};

const NO_SOCKET: &str = "the peers speak otherwise with who enters";

/// Executes no program of its own, and keeps those of others open that are not the image's.
const WATCHES: &[&str] = &["/bin/probe", "open-programs"];

fn in_pod_of<'a>(ctx: &'a Ctx, pod: &Container<'_>, args: &[&str]) -> Res<Container<'a>> {
    let mut neighbour = ctx.container_of(args)?;
    neighbour.namespace("pid", Some(&format!("/proc/{}/ns/pid", pod.pid()?)));
    Ok(neighbour)
}

fn watcher<'a>(ctx: &'a Ctx, pod: &Container<'_>) -> Res<Container<'a>> {
    let mut watcher = in_pod_of(ctx, pod, WATCHES)?;
    for set in ["bounding", "effective", "permitted"] {
        let capabilities = ["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"];
        watcher.set(&format!("/process/capabilities/{set}"), capabilities);
    }
    watcher.run_until("ready")?;
    Ok(watcher)
}

/// It has seen those that entered, in so many rounds, and of the runtime nothing but the trampoline.
fn has_seen_the_trampoline_alone(watcher: &Container<'_>) -> Res {
    let output = watcher.output();
    let found: Vec<&str> = output.lines().filter(|line| line.starts_with("found ")).collect();
    holds!(!found.is_empty(), "it has seen nobody enter");
    let strange = found.iter().find(|line| !line.contains(" /memfd:skep"));
    holds!(strange.is_none(), "it has {}", strange.unwrap_or(&""));
    Ok(())
}

fn cve_2019_5736_neighbour_sees_no_host_binary_in_exec(ctx: &Ctx) -> Res {
    let pod = ctx.sleeper()?;
    pod.run_until("ready")?;
    let watcher = watcher(ctx, &pod)?;
    for _ in 0..40 {
        pod.exec(&[], &["/bin/true"])?.is(0)?;
    }
    has_seen_the_trampoline_alone(&watcher)
}

/// The hook is the image's program, and runs inside.
fn cve_2019_5736_neighbour_sees_no_host_binary_in_start(ctx: &Ctx) -> Res {
    let pod = ctx.sleeper()?;
    pod.run_until("ready")?;
    let hook = json!({"path": "/bin/true"});
    // Their creation is seen by who is there already.
    let mut others = Vec::new();
    for _ in 0..10 {
        let mut other = in_pod_of(ctx, &pod, &["/bin/true"])?;
        other.set("/hooks", json!({"startContainer": vec![hook.clone(); 8]}));
        other.create()?;
        others.push(other);
    }
    let watcher = watcher(ctx, &pod)?;
    for other in &others {
        other.start()?;
    }
    has_seen_the_trampoline_alone(&watcher)
}

/// Enters a container, whose process speaks for who enters, so often, with a terminal; the process that it names is
/// this test's. What it has said of each newcomer.
fn spoken_for(ctx: &Ctx, capabilities: &[&str]) -> Res<Vec<String>> {
    let mut bystander = std::process::Command::new("sleep").arg("1000").spawn().doing("sleep")?;
    let mut container = ctx.container_of(&["/bin/probe", "forge", &bystander.id().to_string()])?;
    for set in ["bounding", "effective", "permitted"] {
        container.set(&format!("/process/capabilities/{set}"), capabilities);
    }
    container.run_until("ready")?;
    for _ in 0..10 {
        let mut terminal = Terminal::open(24, 80)?;
        // It may fail.
        exec_on(&container, &mut terminal, "true")?.wait()?;
    }
    // One that has ended may have been reaped.
    holds!(matches!(bystander.try_wait(), Ok(None)), "another process was killed");
    bystander.kill().and_then(|()| bystander.wait()).doing("end the bystander")?;
    Ok(container.output().lines().map(str::to_owned).collect())
}

fn socket_of_who_enters_is_not_had(ctx: &Ctx) -> Res {
    let said = spoken_for(ctx, &["CAP_KILL"])?;
    holds!(said.iter().any(|line| line.starts_with("refused")), "it has tried nobody: {said:?}");
    let had = said.iter().find(|line| line.starts_with("sent"));
    holds!(had.is_none(), "it had a socket: {had:?}");
    Ok(())
}

/// CAP_SYS_PTRACE in the host's user namespace can have it.
fn socket_of_who_enters_names_no_other_process(ctx: &Ctx) -> Res {
    let said = spoken_for(ctx, &["CAP_KILL", "CAP_SYS_PTRACE"])?;
    holds!(said.iter().any(|line| line.starts_with("sent")), "it had no socket: {said:?}");
    Ok(())
}

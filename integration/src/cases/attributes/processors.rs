//! Where processes run: the affinity of the caller, and `process.execCPUAffinity`.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{NO_FIELD, exec_report, exec_through, running};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text;

const NO_SUCH_PLACE: &str = "no machine of ours has a peer, two processors and a cpuset";

pub(crate) const FEATURE: Feature = Feature {
    name: "attributes.processors",
    cases: &[
        either!(of_the_caller_are_not_the_containers).needs(&[Need::Processors]),
        either!(of_the_caller_are_not_those_of_create).needs(&[Need::Processors]),
        either!(of_the_caller_are_not_those_of_exec).needs(&[Need::Processors]),
        either!(affinity_final).needs(&[Need::Processors]),
        either!(affinity_initial_stays).needs(&[Need::Processors]),
        either!(affinity_final_wins).needs(&[Need::Processors]),
        either!(affinity_of_the_container)
            .needs(&[Need::Processors])
            .only_runc("crun leaves that of config.json aside"),
        root!(affinity_initial_is_before_the_cgroup)
            .needs(&[Need::Processors, Need::Controller("cpuset")])
            .ours(NO_SUCH_PLACE),
        root!(affinity_outside_the_cpuset_is_named)
            .needs(&[Need::Processors, Need::Controller("cpuset")])
            .ours(NO_SUCH_PLACE),
        either!(affinity_bad_refused).ours(NO_FIELD),
    ],
};

/// Has what follows run on the first processor that the caller may use.
fn on_one() -> Res<[String; 3]> {
    let [first, _] = two_processors()?;
    Ok(["/usr/bin/taskset".into(), "-c".into(), first.to_string()])
}

/// Two processors that the caller may use.
fn two_processors() -> Res<[usize; 2]> {
    let own = sched_getaffinity(Pid::from_raw(0)).doing("sched_getaffinity")?;
    let mut may = (0..CpuSet::count()).filter(|&cpu| own.is_set(cpu).unwrap_or(false));
    match (may.next(), may.next()) {
        (Some(first), Some(second)) => Ok([first, second]),
        _ => Err("one processor alone".into()),
    }
}

/// The processors that a process may use, as the kernel lists them.
fn processors_of(pid: i32) -> Res<String> {
    let path = format!("/proc/{pid}/status");
    listed(&std::fs::read_to_string(&path).doing(&path)?)
}

/// All that there are for somebody here, whatever this program is restricted to.
fn all_processors(ctx: &Ctx) -> Res<String> {
    let args = ["-c", "0-1023", "/bin/cat", "/proc/self/status"];
    listed(&ctx.program("/usr/bin/taskset").args(args).ok()?.out)
}

fn listed(status: &str) -> Res<String> {
    text::field(status, "Cpus_allowed_list").map(str::to_owned).doing("Cpus_allowed_list")
}

fn of_the_caller_are_not_the_containers(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "report"])?;
    let one = on_one()?;
    let call = container.run_call(&[])?.through(&one.each_ref().map(String::as_str));
    same!(call.ok()?.json()?["processors"], all_processors(ctx)?);
    Ok(())
}

fn of_the_caller_are_not_those_of_create(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    let one = on_one()?;
    container.create_call(&[])?.through(&one.each_ref().map(String::as_str)).ok()?;
    container.start()?;
    same!(processors_of(container.pid()?)?, all_processors(ctx)?);
    Ok(())
}

fn of_the_caller_are_not_those_of_exec(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let one = on_one()?;
    let out = exec_through(&container, json!({}), &one.each_ref().map(String::as_str))?;
    same!(out.is(0)?.json()?["processors"], all_processors(ctx)?);
    Ok(())
}

fn affinity_final(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let [_, second] = two_processors()?;
    let fields = json!({"execCPUAffinity": {"final": second.to_string()}});
    same!(exec_report(&container, fields)?["processors"], second.to_string());
    Ok(())
}

/// Without a final one the kernel has the last word, and it leaves what was asked for.
fn affinity_initial_stays(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let [first, _] = two_processors()?;
    let fields = json!({"execCPUAffinity": {"initial": first.to_string()}});
    same!(exec_report(&container, fields)?["processors"], first.to_string());
    Ok(())
}

fn affinity_final_wins(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let [first, second] = two_processors()?;
    let affinity = json!({"initial": first.to_string(), "final": format!("{first},{second}")});
    let report = exec_report(&container, json!({"execCPUAffinity": affinity}))?;
    let both =
        if second == first + 1 { format!("{first}-{second}") } else { format!("{first},{second}") };
    same!(report["processors"], both);
    Ok(())
}

/// That of config.json is for commands that enter, not for the container's own process.
fn affinity_of_the_container(ctx: &Ctx) -> Res {
    let [_, second] = two_processors()?;
    let mut container = ctx.sleeper()?;
    container.set("/process/execCPUAffinity", json!({"final": second.to_string()}));
    container.run_until("ready")?;
    same!(processors_of(container.pid()?)?, all_processors(ctx)?);
    let report: Value = container.exec(&[], &["/bin/probe", "report"])?.is(0)?.json()?;
    same!(report["processors"], second.to_string());
    Ok(())
}

/// A container that may use the second processor alone.
fn on_second(ctx: &Ctx) -> Res<(Container<'_>, [usize; 2])> {
    let both = two_processors()?;
    let mut container = ctx.sleeper()?;
    container.set("/linux/resources/cpu", json!({"cpus": both[1].to_string(), "mems": "0"}));
    container.run_until("ready")?;
    Ok((container, both))
}

/// In the cgroup there would be no such processor.
fn affinity_initial_is_before_the_cgroup(ctx: &Ctx) -> Res {
    let (container, [first, second]) = on_second(ctx)?;
    for affinity in [
        json!({"initial": first.to_string(), "final": second.to_string()}),
        json!({"initial": first.to_string()}),
    ] {
        let report = exec_report(&container, json!({"execCPUAffinity": affinity}))?;
        same!(report["processors"], second.to_string());
        let cgroup = report["cgroup"].as_str().unwrap_or_default();
        holds!(!cgroup.is_empty(), "the process is in no cgroup");
    }
    Ok(())
}

fn affinity_outside_the_cpuset_is_named(ctx: &Ctx) -> Res {
    let (container, [first, _]) = on_second(ctx)?;
    let fields = json!({"execCPUAffinity": {"final": first.to_string()}});
    exec_through(&container, fields, &[])?.refused(&["process.execCPUAffinity.final"])?;
    Ok(())
}

fn affinity_bad_refused(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    for (affinity, field) in [
        (json!({"initial": "0-"}), "process.execCPUAffinity.initial"),
        (json!({"final": "3-1"}), "process.execCPUAffinity.final"),
        (json!({"final": "a"}), "process.execCPUAffinity.final"),
        (json!({"final": "100000"}), "process.execCPUAffinity.final"),
    ] {
        let out = exec_through(&container, json!({"execCPUAffinity": affinity}), &[])?;
        out.refused(&[field])?;
    }
    Ok(())
}

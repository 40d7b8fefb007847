//! The events of a container's life, which the shim sends when the runtime has done its part.

use serde_json::Value;

use crate::call::Running;
use crate::ctx::Ctx;
use crate::engines::ctr::Ctr;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "ctr_events",
    cases: &[
        root!(life).needs(&[Need::Freezer]),
        root!(failed_start),
        root!(out_of_memory).needs(&[Need::Controller("memory")]),
    ],
};

/// `ctr events` while the check runs.
struct Events {
    running: Running,
}

impl Events {
    /// Listening for certain.
    fn listen(ctr: Ctr<'_>) -> Res<Events> {
        let events = Events { running: ctr.call(&["events"]).spawn()? };
        events.until_now(ctr)?;
        Ok(events)
    }

    /// Waits for an event that is made now: earlier ones have come by then.
    fn until_now(&self, ctr: Ctr<'_>) -> Res {
        let mark = format!("{}e{}", ctr.ctx.id_prefix(), ctr.ctx.next());
        let heard = || {
            ctr.call(&["namespaces", "label", "default", &format!("{mark}=1")]).ok().ok()?;
            self.running.out_now().contains(&mark).then_some(())
        };
        ctr.ctx.eventually("events come", heard)?;
        ctr.call(&["namespaces", "label", "default", &format!("{mark}=")]).ok().map(drop)
    }

    /// The topics and what they say of this container, so far. A line is the time in four words, the
    /// namespace, the topic, and a JSON object.
    fn of(&self, name: &str) -> Vec<(String, Value)> {
        let read = |line: &str| {
            let (head, said) = line.split_once(" {")?;
            let said: Value = serde_json::from_str(&format!("{{{said}")).ok()?;
            let topic = head.rsplit(' ').next()?.strip_prefix("/tasks/")?;
            (said["container_id"] == name).then(|| (topic.to_string(), said))
        };
        self.running.out_now().lines().filter_map(read).collect()
    }

    /// Waits for this topic, and gives what it says.
    fn until(&self, ctx: &Ctx, name: &str, topic: &str) -> Res<Value> {
        let find =
            || self.of(name).into_iter().find(|(each, _)| each == topic).map(|(_, said)| said);
        let seen: Vec<String> = self.of(name).into_iter().map(|(each, _)| each).collect();
        ctx.eventually(&format!("event {topic} after {seen:?}"), find)
    }

    fn end(mut self) -> Res {
        self.running.child().kill().doing("end ctr events")?;
        self.running.wait().map(drop)
    }
}

fn life(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let events = Events::listen(ctr)?;
    // A shim that ends with its last container may do so before it has sent the last event, with any
    // runtime: this one has another container to stay for.
    let together = format!("io.containerd.runc.v2.group={}", ctx.id());
    let flags = ["--annotation", &together];
    let _other = ctr.sleeper(&flags)?;
    let seen = live(ctr, &flags, &events)?;
    let topics: Vec<&str> = seen.iter().map(|(topic, _)| topic.as_str()).collect();
    let wanted = [
        "create",
        "start",
        "exec-added",
        "exec-started",
        "exit",
        "paused",
        "resumed",
        "exit",
        "delete",
    ];
    // The delete of an exec is one more, which containerd does not always send.
    same!(wanted_of(&topics, &wanted), wanted);
    let exits: Vec<&Value> =
        seen.iter().filter(|each| each.0 == "exit").map(|each| &each.1).collect();
    same!((&exits[0]["id"], &exits[0]["exit_status"]), (&"other".into(), &3.into()));
    same!((&exits[1]["pid"], &exits[1]["exit_status"]), (&seen[0].1["pid"], &42.into()));
    same!(seen[seen.len() - 1].1["exit_status"], 42);
    events.end()
}

/// Everything that can happen to a container, and what is said of it.
fn live(ctr: Ctr<'_>, flags: &[&str], events: &Events) -> Res<Vec<(String, Value)>> {
    let task = ctr.sleeper(flags)?;
    let pid = task.pid()?;
    task.call_exec("other", &[]).args(["sh", "-c", "exit 3"]).done()?.is(3)?;
    task.call(&["pause"]).ok()?;
    task.call(&["resume"]).ok()?;
    task.call(&["kill"]).ok()?;
    same!(task.end()?, 42);
    events.until_now(ctr)?;
    let seen = events.of(&task.name);
    same!(seen.first().map(|(_, said)| said["pid"].clone()), Some(pid.into()));
    Ok(seen)
}

/// These without a delete that is not the last one.
fn wanted_of<'a>(topics: &[&'a str], wanted: &[&str]) -> Vec<&'a str> {
    let mut topics = topics.to_vec();
    while topics.len() > wanted.len() {
        let Some(at) = topics.iter().position(|topic| *topic == "delete") else { break };
        topics.remove(at);
    }
    topics
}

/// Whoever counts on an end for each creation gets it.
fn failed_start(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let events = Events::listen(ctr)?;
    let task = ctr.named(&ctx.id());
    let call = ctr.run_as_configured(&[]).arg(crate::engines::containerd::IMAGE);
    call.arg(&task.name).arg("no-such-program").done()?.failed()?;
    let started = events.of(&task.name).iter().any(|(topic, _)| topic == "start");
    holds!(!started, "it is said to have started");
    events.end()
}

fn out_of_memory(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let events = Events::listen(ctr)?;
    let task = ctr.sleeper(&["--memory-limit", &(32 << 20).to_string()])?;
    super::forbid_swap(task.pid()?)?;
    // Not the first process, so that the container and its shim are there to tell.
    task.exec(&[], &["/bin/probe", "eat", "64"])?.is(137)?;
    events.until(ctx, &task.name, "oom")?;
    events.end()
}

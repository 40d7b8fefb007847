//! A thousand containers that eight workers make, start, enter, stop and delete in random order, each worker
//! doing as it likes with everybody's containers. Only what two people may really do to each other may go
//! wrong, and in the end nothing is left.
//!
//! What happens when is up to the kernel, so a seed brings back the choices, not the run:
//! `SKEP_TORTURE_SEED`, as the failure says it.

mod actions;
mod flavours;
mod halfway;
mod worker;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::harness::{leaks, procs};
use crate::image;
use crate::result::{Doing, Res, holds, same};
use halfway::{
    container_ends_while_the_joiner_is_stopped, joiner_that_is_killed_takes_its_process_along,
};
use worker::Worker;

pub(crate) const FEATURE: Feature = Feature {
    name: "torture",
    cases: &[
        either!(many_hands)
            .takes(400)
            .needs(&[Need::Quick])
            .ours("the peers have words and races of their own for who comes too late"),
        root!(who_is_stopped_on_the_way_in_ends)
            .needs(&[Need::Freezer])
            .only_runc("crun has no --ignore-paused"),
        root!(container_ends_while_the_joiner_is_stopped).needs(&[Need::Ptrace]).ours(OWN_STEPS),
        root!(joiner_that_is_killed_takes_its_process_along).needs(&[Need::Ptrace]).ours(OWN_STEPS),
    ],
};

const OWN_STEPS: &str = "it is about our own processes' steps";

const WORKERS: usize = 8;

/// So few that they get into each other's way.
const PLACES: usize = 16;

/// What the workers share.
struct Field {
    root: std::path::PathBuf,
    dir: std::path::PathBuf,
    prefix: String,
    is_root: bool,
    /// The number of the container at each place.
    places: Mutex<[usize; PLACES]>,
    next: AtomicUsize,
    made: AtomicUsize,
    wanted: usize,
    ended: AtomicBool,
    failures: Mutex<Vec<String>>,
}

impl Field {
    fn new(ctx: &Ctx) -> Field {
        Field {
            root: ctx.state_root(),
            dir: ctx.dir.clone(),
            prefix: ctx.id_prefix(),
            is_root: ctx.is_root(),
            places: Mutex::new(std::array::from_fn(|place| place)),
            next: AtomicUsize::new(PLACES),
            made: AtomicUsize::new(0),
            wanted: 1000,
            ended: AtomicBool::new(false),
            failures: Mutex::default(),
        }
    }

    fn id(&self, number: usize) -> String {
        format!("{}t{number}", self.prefix)
    }

    fn at(&self, place: usize) -> usize {
        self.places.lock().expect("no panic while locked")[place]
    }

    /// A new container's number instead of one that is gone, unless somebody has put one there.
    fn replace(&self, place: usize, gone: usize) {
        let mut places = self.places.lock().expect("no panic while locked");
        if places[place] == gone {
            places[place] = self.next.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn fail(&self, why: String) {
        self.ended.store(true, Ordering::Relaxed);
        self.failures.lock().expect("no panic while locked").push(why);
    }

    fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed) && self.made.load(Ordering::Relaxed) < self.wanted
    }
}

fn many_hands(ctx: &Ctx) -> Res {
    let seed = seed()?;
    image::copy(ctx.template(), &ctx.dir.join("shared"))?;
    ctx.will_delete(&ctx.state_root(), &ctx.id_prefix());
    let field = Field::new(ctx);
    let with_seed = |error| format!("SKEP_TORTURE_SEED={seed}: {error}");
    work(ctx, &field, seed).and_then(|()| drained(ctx, &field)).map_err(with_seed)
}

fn seed() -> Res<u64> {
    match std::env::var("SKEP_TORTURE_SEED") {
        Ok(seed) => seed.parse().doing("SKEP_TORTURE_SEED"),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).doing("the time")?;
            Ok(u64::from(now.subsec_nanos()))
        }
    }
}

fn work(ctx: &Ctx, field: &Field, seed: u64) -> Res {
    let resting = AtomicBool::new(false);
    thread::scope(|scope| {
        let reaper = scope.spawn(|| {
            while !resting.load(Ordering::Relaxed) {
                procs::reap_adopted();
                thread::sleep(Duration::from_millis(10));
            }
        });
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| Worker::new(field, &ctx.runtime, number, seed))
            .map(|mut worker| scope.spawn(move || worker.work()))
            .collect();
        let mut last = Worker::new(field, &ctx.runtime, WORKERS, seed);
        // One may wait in a container to which the last thing that was done was to pause it.
        while workers.iter().any(|worker| !worker.is_finished()) {
            thread::sleep(Duration::from_millis(10));
            if !field.goes_on()
                && let Err(why) = last.resume_all()
            {
                field.fail(why);
            }
        }
        workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
        resting.store(true, Ordering::Relaxed);
        reaper.join().expect("no panic");
    });
    let failures = field.failures.lock().expect("no panic while locked");
    holds!(failures.is_empty(), "{}", failures.join("; "));
    Ok(())
}

/// Everything is deleted, and then nothing is left: what the harness looks for after each case, and here also
/// files.
fn drained(ctx: &Ctx, field: &Field) -> Res {
    for number in 0..field.next.load(Ordering::Relaxed) {
        let id = field.id(number);
        if field.root.join(&id).exists() {
            ctx.runtime().args(["delete", "--force", &id]).ok()?;
        }
    }
    same!(ctx.runtime().args(["list", "-q"]).ok()?.out, "");
    let own = std::process::id() as i32;
    ctx.eventually("all processes end", || procs::below(own).is_empty().then_some(()))?;
    let left = leaks::of_container(&ctx.dir, &ctx.state_roots(), &field.prefix);
    holds!(left.is_empty(), "left behind: {}", left.join(", "));
    for dir in ["state", "tmp", "home", "xdg"] {
        same!(files(&ctx.dir.join(dir)), Vec::<String>::new());
    }
    Ok(())
}

/// Who enters a paused container waits in its cgroup, but not yet in its pid namespace.
fn who_is_stopped_on_the_way_in_ends(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    container.command("pause", &[]).ok()?;
    let entering = container.exec_call(&["--ignore-paused"], &["/bin/true"]).spawn()?;
    let both = || (processes_of(&container).ok()? > 1).then_some(());
    ctx.eventually("it has come in", both)?;
    container.kill("KILL")?;
    container.until("stopped")?;
    entering.wait()?.failed()?.says_one_of(&["not running", "procready"])?;
    container.delete()?;
    container.gone()
}

fn processes_of(container: &Container<'_>) -> Res<usize> {
    let listed = container.command("ps", &["--format", "json"]).ok()?.json()?;
    Ok(listed.as_array().map_or(0, Vec::len))
}

fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().display().to_string()).collect()
}

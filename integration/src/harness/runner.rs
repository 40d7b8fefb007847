//! Chooses the cases, runs each in a process of its own, and reports.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::case::{Case, Feature, Proof};
use super::needs::Need;
use super::{inner, leaks, procs};
use crate::cases::FEATURES;
use crate::options::Options;
use crate::result::{Doing, Res};
use crate::{ctx, engines, image, text};

/// As `println!`, but a reader that has gone away is no reason to leave the case's things behind.
macro_rules! say {
    ($($text:tt)*) => {{
        let _closed = writeln!(std::io::stdout(), $($text)*);
    }};
}

/// A case with its feature.
#[derive(Clone, Copy)]
struct Named {
    feature: &'static Feature,
    case: &'static Case,
}

impl Named {
    fn name(&self) -> String {
        format!("{}.{}", self.feature.name, self.case.name)
    }
}

enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    skipped: usize,
}

/// Those of the engine, if there is one.
fn all(options: &Options) -> impl Iterator<Item = Named> {
    options
        .engine
        .map_or(FEATURES, engines::features)
        .iter()
        .flat_map(|feature| feature.cases.iter().map(move |case| Named { feature, case }))
}

pub(crate) fn find(options: &Options, name: &str) -> Option<&'static Case> {
    all(options).find(|each| each.name() == name).map(|each| each.case)
}

fn chosen(options: &Options) -> Vec<Named> {
    let (first, step) = options.share;
    let fit = |each: &Named| unfit(options, each).is_none();
    let wanted = |each: &Named| options.wants(&each.name());
    all(options).filter(fit).filter(wanted).skip(first).step_by(step).collect()
}

/// Why it is not for the engine.
fn unfit(options: &Options, each: &Named) -> Option<&'static str> {
    options.engine.and_then(|engine| engines::unfit(engine, &each.name()))
}

pub(crate) fn list(options: &Options) -> Res<ExitCode> {
    for each in chosen(options) {
        let proof = match each.case.proof {
            Proof::Both => "runc, crun".to_string(),
            Proof::OnlyRunc(why) => format!("runc; {why}"),
            Proof::OnlyCrun(why) => format!("crun; {why}"),
            Proof::Nowhere(why) => format!("no peer; {why}"),
        };
        let needs: String = each.case.needs.iter().map(|need| format!(" {need:?}")).collect();
        say!("{}\t{:?}{needs}\t{proof}", each.name(), each.case.who);
    }
    for each in all(options) {
        if let Some(why) = unfit(options, &each) {
            say!("({} is not for this engine: {why})", each.name());
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(options: &Options) -> Res<ExitCode> {
    nix::sys::prctl::set_child_subreaper(true).doing("become subreaper")?;
    let root = nix::unistd::geteuid().is_root();
    // Those of an engine are for whoever the engine is for.
    let has_user = |each: &Named| options.engine.is_some() || each.case.who.includes(root);
    let (here, elsewhere): (Vec<Named>, Vec<Named>) =
        chosen(options).into_iter().partition(|each| {
            let elsewhere = |need: &&Need| need.elsewhere() && need.met().is_err();
            has_user(each) && each.case.needs.iter().find(elsewhere).is_none()
        });
    let (here, unproved): (Vec<Named>, Vec<Named>) = here
        .into_iter()
        .partition(|each| options.peer.is_none_or(|peer| each.case.unproved(peer).is_none()));
    let work = work_dir()?;
    let template = work.join("rootfs");
    let outcome = image::build(&template, &options.probe)
        .and_then(|()| run_with_engine(options, &here, &work));
    leaks::remove(&work, &ctx::run_prefix(std::process::id()));
    let tally = outcome?;
    report(&tally, elsewhere.len(), unproved.len());
    Ok(if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(tally: &Tally, elsewhere: usize, unproved: usize) {
    for failure in &tally.failed {
        say!("failed: {failure}");
    }
    if elsewhere > 0 {
        say!(
            "({elsewhere} cases are for another user or machine: another part of the tests runs them)"
        );
    }
    if unproved > 0 {
        say!("({unproved} cases cannot be proved on this peer: --list says why)");
    }
    say!("{} passed, {} failed, {} skipped", tally.passed, tally.failed.len(), tally.skipped);
}

/// The directory of this run; its parents and itself must be open to every id a container may map.
pub(crate) fn work_dir() -> Res<PathBuf> {
    let base = std::env::temp_dir();
    let dir = base.join(format!("skep-it-{}", std::process::id()));
    fs::create_dir(&dir).doing(&format!("make {}", dir.display()))?;
    ctx::open_to_all(&dir)?;
    Ok(dir)
}

/// The engine runs while its checks do; what it leaves behind is one more verdict.
fn run_with_engine(options: &Options, cases: &[Named], work: &Path) -> Res<Tally> {
    let Some(engine) = options.engine else {
        return Ok(run_all(options, cases, work));
    };
    let begin = Instant::now();
    let (tally, left) = engines::with(engine, options, work, || run_all(options, cases, work))?;
    let verdict = left.map_or_else(Verdict::Failed, |()| Verdict::Passed);
    let tally = Mutex::new(tally);
    note(&tally, "nothing_is_left", verdict, begin.elapsed());
    Ok(tally.into_inner().unwrap_or_default())
}

fn run_all(options: &Options, cases: &[Named], work: &Path) -> Tally {
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begin = Instant::now();
                    let verdict = run_tries(options, case, work);
                    note(&tally, &case.name(), verdict, begin.elapsed());
                }
            });
        }
    });
    tally.into_inner().unwrap_or_default()
}

/// From here on the time that a case takes is worth a word.
const LONG: Duration = Duration::from_secs(10);

fn note(tally: &Mutex<Tally>, name: &str, verdict: Verdict, took: Duration) {
    let Ok(mut tally) = tally.lock() else { return };
    match verdict {
        Verdict::Passed => {
            tally.passed += 1;
            match took < LONG {
                true => say!("ok {name}"),
                false => say!("ok {name} ({} s)", took.as_secs()),
            }
        }
        Verdict::Failed(reason) => {
            let reason = text::brief(&reason, 1000);
            say!("FAIL {name}: {reason}");
            tally.failed.push(format!("{name}: {reason}"));
        }
        Verdict::Skipped(reason) => {
            tally.skipped += 1;
            say!("SKIP {name}: {reason}");
        }
    }
}

/// What a peer fails now and then is its own affair: one success shows that the case can be passed.
pub(crate) const PEERS_TRIES: usize = 3;

fn run_tries(options: &Options, case: &Named, work: &Path) -> Verdict {
    let tries = if options.peer.is_some() { PEERS_TRIES } else { 1 };
    let mut verdict = run_one(options, case, work);
    for next in 2..=tries {
        let Verdict::Failed(reason) = &verdict else { break };
        say!("again {}, {next} of {tries}: {}", case.name(), text::brief(reason, 200));
        verdict = run_one(options, case, work);
    }
    verdict
}

fn run_one(options: &Options, case: &Named, work: &Path) -> Verdict {
    let concerns = |need: &&Need| options.engine.is_none_or(|engine| need.concerns(engine.name));
    let missing = case.case.needs.iter().filter(concerns).find_map(|need| need.met().err());
    if let Some(reason) = missing {
        return Verdict::Skipped(reason);
    }
    let dir = work.join(case.name());
    match start(options, case, &dir) {
        Err(reason) => Verdict::Failed(reason),
        Ok(child) => {
            let pid = child.id();
            let prefix = ctx::id_prefix(pid);
            let least = options.engine.map_or(Duration::ZERO, |_| engines::TIME_LIMIT);
            let least = least.max(Duration::from_secs(case.case.takes));
            let limit = options.time_limit.max(least);
            let verdict = watch(child, limit, &dir);
            procs::waited_for(pid as i32);
            clear_engine(options, &verdict, &prefix, &dir);
            leaks::remove(&dir, &prefix);
            verdict
        }
    }
}

/// A check that was killed has not removed what it made, and that would be in the way of the others.
fn clear_engine(options: &Options, verdict: &Verdict, prefix: &str, dir: &Path) {
    if let (Some(_), Verdict::Failed(_)) = (options.engine, verdict) {
        let ctx = ctx::Ctx::new(&options.runtime, dir, options.engine);
        let _leaks_tell = ctx.and_then(|ctx| engines::clear(&ctx.of(prefix)));
    }
}

fn start(options: &Options, case: &Named, dir: &Path) -> Res<Child> {
    fs::create_dir(dir).doing("make the case's directory")?;
    ctx::open_to_all(dir)?;
    let stderr = fs::File::create(dir.join("stderr")).doing("make the case's stderr")?;
    let mut command = Command::new(std::env::current_exe().doing("own path")?);
    command.arg("--runtime").arg(&options.runtime).arg("--inner").arg(case.name()).arg(dir);
    if let Some(engine) = options.engine {
        command.args(["--engine", engine.name]);
    }
    if options.peer.is_some() {
        command.arg("--peer");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    // What has the runner for its parent is collected while a check's remains are cleared away.
    procs::start(&mut command).doing("start the case")
}

fn watch(mut child: Child, limit: Duration, dir: &Path) -> Verdict {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Verdict::Passed,
            Ok(Some(status)) => return Verdict::Failed(reason(dir, &status.to_string())),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => break,
        }
    }
    // First what the case started, while it is still their parent and cannot start more.
    let _stopped = kill(Pid::from_raw(child.id() as i32), Signal::SIGSTOP);
    procs::kill_below(child.id() as i32);
    let _gone = child.kill();
    let _status = child.wait();
    Verdict::Failed(format!("no end within {} s; {}", limit.as_secs(), reason(dir, "killed")))
}

fn reason(dir: &Path, otherwise: &str) -> String {
    let verdict = fs::read_to_string(dir.join(inner::VERDICT)).unwrap_or_default();
    if !verdict.is_empty() {
        return verdict;
    }
    let stderr = fs::read_to_string(dir.join("stderr")).unwrap_or_default();
    format!("{otherwise}: {}", text::brief(&stderr, 600))
}

//! Runs the OCI runtime-tools validation programs, and holds what they say against what is known.
//!
//! The programs are Debian's source, built as they are by `conformance/build.sh`. Each is judged by
//! all its points; one that fails has to be in [`known`], with its reason, and has to fail just so.

mod judge;
mod known;
mod program;
mod tap;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{leaks, runner};
use crate::options::{Options, peer_of};
use crate::result::{Doing, Res};
use crate::text::brief;
use judge::{Counts, Verdict};
use known::Runtime;

/// As `println!`, to a reader that may have gone.
macro_rules! say {
    ($($text:tt)*) => {{
        let _closed = writeln!(std::io::stdout(), $($text)*);
    }};
}

/// What lies beside the programs.
const OTHERS: &[&str] = &["runtimetest", "rootfs-amd64.tar.gz"];

pub(crate) fn run(options: &Options, programs: &Path) -> Res<ExitCode> {
    if let Some(inner) = &options.inner {
        return program::inner(options, inner);
    }
    let names = chosen(options, programs)?;
    let runtime = match options.peer {
        Some(_) => Runtime::of(peer_of(&options.runtime)?),
        None => Runtime::Own,
    };
    let work = runner::work_dir()?;
    let counts = run_all(options, runtime, &names, &work);
    leaks::remove_directory(&work);
    say!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The programs' names; all that the table speaks of have to be there.
fn chosen(options: &Options, programs: &Path) -> Res<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(programs).doing("the programs")? {
        names.push(entry.doing("the programs")?.file_name().to_string_lossy().into_owned());
    }
    for wanted in known::programs().chain(OTHERS.iter().copied()) {
        names.iter().find(|name| *name == wanted).doing(wanted)?;
    }
    names.retain(|name| !OTHERS.contains(&name.as_str()) && options.wants(name));
    names.sort();
    Ok(names)
}

/// Two lanes: what makes cgroups uses fixed names for them, and is done one after the other.
fn run_all(options: &Options, runtime: Runtime, names: &[String], work: &Path) -> Counts {
    let makes_cgroups = |name: &&String| name.contains("cgroups") || name.contains("resources");
    let (limiting, others): (Vec<&String>, Vec<&String>) = names.iter().partition(makes_cgroups);
    let total = Mutex::new(Counts::default());
    let next = AtomicUsize::new(0);
    let one = |name: &str| {
        let verdict = match program::run(options, name, work) {
            Ok(output) => judge::judge(runtime, name, &output),
            Err(problem) => Verdict::broken(problem),
        };
        report(name, &verdict);
        if let Ok(mut total) = total.lock() {
            total.add(&verdict.counts);
        }
    };
    let rest = || {
        while let Some(name) = others.get(next.fetch_add(1, Ordering::Relaxed)) {
            one(name);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            limiting.iter().for_each(|name| one(name));
            rest();
        });
        for _ in 1..options.jobs {
            scope.spawn(rest);
        }
    });
    total.into_inner().unwrap_or_default()
}

fn report(name: &str, verdict: &Verdict) {
    let Counts { passed, failed, skipped } = verdict.counts;
    let word = if failed == 0 { "ok" } else { "FAIL" };
    say!("{word} {name}: {passed} passed, {failed} failed, {skipped} skipped");
    verdict.known.iter().for_each(|line| say!("  known: {line}"));
    verdict.wrong.iter().for_each(|line| say!("  {}", brief(line, 1000)));
}

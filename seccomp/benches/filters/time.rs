//! How long it takes to compile.

use crate::reference::Reference;
use crate::table::{median, print, row};
use crate::{Subject, compile};
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

const PROCESSES: usize = 31;
const WARM: usize = 2000;
/// libseccomp's optimisation that runc asks for with profiles of this size.
const TREE: u32 = 2;

/// Compiles so many times, and prints how many nanoseconds the first took, and the median of all.
pub(crate) fn once(subject: &Subject, times: usize) {
    let oci = subject.oci();
    let taken = (0..times).map(|_| {
        let begin = Instant::now();
        black_box(compile(black_box(&oci)));
        begin.elapsed().as_nanos() as u64
    });
    let taken: Vec<u64> = taken.collect();
    let first = taken[0];
    println!("{first} {}", median(taken));
}

pub(crate) fn report(subjects: &[Subject], reference: &mut Option<Reference>) {
    let mut rows =
        vec![row(["profile", "arches", "cold us", "warm us", "instructions", "libseccomp us"])];
    for subject in subjects {
        let cold = (0..PROCESSES).map(|_| run(subject, 1).0).collect();
        rows.push(vec![
            subject.engine.to_owned(),
            subject.arches.to_string(),
            microseconds(median(cold)),
            microseconds(run(subject, WARM).1),
            instructions(subject).map_or("-".to_owned(), |count| count.to_string()),
            libseccomp(subject, reference).map_or("-".to_owned(), microseconds),
        ]);
    }
    print(
        "Compiling: the first in a process, the median in one, executed instructions (callgrind)",
        &rows,
    );
}

fn microseconds(nanoseconds: u64) -> String {
    format!("{:.1}", nanoseconds as f64 / 1000.0)
}

/// Compiles in a process of its own; gives what [`once`] prints.
fn run(subject: &Subject, times: usize) -> (u64, u64) {
    let output = command(subject, times, None).output().expect("this program");
    let text = String::from_utf8(output.stdout).expect("text");
    let (first, middle) = text.trim().split_once(' ').expect("two numbers");
    (first.parse().expect("a number"), middle.parse().expect("a number"))
}

fn command(subject: &Subject, times: usize, under: Option<&[&str]>) -> Command {
    let this = std::env::current_exe().expect("this program");
    let mut command = match under {
        Some([program, args @ ..]) => {
            let mut command = Command::new(program);
            command.args(args).arg(this);
            command
        }
        _ => Command::new(this),
    };
    command.args(["once", subject.engine, &subject.arches.to_string(), &times.to_string()]);
    command
}

/// How many instructions one more compilation executes.
fn instructions(subject: &Subject) -> Option<u64> {
    let collected = |times| {
        let valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let output = command(subject, times, Some(&valgrind)).output().ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let count = text.split("Collected : ").nth(1)?.split_whitespace().next()?;
        count.parse::<u64>().ok()
    };
    Some((collected(11)? - collected(1)?) / 10)
}

/// The reference's answer, with its text over pipes.
fn libseccomp(subject: &Subject, reference: &mut Option<Reference>) -> Option<u64> {
    let reference = reference.as_mut()?;
    let profile = subject.for_libseccomp(reference);
    let taken = (0..5).map(|_| {
        let begin = Instant::now();
        reference.compile(&profile, TREE).expect("a filter");
        begin.elapsed().as_nanos() as u64
    });
    Some(median(taken.collect()))
}

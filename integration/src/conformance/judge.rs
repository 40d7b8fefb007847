//! What a program's output comes to.

use super::known::{self, Known, Runtime, Says};
use super::program::{GOOD_END, Output};
use super::tap::{self, Directive, Tap};
use crate::text::brief;

#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

#[derive(Default)]
pub(super) struct Verdict {
    pub(super) counts: Counts,
    /// Failures that are known, which count as skipped.
    pub(super) known: Vec<String>,
    pub(super) wrong: Vec<String>,
}

impl Verdict {
    pub(super) fn broken(problem: String) -> Verdict {
        let counts = Counts { failed: 1, ..Counts::default() };
        Verdict { counts, wrong: vec![problem], ..Verdict::default() }
    }
}

pub(super) fn judge(runtime: Runtime, name: &str, output: &Output) -> Verdict {
    let rows = known::of(runtime, name);
    compare(&rows, known::says(name), output)
}

fn compare(rows: &[&Known], says: Says, output: &Output) -> Verdict {
    let (mut tap, mut failures) = failures(says, output);
    let mut verdict = Verdict::default();
    for row in rows {
        let found = failures.iter().filter(|failure| failure.contains(row.failure)).count();
        failures.retain(|failure| !failure.contains(row.failure));
        if row.allows(found) {
            let line = format!("{found} x {}: {}", row.failure, row.why);
            verdict.counts.skipped += found;
            verdict.known.extend((found > 0).then_some(line));
        } else {
            let text = format!("{} x {}, known are {:?}", found, row.failure, row.times);
            verdict.wrong.push(format!("{text}: {}", row.why));
        }
    }
    let good = |point: &&tap::Point| point.good && point.directive != Directive::Skip;
    let skipped = |point: &&tap::Point| match point.directive {
        Directive::Skip => true,
        Directive::Todo => !point.good,
        Directive::None => false,
    };
    verdict.counts.passed = tap.points.iter().filter(good).count();
    verdict.counts.skipped += tap.points.iter().filter(skipped).count();
    // What says less than points has said that all is well.
    if verdict.known.is_empty() && failures.is_empty() && says != Says::Points {
        verdict.counts.passed += 1;
    }
    verdict.wrong.append(&mut failures);
    verdict.counts.failed = verdict.wrong.len();
    if verdict.counts.failed > 0 {
        verdict.wrong.append(&mut tap.inner);
        verdict.wrong.push(format!("stderr: {}", brief(&output.stderr, 600)));
    }
    verdict
}

/// Everything that is not as it should be, each as a line.
fn failures(says: Says, output: &Output) -> (Tap, Vec<String>) {
    let mut tap = tap::read(&output.stdout);
    let mut failures = Vec::new();
    if says != Says::ExitStatus {
        failures.append(&mut tap.problems);
    }
    let bad = |point: &&tap::Point| !point.good && point.directive != Directive::Todo;
    failures.extend(tap.points.iter().filter(bad).map(|point| point.text.clone()));
    if says == Says::Diagnostics {
        failures.append(&mut tap.errors);
    } else if says == Says::Points && tap.points.is_empty() && failures.is_empty() {
        failures.push("no points".into());
    }
    if output.end != GOOD_END {
        // What it could not do; then the text says more than that there is no TAP.
        let text = format!("{}: {}", output.end, brief(&output.stderr, 600));
        failures.retain(|failure| !tap.points.is_empty() || failure.starts_with("not ok"));
        failures.push(text);
    }
    (tap, failures)
}

#[cfg(test)]
mod tests {
    use super::{Counts, GOOD_END, Known, Output, Says, compare};
    use crate::conformance::known::{At, Runtime, Times};

    fn output(stdout: &str, end: &str) -> Output {
        Output { stdout: stdout.into(), stderr: "skep: no".into(), end: end.into() }
    }

    fn known(failure: &'static str) -> Known {
        Known {
            program: "a",
            who: &[Runtime::Own],
            at: At::Anywhere,
            failure,
            times: Times::Exactly(1),
            why: "so",
        }
    }

    fn counts(rows: &[&Known], says: Says, output: &Output) -> (usize, usize, usize) {
        let Counts { passed, failed, skipped } = compare(rows, says, output).counts;
        (passed, failed, skipped)
    }

    #[test]
    fn a_failure_is_known_or_wrong() {
        let bad = output("TAP version 13\nok 1 - a\nnot ok 2 - b\n1..2\n", GOOD_END);
        assert_eq!(counts(&[], Says::Points, &bad), (1, 1, 0));
        assert_eq!(counts(&[&known("not ok 2")], Says::Points, &bad), (1, 0, 1));
        assert_eq!(counts(&[&known("not ok 1")], Says::Points, &bad), (1, 2, 0));
        let good = output("TAP version 13\nok 1 - a\n1..1\n", GOOD_END);
        assert_eq!(counts(&[&known("not ok 2")], Says::Points, &good), (1, 1, 0));
        let race = Known { times: Times::AtMost(1), ..known("not ok 2") };
        assert_eq!(counts(&[&race], Says::Points, &good), (1, 0, 0));
    }

    #[test]
    fn the_end_counts() {
        let died = output("", "exit status 1");
        assert_eq!(counts(&[], Says::Points, &died), (0, 1, 0));
        assert_eq!(counts(&[&known("skep: no")], Says::Points, &died), (0, 0, 1));
        let late = output("TAP version 13\nok 1 - a\n1..1\n", "exit status 2");
        assert_eq!(counts(&[], Says::Points, &late), (1, 1, 0));
    }

    #[test]
    fn programs_without_points() {
        let quiet = output("TAP version 13\n1..0\n", GOOD_END);
        assert_eq!(counts(&[], Says::Points, &quiet), (0, 1, 0));
        assert_eq!(counts(&[], Says::Diagnostics, &quiet), (1, 0, 0));
        let text = "TAP version 13\n  ---\n  {\"error\": \"order\"}\n  ...\n1..0\n";
        assert_eq!(counts(&[], Says::Diagnostics, &output(text, GOOD_END)), (0, 1, 0));
        assert_eq!(counts(&[], Says::ExitStatus, &output("", GOOD_END)), (1, 0, 0));
        assert_eq!(counts(&[], Says::ExitStatus, &output("", "exit status 1")), (0, 1, 0));
    }
}

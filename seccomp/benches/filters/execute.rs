//! How many instructions of a filter are executed for a call.

use crate::support::interpreter::{Call, Run, run};
use crate::support::machines::{Machine, Name};
use crate::table::{print, row};
use crate::{Made, NATIVE, Subject, here};
use skep_seccomp::Instruction;
use std::fs;

const ALLOW: u32 = 0x7fff_0000;
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;

/// Calls that programs really made, with how often: `trace.sh`.
fn trace() -> Vec<(usize, Call)> {
    let text = fs::read_to_string(here("trace.txt")).expect("the trace");
    text.lines().map(traced).collect()
}

fn traced(line: &str) -> (usize, Call) {
    let mut words = line.split(' ');
    let count = words.next().and_then(|word| word.parse().ok()).expect("a count");
    let machine = Machine::named(NATIVE);
    let name = Name::new(words.next().expect("a name"));
    let mut args = [0; 6];
    for (arg, word) in args.iter_mut().zip(words) {
        let hexadecimal = word.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16));
        *arg = hexadecimal.unwrap_or_else(|| word.parse()).expect("an argument");
    }
    (count, Call { arch: machine.token, number: machine.number(&name).expect("a number"), args })
}

pub(crate) fn report(filters: &[(&Subject, Vec<Made>)]) {
    let trace = trace();
    let total: usize = trace.iter().map(|(count, _)| count).sum();
    let mut rows = vec![row([
        "profile",
        "filter by",
        "arches",
        "length",
        "longest way",
        "mean",
        "not run %",
        "mean of the rest",
    ])];
    for (subject, made) in filters {
        for Made { by, program } in made {
            let runs = trace.iter().map(|(count, call)| (*count, run(program, call, true)));
            let (known, rest): (Vec<_>, Vec<_>) = runs.partition(|(_, run)| is_known(run));
            let all: Vec<(usize, Run)> = known.iter().chain(&rest).copied().collect();
            let share = known.iter().map(|(count, _)| count).sum::<usize>() as f64 / total as f64;
            rows.push(vec![
                subject.engine.to_owned(),
                (*by).to_owned(),
                subject.arches.to_string(),
                program.len().to_string(),
                longest(program).to_string(),
                mean(&all),
                format!("{:.2}", 100.0 * share),
                mean(&rest),
            ]);
        }
    }
    print(&format!("Executed instructions per call, of {total} calls of programs"), &rows);
}

/// Whether the kernel knows the answer without running the filter.
fn is_known(run: &Run) -> bool {
    run.value == ALLOW && !run.looked_further
}

fn mean(runs: &[(usize, Run)]) -> String {
    let count: usize = runs.iter().map(|(count, _)| count).sum();
    let steps: usize = runs.iter().map(|(count, run)| count * run.steps).sum();
    format!("{:.1}", steps as f64 / count.max(1) as f64)
}

/// How many instructions can be executed at most, whatever the call.
fn longest(program: &[Instruction]) -> usize {
    let mut ways = vec![0; program.len()];
    for (at, Instruction { code, jt, jf, k }) in program.iter().enumerate().rev() {
        let behind = |skipped: usize| ways[at + 1 + skipped];
        ways[at] = 1 + match *code {
            RETURN => 0,
            JUMP => behind(*k as usize),
            code if code & 0x07 == JUMP => behind((*jt).into()).max(behind((*jf).into())),
            _ => behind(0),
        };
    }
    ways[0]
}

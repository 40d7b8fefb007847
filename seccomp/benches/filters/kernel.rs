//! What the kernel takes to load a filter, and for calls under it: `cost.c`.

use crate::table::{print, row};
use crate::{Made, Subject};
use skep_seccomp::Instruction;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Where `run.sh` says where `cost` is.
const VARIABLE: &str = "SKEP_SECCOMP_COST";

pub(crate) fn report(filters: &[(&Subject, Vec<Made>)]) {
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    let mut rows =
        vec![row(["profile", "filter by", "arches", "loading us", "getppid ns", "personality ns"])];
    let cost = |program: &[Instruction]| cost(&path, program);
    rows.push([row(["-", "none", "0", "-"]), cost(&[])[1..].to_vec()].concat());
    for (subject, made) in filters {
        for Made { by, program } in made {
            let head = row([subject.engine, by, &subject.arches.to_string()]);
            rows.push([head, cost(program)].concat());
        }
    }
    print(
        "In this kernel: to load a filter, and a call that is allowed at once, and one that an argument decides about",
        &rows,
    );
}

/// Of loading, and of the two calls.
fn cost(path: &std::ffi::OsStr, program: &[Instruction]) -> Vec<String> {
    let mut child = Command::new(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program of run.sh");
    let mut input = child.stdin.take().expect("it was asked for");
    for Instruction { code, jt, jf, k } in program {
        let [code, k] = [&code.to_ne_bytes()[..], &k.to_ne_bytes()[..]];
        input.write_all(&[code, &[*jt, *jf], k].concat()).expect("it reads");
    }
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("text");
    let numbers: Vec<f64> = text.lines().map(|line| line.parse().expect("a number")).collect();
    vec![
        format!("{:.1}", numbers[0] / 1000.0),
        format!("{:.0}", numbers[1]),
        format!("{:.0}", numbers[2]),
    ]
}

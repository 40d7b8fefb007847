//! Random profiles, of the kinds that libseccomp gets right.
//!
//! Where several rules with conditions are about one call it often does not (SEMANTICS.md has its
//! mistakes), so each call gets rules of one of the kinds with which it does, and there are many calls.

use crate::compare::{Outcome, compare};
use crate::reference::Reference;
use crate::support;
use crate::support::machines::{MACHINES, Machine, Name};
use fastrand::Rng;
use serde_json::{Value, json};

/// How many profiles; SKEP_DIFFERENTIAL_PROFILES can say more.
const PROFILES: u64 = 2000;

const OPERATORS: [&str; 7] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
const LOWER_BOUNDS: [&str; 3] = ["EQ", "GE", "GT"];

#[rustfmt::skip]
const VALUES: [u64; 14] = [
    0, 1, 2, 3, 16, 40, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001,
    0x7e02_0000_0000_0001, 1 << 63, u64::MAX,
];

#[rustfmt::skip]
const ACTIONS: [&str; 10] = [
    "SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE",
    "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY",
];
/// The highest that libseccomp takes is one less than what the kernel does.
const ERRNOS: [u32; 4] = [0, 1, 38, 4094];

/// libseccomp takes one for the other, 2.5.4 the first and 2.6.1 the second.
const MISTAKEN: [&str; 2] = ["sys_debug_setcontext", "switch_endian"];

/// What shares a filter with x86_64, on the machines that there are.
const KIN: [&str; 3] = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
pub fn profiles(reference: &mut Reference) {
    let count = std::env::var("SKEP_DIFFERENTIAL_PROFILES")
        .map_or(PROFILES, |count| count.parse().expect("SKEP_DIFFERENTIAL_PROFILES is a number"));
    let names: Vec<&str> = support::names().filter(|name| !MISTAKEN.contains(name)).collect();
    // Newer versions of libseccomp have more.
    let machines: Vec<&Machine> =
        MACHINES.iter().filter(|machine| reference.number(machine, "read").is_some()).collect();
    let (mut compared, mut mistakes, mut refused, mut by_both) = (0, 0, 0, 0);
    for seed in 0..count {
        let mut random = Rng::with_seed(seed);
        let (native, architectures) = architectures(&machines, &mut random);
        let profile = profile(&names, &architectures, &mut random);
        let level = *random.choice(&[1, 2]).unwrap();
        match compare(reference, &profile, native, level, &mut random) {
            Ok(Outcome::Compared(calls)) => {
                compared += calls.compared;
                mistakes += calls.mistakes;
            }
            Ok(Outcome::Refused { by_both: both }) => {
                refused += 1;
                by_both += u64::from(both);
            }
            Err(difference) => panic!("{native}, level {level}: {difference}\n{profile}"),
        }
    }
    println!(
        "{count} profiles, {compared} calls the same, {mistakes} with a wrong argument of libseccomp; it refused {refused}, skep {by_both} of these"
    );
    assert!(refused < count / 2 && mistakes < compared / 1000, "little has been shown");
}

/// The native architecture and some that can be in one filter with it.
fn architectures(all: &[&Machine], random: &mut Rng) -> (&'static str, Vec<&'static str>) {
    if random.bool() {
        return (KIN[0], KIN.into_iter().filter(|_| random.bool()).collect());
    }
    let little = random.bool();
    let fits =
        |machine: &&&Machine| machine.little_endian == little && machine.name != "SCMP_ARCH_X32";
    let all: Vec<&str> = all.iter().filter(fits).map(|machine| machine.name).collect();
    let native = *random.choice(&all).unwrap();
    (native, all.into_iter().filter(|_| random.u8(..6) == 0).collect())
}

fn profile(names: &[&str], architectures: &[&str], random: &mut Rng) -> Value {
    let default = loop {
        let default = action(random);
        if default.0 != "SCMP_ACT_NOTIFY" {
            break default;
        }
    };
    // Without one rule that has no conditions libseccomp may forget to load the number.
    let other = if default.0 == "SCMP_ACT_ALLOW" { "SCMP_ACT_KILL" } else { "SCMP_ACT_ALLOW" };
    let mut rules = vec![rule(&["read"], vec![], (other, None))];
    let mut seen: Vec<&str> = Vec::new();
    for _ in 0..random.usize(..60) {
        let name = *random.choice(names).unwrap();
        if !seen.contains(&name) {
            seen.push(name);
            add_rules(name, names, random, &mut rules);
        }
    }
    json!({
        "defaultAction": default.0,
        "defaultErrnoRet": default.1,
        "architectures": architectures,
        "listenerPath": "/run/listener",
        "syscalls": rules,
    })
}

/// Adds rules of one kind about a call.
fn add_rules(about: &str, names: &[&str], random: &mut Rng, rules: &mut Vec<Value>) {
    let makes_or_is_made = matches!(about, "socketcall" | "ipc")
        || Machine::named("SCMP_ARCH_X86").made_by(&Name::new(about)).is_some();
    let about = [about];
    // What is made by one multiplexer meets there: nothing but equalities for these.
    match random.usize(..if makes_or_is_made { 4 } else { 6 }) {
        // Several calls, without conditions.
        0 | 1 => {
            let others = (0..random.usize(..40)).map(|_| *random.choice(names).unwrap());
            let names: Vec<&str> = others.chain(about).collect();
            rules.push(rule(&names, vec![], action(random)));
        }
        // Any number of equalities.
        2 => {
            for _ in 0..1 + random.usize(..4) {
                rules.push(rule(&about, together(&["EQ"], random), action(random)));
            }
        }
        // The same argument more than once.
        3 => {
            let args = (0..2 + random.usize(..3)).map(|at| condition(at / 2, &["EQ"], random));
            let args = args.collect();
            rules.push(rule(&about, args, action(random)));
        }
        // Conditions that hold together, and perhaps a rule that makes them void.
        4 => {
            rules.push(rule(&about, together(&OPERATORS, random), action(random)));
            if random.u8(..4) == 0 {
                rules.push(rule(&about, vec![], action(random)));
            }
        }
        // One argument each.
        _ => {
            for index in (0..6).filter(|_| random.bool()).collect::<Vec<_>>() {
                let condition = condition(index, &LOWER_BOUNDS, random);
                rules.push(rule(&about, vec![condition], action(random)));
            }
        }
    }
}

fn together(operators: &[&str], random: &mut Rng) -> Vec<Value> {
    let indexes: Vec<usize> = (0..6).filter(|_| random.u8(..3) == 0).collect();
    indexes.into_iter().map(|index| condition(index, operators, random)).collect()
}

fn condition(index: usize, operators: &[&str], random: &mut Rng) -> Value {
    let operator = *random.choice(operators).unwrap();
    let two =
        (operator == "MASKED_EQ" || random.u8(..10) == 0).then(|| *random.choice(&VALUES).unwrap());
    json!({
        "index": index,
        "op": format!("SCMP_CMP_{operator}"),
        "value": random.choice(&VALUES).unwrap(),
        "valueTwo": two,
    })
}

type Action = (&'static str, Option<u32>);

fn action(random: &mut Rng) -> Action {
    let action = *random.choice(&ACTIONS).unwrap();
    let has_errno = matches!(action, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE") && random.bool();
    (action, has_errno.then(|| *random.choice(&ERRNOS).unwrap()))
}

fn rule(names: &[&str], args: Vec<Value>, (action, errno): Action) -> Value {
    json!({"names": names, "action": action, "errnoRet": errno, "args": args})
}

//! Random profiles.

use super::machines::MACHINES;
use super::words::{ACTIONS, OPERATORS};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// Few, so that rules meet: neighbours, the first and the newest, multiplexers and what they make,
/// what not all architectures have, and one that none has.
const NAMES: [&str; 16] = [
    "read",
    "write",
    "open",
    "clone",
    "personality",
    "socket",
    "bind",
    "accept",
    "socketcall",
    "semop",
    "ipc",
    "setup",
    "clone3",
    "file_setattr",
    "cacheflush",
    "no_such_call",
];

/// Few as well.
fn value() -> impl Strategy<Value = u64> {
    let edges = select(vec![
        0,
        1,
        2,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fffe,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0001,
        0x2_0000_0000,
        0xffff_ffff_0000_0000,
        u64::MAX,
    ]);
    prop_oneof![4 => edges, 2 => 0..30_u64, 1 => any::<u64>()]
}

fn condition() -> impl Strategy<Value = Value> {
    let two = prop_oneof![Just(None), value().prop_map(Some)];
    (0..6, select(&OPERATORS[..]), value(), two)
        .prop_map(|(index, op, value, two)| json!({"index": index, "op": op, "value": value, "valueTwo": two}))
}

/// An action of config.json, and its errno.
pub type Action = (&'static str, Option<u32>);

/// With an errno where there may be one.
pub fn action() -> impl Strategy<Value = Action> {
    let errno = prop_oneof![Just(None), select(&[0_u32, 1, 38, 4095][..]).prop_map(Some)];
    (select(&ACTIONS[..]), errno).prop_map(|(action, errno)| {
        (action, errno.filter(|_| matches!(action, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE")))
    })
}

/// Rules about few calls, so that they meet.
pub fn rule() -> impl Strategy<Value = Value> {
    rule_about(prop::collection::vec(select(&NAMES[..]), 1..4), action())
}

pub fn rule_about(
    names: impl Strategy<Value = Vec<&'static str>>,
    action: impl Strategy<Value = Action>,
) -> impl Strategy<Value = Value> {
    let conditions = prop_oneof![
        2 => Just(Vec::new()),
        5 => prop::collection::vec(condition(), 1..4),
        1 => prop::collection::vec(condition(), 4..8),
    ];
    (names, action, conditions).prop_map(|(names, (action, errno), args)| {
        json!({"names": names, "action": action, "errnoRet": errno, "args": args})
    })
}

/// A native architecture, and up to three others of its byte order; often x86_64's three.
fn architectures() -> impl Strategy<Value = (&'static str, Vec<&'static str>)> {
    let others = prop::collection::vec(any::<Index>(), 0..4);
    let any = (any::<Index>(), others).prop_map(|(native, others)| {
        let native = native.get(&MACHINES);
        let same: Vec<&str> = MACHINES
            .iter()
            .filter(|machine| machine.little_endian == native.little_endian)
            .map(|machine| machine.name)
            .chain(["SCMP_ARCH_NATIVE"])
            .collect();
        (native.name, others.into_iter().map(|other| *other.get(&same)).collect())
    });
    let three = vec!["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
    let x86 = prop::sample::subsequence(three, 0..=3).prop_map(|some| ("SCMP_ARCH_X86_64", some));
    prop_oneof![any, x86]
}

/// A profile for a machine.
#[derive(Debug)]
pub struct Case {
    pub native: &'static str,
    pub profile: Value,
    /// For what is random and need not shrink: the calls.
    pub seed: u64,
}

pub fn case(rules: impl Strategy<Value = Vec<Value>>) -> impl Strategy<Value = Case> {
    (architectures(), action(), rules, any::<u64>()).prop_map(|(arches, default, rules, seed)| {
        let profile = profile(default, &arches.1, rules);
        Case { native: arches.0, profile, seed }
    })
}

pub fn profile(default: Action, arches: &[&str], rules: Vec<Value>) -> Value {
    json!({
        "defaultAction": default.0,
        "defaultErrnoRet": default.1,
        "architectures": arches,
        "listenerPath": "/run/listener",
        "syscalls": rules,
    })
}

/// Rules about one call and few values of few arguments, so that what one has tested matters to the next.
pub fn meeting_rule() -> impl Strategy<Value = Value> {
    let value = (0..2_u64, select(&[0_u64, 1, 2, 5, 0xffff_ffff][..]));
    let value = value.prop_map(|(high, low)| high << 32 | low);
    let condition = (0..3, select(&OPERATORS[..]), value.clone(), value).prop_map(
        |(index, op, value, two)| json!({"index": index, "op": op, "value": value, "valueTwo": two}),
    );
    (action(), prop::collection::vec(condition, 1..4)).prop_map(|((action, errno), args)| {
        json!({"names": ["personality"], "action": action, "errnoRet": errno, "args": args})
    })
}

/// Rules that hardly ever contradict each other, however many there are.
pub fn distinct_rule() -> impl Strategy<Value = Value> {
    let names = select(vec!["read", "write", "open", "clone", "personality", "ioctl"]);
    let condition = (0..6, select(&OPERATORS[..]), any::<u64>(), any::<u64>()).prop_map(
        |(index, op, value, two)| json!({"index": index, "op": op, "value": value, "valueTwo": two}),
    );
    let args = prop::collection::vec(condition, 1..3);
    (names, action(), args).prop_map(|(name, (action, errno), args)| {
        json!({"names": [name], "action": action, "errnoRet": errno, "args": args})
    })
}

//! Conditions on arguments, which are numbers of 64 bits.

use serde_json::{Value, json};

use super::{MARKED, all_but, condition, mark, returns};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::Res;

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.conditions",
    cases: &[
        either!(not_equal),
        either!(less),
        either!(less_or_equal),
        either!(equal),
        either!(greater_or_equal),
        either!(greater),
        either!(masked_equal),
        either!(masked_equal_wants_no_bit_outside_the_mask),
        either!(every_argument),
        either!(several_are_all_to_hold),
        either!(same_argument_twice_is_either),
        either!(dockers_clone_rule),
    ],
};

const VALUE: u64 = 0x1_0000_0005;

/// On both sides of it, and with equal lower or upper halves.
const AROUND: [u64; 10] =
    [0, 5, 6, 0xffff_ffff, VALUE - 1, VALUE, VALUE + 1, 0x1_ffff_ffff, 0x2_0000_0004, u64::MAX];

/// munlockall with each of these first arguments is marked where `holds` does.
fn marks(ctx: &Ctx, args: Value, values: &[u64], holds: fn(u64) -> bool) -> Res {
    let result = |value: &u64| if holds(*value) { MARKED } else { "0" };
    let calls: Vec<String> = values.iter().map(|value| format!("munlockall {value:#x}")).collect();
    let results = values.iter().map(result);
    let wanted: Vec<(&str, &str)> = calls.iter().map(String::as_str).zip(results).collect();
    returns(ctx, &all_but([mark(args)]), &wanted)
}

fn operator(ctx: &Ctx, op: &str, holds: fn(u64) -> bool) -> Res {
    marks(ctx, json!([condition(0, op, VALUE, 0)]), &AROUND, holds)
}

fn not_equal(ctx: &Ctx) -> Res {
    operator(ctx, "NE", |value| value != VALUE)
}

fn less(ctx: &Ctx) -> Res {
    operator(ctx, "LT", |value| value < VALUE)
}

fn less_or_equal(ctx: &Ctx) -> Res {
    operator(ctx, "LE", |value| value <= VALUE)
}

fn equal(ctx: &Ctx) -> Res {
    operator(ctx, "EQ", |value| value == VALUE)
}

fn greater_or_equal(ctx: &Ctx) -> Res {
    operator(ctx, "GE", |value| value >= VALUE)
}

fn greater(ctx: &Ctx) -> Res {
    operator(ctx, "GT", |value| value > VALUE)
}

/// `value` is the mask, `valueTwo` the wanted result.
fn masked_equal(ctx: &Ctx) -> Res {
    const MASK: u64 = 0xff00_0000_0000_00f0;
    const WANTED: u64 = 0x1200_0000_0000_0030;
    let values = [0, WANTED, WANTED | 0xf, 0x12ff_ffff_ffff_ff3f, 0x30, WANTED - 0x10, u64::MAX];
    let args = json!([condition(0, "MASKED_EQ", MASK, WANTED)]);
    marks(ctx, args, &values, |value| value & MASK == WANTED)
}

/// What can never hold as it is written, holds for the bits of the mask.
fn masked_equal_wants_no_bit_outside_the_mask(ctx: &Ctx) -> Res {
    let args = json!([condition(0, "MASKED_EQ", 0xf0, 0x35)]);
    marks(ctx, args, &[0, 0x30, 0x35, 0x3f, 0x40, 0x130], |value| value & 0xf0 == 0x30)
}

fn every_argument(ctx: &Ctx) -> Res {
    let rules: Vec<Value> = (0..6)
        .map(|index| mark(json!([condition(index, "EQ", 100 + u64::from(index), 0)])))
        .collect();
    let wanted = [
        ("munlockall 100 0 0 0 0 0", MARKED),
        ("munlockall 0 101 0 0 0 0", MARKED),
        ("munlockall 0 0 102 0 0 0", MARKED),
        ("munlockall 0 0 0 103 0 0", MARKED),
        ("munlockall 0 0 0 0 104 0", MARKED),
        ("munlockall 0 0 0 0 0 105", MARKED),
        ("munlockall 105 104 103 102 101 100", "0"),
    ];
    returns(ctx, &all_but(rules), &wanted)
}

fn several_are_all_to_hold(ctx: &Ctx) -> Res {
    let args = json!([
        condition(0, "EQ", 1, 0),
        condition(1, "GT", 0x1_0000_0000, 0),
        condition(5, "MASKED_EQ", 1, 1)
    ]);
    let wanted = [
        ("munlockall 1 0x100000001 0 0 0 3", MARKED),
        ("munlockall 2 0x100000001 0 0 0 3", "0"),
        ("munlockall 1 0x100000000 0 0 0 3", "0"),
        ("munlockall 1 0x100000001 0 0 0 2", "0"),
    ];
    returns(ctx, &all_but([mark(args)]), &wanted)
}

/// libseccomp takes one condition on an argument, so engines' runtimes have always made such a rule into
/// one rule for each of its conditions, those on other arguments too.
fn same_argument_twice_is_either(ctx: &Ctx) -> Res {
    let twice = json!([condition(0, "EQ", 1, 0), condition(0, "EQ", 2, 0)]);
    marks(ctx, twice, &[0, 1, 2, 3], |value| value == 1 || value == 2)?;
    let and_another =
        json!([condition(0, "EQ", 1, 0), condition(0, "EQ", 2, 0), condition(1, "EQ", 7, 0)]);
    let wanted = [
        ("munlockall 0 0", "0"),
        ("munlockall 1 0", MARKED),
        ("munlockall 2 0", MARKED),
        ("munlockall 3 7", MARKED),
    ];
    returns(ctx, &all_but([mark(and_another)]), &wanted)
}

/// New namespaces are for who has CAP_SYS_ADMIN, by the filter and not only by the kernel: it says no to
/// one who has all capabilities. What it lets through is EINVAL here: a thread that shares no signal
/// handlers.
fn dockers_clone_rule(ctx: &Ctx) -> Res {
    const THREAD: u64 = libc::CLONE_THREAD as u64;
    let profile = super::profiles::profile("docker");
    let kinds = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    let refused: Vec<String> =
        kinds.iter().map(|kind| format!("clone {:#x}", *kind as u64 | THREAD)).collect();
    let harmless = [0, libc::CLONE_VM, libc::CLONE_PARENT, libc::CLONE_UNTRACED];
    let allowed: Vec<String> =
        harmless.iter().map(|flags| format!("clone {:#x}", *flags as u64 | THREAD)).collect();
    let mut wanted: Vec<(&str, &str)> =
        refused.iter().map(|call| (call.as_str(), "EPERM")).collect();
    wanted.extend(allowed.iter().map(|call| (call.as_str(), "EINVAL")));
    wanted.push(("unshare 0x4000000", "EPERM"));
    wanted.push(("setns -1 0", "EPERM"));
    returns(ctx, &profile, &wanted)?;
    let calls = wanted.iter().map(|row| row.0).collect::<Vec<_>>().join(" , ");
    let mut container = super::with(ctx, &profile, "syscall", &calls)?;
    container.all_capabilities();
    super::returned(&container.run()?.is(0)?, &wanted)
}

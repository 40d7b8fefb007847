//! The ways into the kernel that are not the machine's own.

use serde_json::{Value, json};

use super::{MARKED, all_but, condition, ends_with, mark, returns, returns_by};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::harness::needs::Need::{I386, X86_64};
use crate::result::Res;

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.architectures",
    cases: &[
        either!(i386_is_killed_unless_listed).needs(&[I386]),
        either!(i386_is_filtered).needs(&[I386]),
        either!(i386_arguments_have_32_bits).needs(&[I386]),
        either!(i386_socket_is_also_in_socketcall).needs(&[I386]),
        either!(i386_socketcall_by_its_own_name).needs(&[I386]),
        either!(i386_semget_is_also_in_ipc).needs(&[I386]),
        either!(x32_is_killed_unless_listed).needs(&[X86_64]),
        either!(x32_is_filtered).needs(&[X86_64]),
        either!(foreign_ones_do_not_matter),
        either!(own_one_need_not_be_listed).needs(&[I386]),
    ],
};

fn listed(mut profile: Value, architectures: &[&str]) -> Value {
    let names = architectures.iter().map(|name| format!("SCMP_ARCH_{name}"));
    profile["architectures"] = names.collect();
    profile
}

fn marked_on(architectures: &[&str]) -> Value {
    listed(all_but([mark(json!([]))]), architectures)
}

/// A profile cannot be gone round by another door, not even one that allows everything.
fn killed(ctx: &Ctx, call: &str) -> Res {
    for profile in [all_but(json!([])), marked_on(&["X86_64"]), marked_on(&["X86_64", "AARCH64"])] {
        ends_with(ctx, &profile, "syscall", call, 128 + libc::SIGSYS)?;
        returns_by(ctx, &profile, "threads", &[(call, "killed")])?;
    }
    Ok(())
}

fn i386_is_killed_unless_listed(ctx: &Ctx) -> Res {
    killed(ctx, "i386:sched_yield")
}

fn i386_is_filtered(ctx: &Ctx) -> Res {
    let wanted = [
        ("i386:munlockall", MARKED),
        ("munlockall", MARKED),
        ("i386:sched_yield", "0"),
        ("sched_yield", "0"),
    ];
    returns(ctx, &marked_on(&["X86_64", "X86"]), &wanted)
}

fn i386_arguments_have_32_bits(ctx: &Ctx) -> Res {
    let rule = mark(json!([condition(0, "EQ", 0xffff_ffff, 0)]));
    let wanted = [
        ("i386:munlockall -1", MARKED),
        ("munlockall -1", "0"),
        ("munlockall 0xffffffff", MARKED),
        ("i386:munlockall 1", "0"),
    ];
    returns(ctx, &listed(all_but([rule]), &["X86_64", "X86"]), &wanted)?;
    let rule = mark(json!([condition(4, "GE", 7, 0)]));
    let wanted = [("i386:munlockall 0 0 0 0 7", MARKED), ("i386:munlockall 7 7 7 7 6", "0")];
    returns(ctx, &listed(all_but([rule]), &["X86_64", "X86"]), &wanted)
}

/// Calls that are let through find no arguments where they look for them.
fn i386_socket_is_also_in_socketcall(ctx: &Ctx) -> Res {
    let rule = json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77});
    let profile = listed(all_but([rule]), &["X86_64", "X86"]);
    let (socket, bind) = ("i386:socketcall 1 0", "i386:socketcall 2 0");
    let wanted =
        [(socket, MARKED), (bind, "EFAULT"), ("i386:socket -1", MARKED), ("socket -1", MARKED)];
    returns(ctx, &profile, &wanted)
}

fn i386_socketcall_by_its_own_name(ctx: &Ctx) -> Res {
    let rule = json!({"names": ["socketcall"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77});
    let profile = listed(all_but([rule]), &["X86_64", "X86"]);
    let wanted = [
        ("i386:socketcall 1 0", MARKED),
        ("i386:socketcall 2 0", MARKED),
        ("i386:socket -1", "EAFNOSUPPORT"),
        ("socket -1", "EAFNOSUPPORT"),
    ];
    returns(ctx, &profile, &wanted)
}

fn i386_semget_is_also_in_ipc(ctx: &Ctx) -> Res {
    const SEMGET: &str = "i386:ipc 2 0 -1 0";
    const SHMGET: &str = "i386:ipc 23 0 0 0";
    let rule = json!({"names": ["semget"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77});
    let profile = listed(all_but([rule]), &["X86_64", "X86"]);
    let wanted = [(SEMGET, MARKED), ("i386:semget 0 -1 0", MARKED), (SHMGET, "EINVAL")];
    returns(ctx, &profile, &wanted)
}

/// Their numbers have bit 30; the filter is asked first, also where the kernel has no such calls.
fn x32_is_killed_unless_listed(ctx: &Ctx) -> Res {
    killed(ctx, "x32:sched_yield")
}

fn x32_is_filtered(ctx: &Ctx) -> Res {
    returns(
        ctx,
        &marked_on(&["X86_64", "X32"]),
        &[("x32:munlockall", MARKED), ("munlockall", MARKED), ("sched_yield", "0")],
    )
}

fn foreign_ones_do_not_matter(ctx: &Ctx) -> Res {
    let names = ["ARM", "AARCH64", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC64LE", "RISCV64"];
    returns(ctx, &marked_on(&names), &[("munlockall", MARKED), ("sched_yield", "0")])
}

fn own_one_need_not_be_listed(ctx: &Ctx) -> Res {
    let wanted = [
        ("munlockall", MARKED),
        ("sched_yield", "0"),
        ("i386:munlockall", MARKED),
        ("i386:sched_yield", "0"),
    ];
    returns(ctx, &marked_on(&["X86"]), &wanted)
}

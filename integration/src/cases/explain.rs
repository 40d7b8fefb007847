//! `seccomp`: what a profile does to calls, and why. No container is needed.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::call::{Call, Out};
use crate::ctx::Ctx;
use crate::harness::case::{Case, Feature, either};
use crate::result::{Doing, Res, holds, same};
use crate::{config, text};

pub(crate) const FEATURE: Feature = Feature {
    name: "explain",
    cases: &[
        ours(either!(summary)),
        ours(either!(summary_of_an_architecture)),
        ours(either!(call_by_name)),
        ours(either!(call_by_number)),
        ours(either!(call_of_another_architecture)),
        ours(either!(program_as_text_and_raw)),
        ours(either!(unknown_names_are_told)),
        ours(either!(no_profile)),
        ours(either!(bad_profile_in_the_words_of_create)),
        ours(either!(bad_arguments)),
        ours(either!(no_bundle)),
    ],
};

const fn ours(case: Case) -> Case {
    case.ours("the peers have no such command")
}

/// Everything else in a config may be wrong.
fn bundle(ctx: &Ctx, profile: Value) -> Res<PathBuf> {
    let dir = ctx.make_dir("explained")?;
    let config = json!({"ociVersion": "1.2.0", "linux": {"seccomp": profile}});
    fs::write(dir.join("config.json"), config.to_string()).doing("write config.json")?;
    Ok(dir)
}

fn profile() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {"names": ["read", "mseal"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 0x7e02_0000u32, "valueTwo": 0}]},
        ],
    })
}

fn call(ctx: &Ctx, profile: Value, args: &[&str]) -> Res<Call> {
    Ok(ctx.runtime().arg("seccomp").args(args).cwd(&bundle(ctx, profile)?))
}

fn said(ctx: &Ctx, args: &[&str]) -> Res<Out> {
    call(ctx, profile(), args)?.ok()
}

fn summary(ctx: &Ctx) -> Res {
    let line = "clone: SCMP_ACT_ALLOW if arg0 & 0x7e020000 == 0, else SCMP_ACT_ERRNO(EPERM)";
    let out = said(ctx, &[])?.has("SCMP_ARCH_X86_64\n")?.has("SCMP_ARCH_X86\n")?.has(line)?;
    holds!(out.out.contains("mseal read\n"), "what is allowed is not in {}", out.out);
    Ok(())
}

fn summary_of_an_architecture(ctx: &Ctx) -> Res {
    let out = said(ctx, &["--arch", "x86"])?.has("SCMP_ARCH_X86\n")?;
    holds!(!out.out.contains("SCMP_ARCH_X86_64"), "another one is in {}", out.out);
    said(ctx, &["--arch", "arm"])?.has("SCMP_ARCH_ARM: SCMP_ACT_KILL_THREAD for all calls")?;
    Ok(())
}

fn call_by_name(ctx: &Ctx) -> Res {
    let x86_64 = ["--arch", "x86_64"];
    let said = |call: &[&str]| said(ctx, &[&x86_64, call].concat());
    said(&["read"])?.has("SCMP_ACT_ALLOW")?.has("linux.seccomp.syscalls[0]")?;
    said(&["clone", "0x10000000"])?
        .has("SCMP_ACT_ERRNO(EPERM)")?
        .has("linux.seccomp.defaultAction")?
        .has("arg0 & 0x7e020000 == 0 does not hold, arg0 is 0x10000000")?;
    said(&["clone", "021", "-1"])?
        .has("linux.seccomp.syscalls[1]")?
        .has("(17, 0xffffffffffffffff)")?;
    said(&["write"])?.has("no rule names the call")?;
    Ok(())
}

fn call_by_number(ctx: &Ctx) -> Res {
    let said = |number| said(ctx, &["--arch", "x86_64", number]);
    said("0x38")?.has("clone()")?.has("linux.seccomp.syscalls[1]")?;
    said("9999")?.has("SCMP_ACT_ERRNO(ENOSYS)")?.has("newer")?;
    said("0x40000000")?.has("SCMP_ARCH_X32")?.has("SCMP_ACT_KILL_THREAD")?;
    Ok(())
}

fn call_of_another_architecture(ctx: &Ctx) -> Res {
    said(ctx, &["--arch", "x86", "clone"])?.has("120 on SCMP_ARCH_X86")?.has("SCMP_ACT_ALLOW")?;
    said(ctx, &["--arch", "SCMP_ARCH_ARM", "read"])?.has("linux.seccomp.architectures")?;
    Ok(())
}

fn program_as_text_and_raw(ctx: &Ctx) -> Res {
    let text =
        said(ctx, &["--bpf=text"])?.has("   0: load arch\n")?.has("return SCMP_ACT_ALLOW\n")?;
    let raw = call(ctx, profile(), &["--bpf=raw"])?;
    let path = raw.stdout_path();
    raw.ok()?;
    let raw = fs::read(path).doing("read the program")?;
    same!(raw.len(), 8 * text::lines(&text.out).len());
    // BPF_LD | BPF_W | BPF_ABS of the word at 4.
    let load = u16::from_ne_bytes([raw[0], raw[1]]);
    same!((load, u32::from_ne_bytes([raw[4], raw[5], raw[6], raw[7]])), (0x20, 4));
    Ok(())
}

fn unknown_names_are_told(ctx: &Ctx) -> Res {
    let mut profile = profile();
    config::push(&mut profile, "/syscalls/0/names", json!("frobnicate"));
    let out = call(ctx, profile, &["read"])?.ok()?.has("SCMP_ACT_ALLOW")?;
    out.says_one_of(&[
        "linux.seccomp.syscalls[0].names: unknown system calls are left out: frobnicate",
    ])?;
    Ok(())
}

fn no_profile(ctx: &Ctx) -> Res {
    call(ctx, Value::Null, &[])?.done()?.refused(&["linux.seccomp"])?;
    call(ctx, Value::Null, &["read"])?.done()?.refused(&["linux.seccomp"])?;
    Ok(())
}

fn bad_profile_in_the_words_of_create(ctx: &Ctx) -> Res {
    let mut profile = profile();
    config::set(&mut profile, "/syscalls/1/args/0/index", json!(6));
    config::set(&mut profile, "/syscalls/1/errnoRet", json!(1));
    let mut container = ctx.container()?;
    container.set("/linux/seccomp", profile.clone());
    let created = container.run()?.refused(&["linux.seccomp.syscalls[1].args[0].index"])?;
    let said = call(ctx, profile, &[])?.done()?.refused(&["linux.seccomp.syscalls[1].errnoRet"])?;
    same!(said.err, created.err);
    container.gone()
}

fn bad_arguments(ctx: &Ctx) -> Res {
    for (args, text) in [
        (&["frobnicate"][..], "CALL"),
        (&["0x100000000"], "CALL"),
        (&["--arch", "aarch64", "open"], "--arch"),
        (&["--arch", "z80"], "--arch"),
        (&["read", "five"], "ARG"),
        (&["read", "0x10000000000000000"], "ARG"),
        (&["read", "1", "2", "3", "4", "5", "6", "7"], "ARG"),
        (&["--bpf", "raw", "read"], "--bpf"),
        (&["--bpf", "xml"], "--bpf"),
    ] {
        call(ctx, profile(), args)?.done()?.refused(&[text])?.prints("")?;
    }
    Ok(())
}

fn no_bundle(ctx: &Ctx) -> Res {
    let args = ["seccomp", "--bundle", "/no/such/bundle"];
    ctx.runtime().args(args).done()?.refused(&["/no/such/bundle"])?;
    Ok(())
}

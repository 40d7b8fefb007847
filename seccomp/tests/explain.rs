//! The texts: explanations, summary, listing. That an explanation is true is `properties.rs`' to show.

use oci_spec::runtime::LinuxSeccomp;
use serde_json::{Value, json};
use skep_seccomp::{Arch, Call, Filter, Profile};

fn profile() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [
            {"names": ["read", "ioctl", "io_setup"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 0x7e02_0000u32, "valueTwo": 0}]},
            {"names": ["clone"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["ioctl"], "action": "SCMP_ACT_KILL_PROCESS",
             "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": 0x5412}]},
            {"names": ["socket", "bind"], "action": "SCMP_ACT_LOG",
             "args": [{"index": 2, "op": "SCMP_CMP_LE", "value": 6}]},
            {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 8},
                      {"index": 0, "op": "SCMP_CMP_EQ", "value": 0x20008}]},
            {"names": ["personality"], "action": "SCMP_ACT_TRAP",
             "args": [{"index": 0, "op": "SCMP_CMP_LT", "value": 10}]},
        ],
    })
}

fn compile(native: Arch, profile: Value) -> Filter {
    let oci: LinuxSeccomp = serde_json::from_value(profile).unwrap();
    Profile::for_machine(&oci, Some(native)).unwrap().compile().unwrap()
}

fn filter() -> Filter {
    compile(Arch::X86_64, profile())
}

fn explained(arch: Arch, name: &str, args: &[u64]) -> String {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    filter().explain(&Call::named(arch, name, all).unwrap()).to_string()
}

#[test]
fn rule_without_conditions() {
    assert_eq!(
        explained(Arch::X86_64, "ioctl", &[1, 0x5412]),
        "ioctl(1, 0x5412), 16 on SCMP_ARCH_X86_64: SCMP_ACT_ALLOW\n\
         the call is made\n\
         linux.seccomp.syscalls[0] decides: it asks for no arguments\n\
         linux.seccomp.syscalls[3] (SCMP_ACT_KILL_PROCESS) applies too, but a rule that asks for no arguments comes first"
    );
}

#[test]
fn rule_with_conditions() {
    assert_eq!(
        explained(Arch::X86_64, "personality", &[8]),
        "personality(8), 135 on SCMP_ARCH_X86_64: SCMP_ACT_ALLOW\n\
         the call is made\n\
         linux.seccomp.syscalls[5] decides: arg0 == 8 holds\n\
         linux.seccomp.syscalls[6] (SCMP_ACT_TRAP) applies too, but comes later in the order of rules"
    );
}

#[test]
fn default() {
    assert_eq!(
        explained(Arch::X86_64, "clone", &[0x1000_0000]),
        "clone(0x10000000), 56 on SCMP_ARCH_X86_64: SCMP_ACT_ERRNO(EPERM)\n\
         the call is not made, and returns this error\n\
         linux.seccomp.defaultAction decides: no rule applies to the call\n\
         linux.seccomp.syscalls[1] (SCMP_ACT_ALLOW) does not apply: arg0 & 0x7e020000 == 0 does not hold, arg0 is 0x10000000\n\
         linux.seccomp.syscalls[2] (SCMP_ACT_ERRNO(EPERM)) does not count: it says the same as linux.seccomp.defaultAction"
    );
    assert_eq!(
        explained(Arch::X86_64, "personality", &[0xffff]),
        "personality(0xffff), 135 on SCMP_ARCH_X86_64: SCMP_ACT_ERRNO(EPERM)\n\
         the call is not made, and returns this error\n\
         linux.seccomp.defaultAction decides: no rule applies to the call\n\
         linux.seccomp.syscalls[5] (SCMP_ACT_ALLOW) does not apply: arg0 == 8 and arg0 == 0x20008 do not hold, arg0 is 0xffff\n\
         linux.seccomp.syscalls[6] (SCMP_ACT_TRAP) does not apply: arg0 < 10 does not hold, arg0 is 0xffff"
    );
    let text = explained(Arch::X86_64, "write", &[]);
    assert!(
        text.ends_with("\nlinux.seccomp.defaultAction decides: no rule names the call"),
        "{text}"
    );
}

#[test]
fn call_through_a_multiplexer() {
    assert_eq!(
        explained(Arch::X86, "socketcall", &[2, 0xbff0_0000, 3]),
        "socketcall(2, 0xbff00000, 3), 102 on SCMP_ARCH_X86: SCMP_ACT_LOG\n\
         the call is made, and logged\n\
         linux.seccomp.syscalls[4] decides: it names bind, which is socketcall with arg0 == 2 and arg2 <= 6"
    );
    let other = explained(Arch::X86, "socketcall", &[3]);
    assert!(other.ends_with("decides: no rule names the call"), "{other}");
    let direct = explained(Arch::X86, "bind", &[2]);
    assert!(direct.ends_with("syscalls[4] decides: arg2 <= 6 holds"), "{direct}");
}

#[test]
fn no_rule_is_asked() {
    assert_eq!(
        explained(Arch::X86_64, "openat", &[]),
        "openat(), 257 on SCMP_ARCH_X86_64: SCMP_ACT_ERRNO(ENOSYS)\n\
         the call is not made, and returns this error\n\
         newer than all that linux.seccomp.syscalls names, up to io_setup, 206: as on a kernel without it"
    );
    assert_eq!(
        explained(Arch::X32, "read", &[]),
        "read(), 0x40000000 on SCMP_ARCH_X32: SCMP_ACT_KILL_THREAD\n\
         the thread ends as if by SIGSYS\n\
         linux.seccomp.architectures does not have SCMP_ARCH_X32"
    );
    let skipped = Call { arch: Arch::X86_64, number: u32::MAX, args: [0; 6] };
    assert_eq!(
        filter().explain(&skipped).to_string(),
        "syscall(), 0xffffffff on SCMP_ARCH_X32: SCMP_ACT_ERRNO(EPERM)\n\
         the call is not made, and returns this error\n\
         linux.seccomp.defaultAction decides: -1 is no call, but what a tracer makes of one to skip it"
    );
}

#[test]
fn zero_of_s390() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_TRAP",
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}],
    });
    let filter = compile(Arch::S390x, profile);
    assert_eq!(
        filter.explain(&Call { arch: Arch::S390x, number: 0, args: [0; 6] }).to_string(),
        "syscall(), 0 on SCMP_ARCH_S390X: SCMP_ACT_ERRNO(ENOSYS)\n\
         the call is not made, and returns this error\n\
         0 is what this kernel makes of numbers that it does not know"
    );
    let line = "\n  0, which the kernel makes of unknown numbers: SCMP_ACT_ERRNO(ENOSYS)\n";
    let text = filter.summary().to_string();
    assert!(text.contains(line), "{text}");
}

#[test]
fn summary_has_every_call_once() {
    let text = filter().summary().of(Arch::X86_64).to_string();
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "default: SCMP_ACT_ERRNO(EPERM)",
        "flags: SECCOMP_FILTER_FLAG_LOG",
        "SCMP_ARCH_X86_64",
        "  SCMP_ACT_ALLOW:",
        "    io_setup ioctl read",
        "  SCMP_ACT_ERRNO(EPERM), the default:",
        "  clone: SCMP_ACT_ALLOW if arg0 & 0x7e020000 == 0, else SCMP_ACT_ERRNO(EPERM)",
        "  personality: SCMP_ACT_ALLOW if arg0 == 0x20008 or arg0 == 8, else SCMP_ACT_TRAP if arg0 < 10, else SCMP_ACT_ERRNO(EPERM)",
        "  numbers without a name: SCMP_ACT_ERRNO(EPERM)",
        "  SCMP_ACT_ERRNO(ENOSYS) for all that is newer than io_setup, 206:",
        "other architectures: SCMP_ACT_KILL_THREAD",
    ] {
        assert!(lines.contains(&line), "{line:?} is not in\n{text}");
    }
    for name in ["read", "write", "openat", "mseal"] {
        assert_eq!(text.split_whitespace().filter(|word| *word == name).count(), 1, "{name}");
    }
    assert!(!text.contains("SCMP_ARCH_X86\n"), "{text}");
}

#[test]
fn summary_has_the_architectures_that_are_asked_for() {
    let whole = filter().summary().to_string();
    assert!(whole.contains("\nSCMP_ARCH_X86_64\n") && whole.contains("\nSCMP_ARCH_X86\n"));
    let line = "  socketcall: SCMP_ACT_LOG if (arg0 == 2 and arg2 <= 6) or (arg0 == 1 and arg2 <= 6), else SCMP_ACT_ERRNO(EPERM)\n";
    assert!(whole.contains(line), "{whole}");
    let none = filter().summary().of(Arch::Arm).to_string();
    assert!(none.ends_with("\nSCMP_ARCH_ARM: SCMP_ACT_KILL_THREAD for all calls"), "{none}");
}

#[test]
fn listing_names_what_is_known() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": ["reboot"], "action": "SCMP_ACT_KILL"},
            {"names": ["clone"], "action": "SCMP_ACT_ERRNO",
             "args": [{"index": 2, "op": "SCMP_CMP_EQ", "value": 0x1000_0002_0000u64}]},
        ],
    });
    for native in [Arch::Aarch64, Arch::S390x] {
        let filter = compile(native, profile.clone());
        let text = filter.listing().to_string();
        let clone = Call::named(native, "clone", [0; 6]).unwrap().number;
        for part in [
            "   0: load arch\n".to_owned(),
            format!("   1: if arch == {native} then 2 else "),
            "   2: load number\n".to_owned(),
            format!(": if number == {clone} (clone) then "),
            ": load arg2.low\n".to_owned(),
            ": if arg2.low == 0x20000 then ".to_owned(),
            ": if arg2.high == 0x1000 then ".to_owned(),
            ": return SCMP_ACT_ERRNO(EPERM)\n".to_owned(),
        ] {
            assert!(text.contains(&part), "{part:?} is not in\n{text}");
        }
    }
}

#[test]
fn listing_jumps_where_the_program_does() {
    let filter = filter();
    let text = filter.listing().to_string();
    assert_eq!(text.lines().count(), filter.instructions().len());
    for (at, (line, one)) in text.lines().zip(filter.instructions()).enumerate() {
        assert!(line.starts_with(&format!("{at:4}: ")), "{line}");
        if let Some((_, ways)) = line.split_once(" then ") {
            let (yes, no) = (at + 1 + usize::from(one.jt), at + 1 + usize::from(one.jf));
            assert_eq!(ways, format!("{yes} else {no}"), "{line}");
        }
    }
}

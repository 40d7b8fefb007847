//! This machine's kernel takes the filters, and sees in them what the evaluator sees in the profile.

#![cfg(target_arch = "x86_64")]

mod support;

use nix::sys::prctl;
use oci_spec::runtime::LinuxSeccomp;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use skep_seccomp::{Filter, Profile};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::thread;
use support::evaluator::Evaluator;
use support::interpreter::Call;
use support::profiles::{Action, action, profile, rule, rule_about};

/// Runs something in a thread of its own under the filter. What was allocated outside is not freed in
/// there: the C library may make system calls for that, and be killed while others wait for its lock.
fn under<T: Send>(filter: &Filter, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let run = || {
        prctl::set_no_new_privs()?;
        let _listener = filter.install()?;
        Ok(work())
    };
    thread::scope(|scope| scope.spawn(run).join().expect("the thread ends by itself"))
}

fn compile(json: &Value) -> Option<Filter> {
    let oci: LinuxSeccomp = serde_json::from_value(json.clone()).expect("a profile");
    Profile::new(&oci).ok()?.compile().ok()
}

/// What a thread needs to come to its end. No rule takes it away again, since it comes first.
fn needed() -> Value {
    let names = [
        "exit",
        "munmap",
        "mmap",
        "mprotect",
        "madvise",
        "brk",
        "futex",
        "close",
        "fcntl",
        "rt_sigprocmask",
        "sigaltstack",
        // The C library looks at a file before it gives memory back.
        "openat",
        "read",
    ];
    json!({"names": names, "action": "SCMP_ACT_ALLOW"})
}

const X86: [&str; 3] = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];

/// At least a third of the profiles have to be compiled, or little has been shown.
fn run(strategy: impl Strategy<Value = Value>, body: impl Fn(Value, Filter)) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = config.cases;
    let compiled = std::cell::Cell::new(0);
    let checked = TestRunner::new(config).run(&strategy, |json| {
        if let Some(filter) = compile(&json) {
            compiled.set(compiled.get() + 1);
            body(json, filter);
        }
        Ok(())
    });
    if let Err(failed) = checked {
        panic!("{failed}");
    }
    assert!(compiled.get() > cases / 3, "{} of {cases} compiled", compiled.get());
}

#[test]
fn the_kernel_takes_them() {
    let rules = prop::collection::vec(rule(), 0..20);
    let strategy = (action(), rules).prop_map(|(default, mut rules)| {
        rules.insert(0, needed());
        profile(default, &X86, rules)
    });
    run(strategy, |_, filter| under(&filter, || ()).expect("it is taken"));
}

/// Actions that the caller of lseek(2) lives through, and can tell apart.
fn harmless() -> impl Strategy<Value = Action> {
    let plain = select(&["SCMP_ACT_ALLOW", "SCMP_ACT_TRACE"][..]).prop_map(|name| (name, None));
    let errno = select(&[1, 29, 4000, 4095][..]).prop_map(|errno| ("SCMP_ACT_ERRNO", Some(errno)));
    prop_oneof![1 => plain, 2 => errno]
}

/// The errno that a call with this answer of a filter returns, if it is not made.
fn errno(value: u32) -> Option<i32> {
    match value & 0xffff_0000 {
        0x7fff_0000 => None,
        0x7ff0_0000 => Some(libc::ENOSYS),
        0x0005_0000 => Some((value & 0xffff) as i32),
        _ => panic!("no such action was asked for: {value:#x}"),
    }
}

/// A call of lseek(2), which takes all 64 bits of an argument, on a file that does not mind.
fn lseek(file: &mut File, offset: u64, whence: u64) -> (Call, Option<i32>) {
    let position = match whence {
        0 => SeekFrom::Start(offset),
        1 => SeekFrom::Current(offset as i64),
        _ => SeekFrom::End(offset as i64),
    };
    let args = [file.as_raw_fd() as u64, offset, whence, 0, 0, 0];
    let errno = file.seek(position).err().map(|error| error.raw_os_error().expect("an errno"));
    (Call { arch: 0xc000_003e, number: libc::SYS_lseek as u32, args }, errno)
}

/// Registers of arguments that a call does not have hold anything.
fn about_three_arguments(mut rule: Value) -> Value {
    for condition in rule["args"].as_array_mut().expect("conditions") {
        condition["index"] = json!(condition["index"].as_u64().expect("an index") % 3);
    }
    rule
}

#[test]
fn the_kernel_sees_in_them_what_the_profile_says() {
    let rule = rule_about(Just(vec!["lseek"]), harmless()).prop_map(about_three_arguments);
    let rules = prop::collection::vec(rule, 1..8);
    let strategy = (harmless(), rules).prop_map(|(default, mut rules)| {
        rules.insert(0, needed());
        profile(default, &X86, rules)
    });
    run(strategy, |json, filter| {
        let evaluator = Evaluator::new(&json, "SCMP_ARCH_X86_64");
        let conditions = evaluator.rules.iter().flat_map(|rule| &rule.conditions);
        let mut offsets: Vec<u64> = conditions.flat_map(|one| [one.value, one.value_two]).collect();
        offsets.extend([0, 1 << 32]);
        offsets = offsets
            .iter()
            .flat_map(|at| [at.wrapping_sub(1), *at, at.wrapping_add(1), !at])
            .collect();
        let mut file = File::open("/dev/null").expect("/dev/null");
        let answers = under(&filter, || -> Vec<_> {
            let whole = offsets.iter().flat_map(|offset| (0..3).map(|whence| (*offset, whence)));
            whole.map(|(offset, whence)| lseek(&mut file, offset, whence)).collect()
        });
        for (call, answer) in answers.expect("it is taken") {
            let value = evaluator.evaluate(&call).expect("no contradiction");
            assert_eq!(answer, errno(value), "{call:x?} (kernel, evaluator)");
        }
    });
}

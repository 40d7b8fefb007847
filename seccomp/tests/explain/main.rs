//! What is said about a call is what the program does to it: random profiles, random calls.

#[path = "../support/mod.rs"]
mod support;
mod words;

use oci_spec::runtime::LinuxSeccomp;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use skep_seccomp::{Action, Arch, Call, Filter, Problems, Profile, Reason};
use support::interpreter;
use support::machines::Machine;

/// Plain ones, multiplexed ones and the multiplexers, old and new ones, and some that not all have.
const NAMES: &[&str] = &[
    "read",
    "write",
    "open",
    "clone",
    "clone3",
    "personality",
    "socket",
    "accept",
    "socketcall",
    "semop",
    "shmget",
    "ipc",
    "mseal",
    "execve",
    "restart_syscall",
    "set_tls",
    "io_setup",
];

const ACTIONS: &[&str] = &[
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_LOG",
    "SCMP_ACT_ALLOW",
];

const OPERATORS: &[&str] = &[
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
];

/// Values of arguments, around which all operators have something to decide.
fn value() -> impl Strategy<Value = u64> {
    let high = prop_oneof![4 => Just(0), 1 => 0..3u64, 1 => Just(u64::from(u32::MAX))];
    let low = prop_oneof![4 => 0..6u64, 1 => Just(u64::from(u32::MAX))];
    (high, low).prop_map(|(high, low)| high << 32 | low)
}

fn condition() -> impl Strategy<Value = Value> {
    (0..3u8, select(OPERATORS), value(), value()).prop_map(|(index, op, value, two)| {
        json!({"index": index, "op": op, "value": value, "valueTwo": two})
    })
}

/// An action with its errno, which only two may have.
fn action() -> impl Strategy<Value = (&'static str, Option<u32>)> {
    let errno = prop_oneof![2 => Just(None), 1 => select(vec![Some(0), Some(1), Some(38)])];
    (select(ACTIONS), errno).prop_map(|(action, errno)| {
        (action, errno.filter(|_| matches!(action, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE")))
    })
}

fn rule() -> impl Strategy<Value = Value> {
    let names = prop::collection::vec(select(NAMES), 1..4);
    let args = prop::collection::vec(condition(), 0..4);
    (names, action(), args).prop_map(|(names, (action, errno), args)| {
        json!({"names": names, "action": action, "errnoRet": errno, "args": args})
    })
}

fn profile() -> impl Strategy<Value = (Arch, Value)> {
    let arches: Vec<Arch> = Arch::all().collect();
    // x86 has most to tell apart.
    let native = prop_oneof![Just(Arch::X86_64), Just(Arch::X86), select(arches.clone())];
    let more = prop::collection::vec(
        prop_oneof![Just(Arch::X86_64), Just(Arch::X86), Just(Arch::X32), select(arches)],
        0..3,
    );
    let rules = prop::collection::vec(rule(), 0..6);
    (native, more, action(), rules).prop_map(|(native, mut more, (default, errno), rules)| {
        more.retain(|arch| is_little_endian(*arch) == is_little_endian(native));
        let arches: Vec<&str> = more.iter().map(|arch| arch.name()).collect();
        let profile = json!({
            "defaultAction": default, "defaultErrnoRet": errno, "architectures": arches,
            "syscalls": rules,
        });
        (native, profile)
    })
}

/// A call by name or by number, of an architecture of the profile or another.
#[derive(Clone, Debug)]
struct Draft {
    arch: Index,
    name: Option<&'static str>,
    number: u32,
    args: [u64; 6],
}

fn draft() -> impl Strategy<Value = Draft> {
    let number = prop_oneof![
        0..12u32,
        300..700u32,
        0x3fff_fffe..0x4000_0004u32,
        0x4000_0100..0x4000_0400u32,
        0x7fff_fffe..0x8000_0002u32,
        0xbfff_fffe..0xc000_0002u32,
        0xffff_fffe..=u32::MAX,
    ];
    let name = prop_oneof![3 => select(NAMES).prop_map(Some), 1 => Just(None)];
    (any::<Index>(), name, number, prop::array::uniform6(value()))
        .prop_map(|(arch, name, number, args)| Draft { arch, name, number, args })
}

impl Draft {
    fn finish(&self, profile: &Profile) -> Call {
        let Self { number, args, .. } = *self;
        let own = profile.architectures();
        // One in five is of no architecture of the profile, or happens to be.
        let arch = match self.arch.index(5) {
            0 => *self.arch.get(&Arch::all().collect::<Vec<_>>()),
            _ => *self.arch.get(own),
        };
        let named = self.name.and_then(|name| Call::named(arch, name, args));
        named.unwrap_or(Call { arch, number, args })
    }
}

fn compile(native: Arch, profile: &Value) -> Result<Filter, Problems> {
    let profile: LinuxSeccomp = serde_json::from_value(profile.clone()).unwrap();
    Profile::for_machine(&profile, Some(native))?.compile()
}

fn is_little_endian(arch: Arch) -> bool {
    Machine::named(arch.name()).little_endian
}

/// What the program returns for a call.
fn run(filter: &Filter, call: &Call) -> u32 {
    let Call { arch, number, args } = *call;
    let seen = interpreter::Call { arch: arch.token(), number, args };
    interpreter::run(filter.instructions(), &seen, is_little_endian(arch)).value
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_global_rejects: 5_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn explanation_is_what_the_program_does(
        (native, profile) in profile(),
        drafts in prop::collection::vec(draft(), 32),
    ) {
        // Rules that contradict each other are refused.
        let Ok(filter) = compile(native, &profile) else { return Err(TestCaseError::reject("refused")) };
        for draft in drafts {
            let call = draft.finish(filter.profile());
            let said = filter.explain(&call);
            let done = Action::of_code(run(&filter, &call));
            prop_assert_eq!(Some(said.action), done, "{:#x?}\n{}\n{}", call, &said, filter.listing());
            check_reason(&said.reason, said.action, &filter, &profile)?;
        }
    }
}

/// What decides must have said so in the profile.
fn check_reason(
    reason: &Reason,
    action: Action,
    filter: &Filter,
    profile: &Value,
) -> Result<(), TestCaseError> {
    let name = match reason {
        Reason::Rule { rule, .. } => profile["syscalls"][rule]["action"].as_str(),
        Reason::Default | Reason::Skipped => {
            prop_assert_eq!(action, filter.profile().default_action());
            profile["defaultAction"].as_str()
        }
        Reason::Newer(_) | Reason::Unknown => Some("SCMP_ACT_ERRNO(ENOSYS)"),
        _ => Some("SCMP_ACT_KILL"),
    };
    prop_assert!(action.to_string().starts_with(name.unwrap()), "{}: {:?}", action, reason);
    Ok(())
}

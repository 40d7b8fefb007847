//! What a profile says about a call, found the long way: straight from the JSON, once for each call,
//! as SEMANTICS.md has it. Of the crate only the generated table is used.

use super::interpreter::Call;
use super::machines::{Machine, Name, X32_BIT};
use serde_json::Value;
use std::collections::BTreeSet;

const KILL_THREAD: u32 = 0;
const ENOSYS: u32 = 0x0005_0000 + 38;

/// That a profile cannot be compiled: two of its rules say different things about the same calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Contradiction;

pub struct Evaluator {
    pub default: u32,
    pub machines: Vec<&'static Machine>,
    pub rules: Vec<Rule>,
}

pub struct Rule {
    pub action: u32,
    pub names: Vec<Name>,
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub index: usize,
    pub operator: String,
    pub value: u64,
    pub value_two: u64,
}

/// A rule that is about a number, as far as the arguments of the call are concerned.
struct Candidate {
    action: u32,
    conditions: Vec<Condition>,
}

impl Evaluator {
    /// For a profile whose types are right, and whose values are in their ranges.
    pub fn new(profile: &Value, native: &str) -> Self {
        let listed = list(profile, "architectures").iter().map(|name| match text(name) {
            "SCMP_ARCH_NATIVE" => native,
            name => name,
        });
        let rules = list(profile, "syscalls").iter().map(|rule| Rule {
            action: action(rule, "action", "errnoRet"),
            names: list(rule, "names").iter().map(|name| Name::new(text(name))).collect(),
            conditions: list(rule, "args").iter().map(condition).collect(),
        });
        Self {
            default: action(profile, "defaultAction", "defaultErrnoRet"),
            machines: std::iter::once(native).chain(listed).map(Machine::named).collect(),
            rules: rules.collect(),
        }
    }

    /// The value that a filter of this profile returns for a call.
    pub fn evaluate(&self, call: &Call) -> Result<u32, Contradiction> {
        let newer = match self.machine(call) {
            Some(machine) => self.is_unknown(machine, call.number),
            None => false,
        };
        if newer { Ok(ENOSYS) } else { self.filter(call) }
    }

    /// Whether two rules contradict each other about any call.
    pub fn is_contradictory(&self) -> bool {
        self.machines.iter().any(|machine| {
            let numbers = self.rules.iter().flat_map(|rule| {
                // Rules without conditions are in nobody's way, but where they get one.
                let direct = rule.names.iter().filter(|_| !rule.conditions.is_empty());
                let direct = direct.filter_map(|name| machine.number(name));
                direct.chain(rule.names.iter().filter_map(|name| machine.made_by(name)))
            });
            BTreeSet::from_iter(numbers).into_iter().any(|at| self.decide(machine, at).is_err())
        })
    }

    fn has(&self, name: &str) -> bool {
        self.machines.iter().any(|machine| machine.name == name)
    }

    /// Whose call it is by the kernel's way of telling: x32 has x86_64's token and a bit.
    fn machine(&self, call: &Call) -> Option<&'static Machine> {
        let x32 = call.number & X32_BIT != 0;
        self.machines.iter().copied().find(|machine| {
            machine.token == call.arch
                && match machine.name {
                    "SCMP_ARCH_X86_64" => !x32,
                    "SCMP_ARCH_X32" => x32,
                    _ => true,
                }
        })
    }

    /// Whether the call is newer than what the profile names, and so unknown to it.
    fn is_unknown(&self, machine: &Machine, number: u32) -> bool {
        // ALLOW, LOG and TRACE.
        if matches!(self.default & 0xffff_0000, 0x7fff_0000 | 0x7ffc_0000 | 0x7ff0_0000) {
            return false;
        }
        let names = self.rules.iter().flat_map(|rule| &rule.names);
        let both = names.flat_map(|name| [machine.number(name), machine.made_by(name)]);
        let last = both.flatten().max().unwrap_or(0);
        let setup = machine.name.starts_with("SCMP_ARCH_S390") && number == 0;
        last > 0 && (number > last || setup)
    }

    /// The rest of the filter, as libseccomp makes it.
    fn filter(&self, call: &Call) -> Result<u32, Contradiction> {
        if self.machines.iter().all(|machine| machine.token != call.arch) {
            return Ok(KILL_THREAD);
        }
        if call.arch == Machine::named("SCMP_ARCH_X32").token {
            let foreign = match (self.has("SCMP_ARCH_X86_64"), self.has("SCMP_ARCH_X32")) {
                (true, true) => false,
                (true, false) => call.number >= X32_BIT && call.number != u32::MAX,
                (false, _) => call.number & X32_BIT == 0,
            };
            if foreign {
                return Ok(KILL_THREAD);
            }
        }
        match self.machine(call) {
            Some(machine) => Ok(self.first(machine, call)?.unwrap_or(self.default)),
            None => Ok(self.default),
        }
    }

    fn first(&self, machine: &Machine, call: &Call) -> Result<Option<u32>, Contradiction> {
        let candidates = self.decide(machine, call.number)?;
        let holds = |candidate: &&Candidate| {
            candidate.conditions.iter().all(|condition| condition.holds(machine, &call.args))
        };
        Ok(candidates.iter().find(holds).map(|candidate| candidate.action))
    }

    /// The rules about a number in the order in which they are tried.
    fn decide(&self, machine: &Machine, number: u32) -> Result<Vec<Candidate>, Contradiction> {
        let mut all = self.candidates(machine, number);
        if let Some(at) = all.iter().position(|candidate| candidate.conditions.is_empty()) {
            return Ok(vec![all.swap_remove(at)]);
        }
        let mut kept: Vec<Candidate> = Vec::new();
        for new in all {
            match kept.iter().find(|old| new.conditions.starts_with(&old.conditions)) {
                None => kept.push(new),
                Some(old) if old.conditions == new.conditions && old.action != new.action => {
                    return Err(Contradiction);
                }
                Some(_) => {}
            }
        }
        kept.sort_by_key(|candidate| candidate.rank());
        Ok(kept)
    }

    /// The rules about a number in the order of the profile, without those that say what is said already.
    fn candidates(&self, machine: &Machine, number: u32) -> Vec<Candidate> {
        let mut found = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.action != self.default) {
            for name in &rule.names {
                if machine.number(name) == Some(number) {
                    found.extend(rule.candidates(machine, None));
                }
                if let Some((_, value)) = machine.subcall(name).filter(|made| made.0 == number) {
                    found.extend(rule.candidates(machine, Some(value)));
                }
            }
        }
        found
    }
}

impl Rule {
    /// One that asks for all conditions, or one for each where an argument is there twice.
    fn candidates(&self, machine: &Machine, subcall: Option<u64>) -> Vec<Candidate> {
        let indexes: Vec<usize> = self.conditions.iter().map(|condition| condition.index).collect();
        let twice = (0..6).any(|index| indexes.iter().filter(|at| **at == index).count() > 1);
        let each = self.conditions.iter().map(|condition| vec![condition.clone()]);
        let ways = if twice { each.collect() } else { vec![self.conditions.clone()] };
        let candidate = |way: Vec<Condition>| Candidate {
            action: self.action,
            conditions: real_conditions(machine, way, subcall),
        };
        ways.into_iter().map(candidate).collect()
    }
}

/// What is really compared, by argument.
fn real_conditions(
    machine: &Machine,
    asked: Vec<Condition>,
    subcall: Option<u64>,
) -> Vec<Condition> {
    let mut real: Vec<Condition> = asked
        .into_iter()
        .filter(|condition| !(subcall.is_some() && condition.index == 0))
        .map(|condition| condition.cut(machine))
        .filter(|condition| !(condition.is_masked() && condition.value == 0))
        .collect();
    real.extend(subcall.map(|value| Condition {
        index: 0,
        operator: "SCMP_CMP_EQ".to_owned(),
        value,
        value_two: 0,
    }));
    real.sort_by_key(|condition| condition.index);
    real
}

impl Candidate {
    /// Smaller is tried before: later arguments, classes of operators, narrower conditions; and
    /// where all are equal so far, whoever has more of them.
    fn rank(&self) -> Vec<(usize, u8, u64)> {
        let ranks = self.conditions.iter().map(|condition| {
            let (class, value) = match condition.operator.as_str() {
                "SCMP_CMP_EQ" | "SCMP_CMP_NE" => (0, u64::MAX - condition.value),
                "SCMP_CMP_MASKED_EQ" => (0, u64::MAX - condition.value_two),
                "SCMP_CMP_LT" | "SCMP_CMP_LE" => (1, condition.value),
                _ => (2, u64::MAX - condition.value),
            };
            (5 - condition.index, class, value)
        });
        ranks.chain([(usize::MAX, 0, 0)]).collect()
    }
}

impl Condition {
    pub fn is_masked(&self) -> bool {
        self.operator == "SCMP_CMP_MASKED_EQ"
    }

    fn cut(self, machine: &Machine) -> Self {
        let value = machine.cut(self.value);
        let value_two = if self.is_masked() { self.value_two & value } else { 0 };
        Self { value, value_two, ..self }
    }

    fn holds(&self, machine: &Machine, args: &[u64; 6]) -> bool {
        let argument = machine.cut(args[self.index]);
        match self.operator.as_str() {
            "SCMP_CMP_NE" => argument != self.value,
            "SCMP_CMP_LT" => argument < self.value,
            "SCMP_CMP_LE" => argument <= self.value,
            "SCMP_CMP_EQ" => argument == self.value,
            "SCMP_CMP_GE" => argument >= self.value,
            "SCMP_CMP_GT" => argument > self.value,
            "SCMP_CMP_MASKED_EQ" => argument & self.value == self.value_two,
            other => panic!("no operator: {other}"),
        }
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn condition(arg: &Value) -> Condition {
    Condition {
        index: arg["index"].as_u64().expect("an index") as usize,
        operator: text(&arg["op"]).to_owned(),
        value: arg["value"].as_u64().expect("a value"),
        value_two: arg["valueTwo"].as_u64().unwrap_or(0),
    }
}

/// `SECCOMP_RET_*` of linux/seccomp.h, with the errno; EPERM is 1.
pub fn action(value: &Value, field: &str, errno: &str) -> u32 {
    let errno = value[errno].as_u64().unwrap_or(1) as u32 & 0xffff;
    match text(&value[field]) {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_ERRNO" => 0x0005_0000 + errno,
        "SCMP_ACT_NOTIFY" => 0x7fc0_0000,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 + errno,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ALLOW" => 0x7fff_0000,
        other => panic!("no action: {other}"),
    }
}

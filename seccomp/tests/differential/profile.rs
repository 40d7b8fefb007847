//! A profile's JSON as the test needs it.

use crate::support::machines::{Machine, Name};
use serde_json::Value;

pub struct Profile {
    pub default: u32,
    /// The native one first.
    pub machines: Vec<&'static Machine>,
    pub rules: Vec<Rule>,
}

pub struct Rule {
    pub action: u32,
    pub names: Vec<(String, Name)>,
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
pub struct Condition {
    pub index: usize,
    /// Without its prefix.
    pub operator: String,
    pub value: u64,
    pub value_two: u64,
}

impl Profile {
    pub fn new(json: &Value, native: &str) -> Self {
        let mut machines = vec![Machine::named(native)];
        for name in list(json, "architectures") {
            let machine = Machine::named(text(name));
            if machines.iter().all(|other| other.name != machine.name) {
                machines.push(machine);
            }
        }
        let rules = list(json, "syscalls").iter().map(Rule::new).collect();
        Self { default: action(json, "defaultAction", "defaultErrnoRet"), machines, rules }
    }

    pub fn names(&self) -> impl Iterator<Item = &(String, Name)> {
        self.rules.iter().flat_map(|rule| &rule.names)
    }
}

impl Rule {
    fn new(json: &Value) -> Self {
        let name = |name| (text(name).to_owned(), Name::new(text(name)));
        Self {
            action: action(json, "action", "errnoRet"),
            names: list(json, "names").iter().map(name).collect(),
            conditions: list(json, "args").iter().map(Condition::new).collect(),
        }
    }
}

impl Condition {
    fn new(json: &Value) -> Self {
        Self {
            index: json["index"].as_u64().expect("an index") as usize,
            operator: text(&json["op"]).trim_start_matches("SCMP_CMP_").to_owned(),
            value: json["value"].as_u64().expect("a value"),
            value_two: json["valueTwo"].as_u64().unwrap_or(0),
        }
    }

    pub fn is_masked(&self) -> bool {
        self.operator == "MASKED_EQ"
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// `SECCOMP_RET_*` of linux/seccomp.h, with the errno; EPERM is 1.
fn action(json: &Value, field: &str, errno: &str) -> u32 {
    let errno = json[errno].as_u64().unwrap_or(1) as u32 & 0xffff;
    match text(&json[field]) {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_ERRNO" => 0x0005_0000 | errno,
        "SCMP_ACT_NOTIFY" => 0x7fc0_0000,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | errno,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ALLOW" => 0x7fff_0000,
        other => panic!("no action: {other}"),
    }
}

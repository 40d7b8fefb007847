//! An explanation in words.

use super::{Explanation, PassedOver, Reason, Why};
use crate::action::Action;
use crate::call::CallNumber;
use crate::condition::{Condition, Number};
use crate::{Arch, Call};
use std::fmt;

const RULES: &str = "linux.seccomp.syscalls";
const DEFAULT: &str = "linux.seccomp.defaultAction";

/// The call and what happens to it, why, and then a line for each rule that was passed over.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.call, self.action)?;
        writeln!(f, "{}", effect(self.action))?;
        f.write_str(&self.cause())?;
        self.passed_over.iter().try_for_each(|rule| write!(f, "\n{}", self.without(rule)))
    }
}

impl Explanation {
    fn cause(&self) -> String {
        match &self.reason {
            Reason::Rule { rule, conditions, made } => {
                format!("{RULES}[{rule}] decides: {}", self.applies(conditions, *made))
            }
            Reason::Default if self.passed_over.is_empty() => {
                format!("{DEFAULT} decides: no rule names the call")
            }
            Reason::Default => format!("{DEFAULT} decides: no rule applies to the call"),
            Reason::Newer(newest) => {
                let name = self.call.convention().name_of(*newest).unwrap_or_default();
                let newest = CallNumber(*newest);
                format!(
                    "newer than all that {RULES} names, up to {name}, {newest}: as on a kernel without it"
                )
            }
            Reason::Unknown => {
                "0 is what this kernel makes of numbers that it does not know".to_owned()
            }
            Reason::Skipped => {
                format!(
                    "{DEFAULT} decides: -1 is no call, but what a tracer makes of one to skip it"
                )
            }
            Reason::OtherArchitecture(arch) => {
                format!("linux.seccomp.architectures does not have {arch}")
            }
        }
    }

    fn asks_for_nothing(&self) -> bool {
        matches!(&self.reason, Reason::Rule { conditions, .. } if conditions.is_empty())
    }

    fn applies(&self, conditions: &[Condition], made: Option<&str>) -> String {
        match (conditions, made) {
            ([], _) => "it asks for no arguments".to_owned(),
            (conditions, None) => format!("{} {}", all(conditions), hold(conditions)),
            (conditions, Some(made)) => {
                let through = self.call.name().unwrap_or_default();
                format!("it names {made}, which is {through} with {}", all(conditions))
            }
        }
    }

    fn without(&self, passed: &PassedOver) -> String {
        let PassedOver { rule, action, why } = passed;
        let why = match why {
            Why::Fails(conditions) => {
                let arch = self.call.convention();
                let fail = if conditions.len() == 1 { "does" } else { "do" };
                let found = found(arch, &self.call, conditions);
                format!("does not apply: {} {fail} not hold, {found}", all(conditions))
            }
            Why::SaysTheDefault => format!("does not count: it says the same as {DEFAULT}"),
            Why::Later if self.asks_for_nothing() => {
                "applies too, but a rule that asks for no arguments comes first".to_owned()
            }
            Why::Later => "applies too, but comes later in the order of rules".to_owned(),
        };
        format!("{RULES}[{rule}] ({action}) {why}")
    }
}

/// What an action does, for those who have not got seccomp(2) at hand.
fn effect(action: Action) -> &'static str {
    match action {
        Action::KillThread => "the thread ends as if by SIGSYS",
        Action::KillProcess => "the process ends by SIGSYS",
        Action::Trap => "the call is not made, and the thread gets SIGSYS",
        Action::Errno(0) => "the call is not made, and returns 0",
        Action::Errno(_) => "the call is not made, and returns this error",
        Action::Trace(_) => "the tracer decides; without one the call returns ENOSYS",
        Action::Log => "the call is made, and logged",
        Action::Allow => "the call is made",
        Action::Notify => "the listener decides; without one the call returns ENOSYS",
    }
}

fn all(conditions: &[Condition]) -> String {
    let texts: Vec<_> = conditions.iter().map(Condition::to_string).collect();
    texts.join(" and ")
}

fn hold(conditions: &[Condition]) -> &'static str {
    if conditions.len() == 1 { "holds" } else { "hold" }
}

/// The arguments that conditions are about, each once: `arg0 is 5`.
fn found(arch: Arch, call: &Call, conditions: &[Condition]) -> String {
    let mut indexes: Vec<u8> = conditions.iter().map(|condition| condition.index).collect();
    indexes.sort_unstable();
    indexes.dedup();
    let is = |index: &u8| {
        let value = Number(arch.cut(call.args[usize::from(*index)]));
        format!("arg{index} is {value}")
    };
    indexes.iter().map(is).collect::<Vec<_>>().join(" and ")
}

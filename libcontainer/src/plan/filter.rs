//! The seccomp filter and the steps that load it.
//!
//! Loading takes no_new_privs or CAP_SYS_ADMIN. Where a process is to have neither, it keeps
//! CAP_SYS_ADMIN over the execve(2) of the trampoline, as an ambient capability. Before the filter is
//! loaded it is made an ordinary one, which execve(2) takes away: nothing that the filter denies, or
//! pretends, can leave it to the program. Until then the process gives it up itself, if the filter
//! lets it: nothing but read(2) and execve(2) must be permitted for our sake.

use super::Plan;
use super::op::{Op, Step};
use crate::error::{Error, Problem, Result};
use oci_spec::runtime::Spec;
use skep_seccomp::{Action, Arch, Call, Filter, PassedOver, Problems, Profile, Reason, Why};

/// Where all of it comes from.
pub(super) const FIELD: &str = "linux.seccomp";

/// Compiles the filter of a container's configuration, if it has one.
pub(super) fn compile(spec: &Spec, warnings: &mut Vec<String>) -> Result<Option<Filter>> {
    let Some(seccomp) = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref()) else {
        return Ok(None);
    };
    let profile = Profile::new(seccomp).map_err(error)?;
    warnings.extend(profile.notes().iter().cloned());
    profile.compile().map(Some).map_err(error)
}

fn error(problems: Problems) -> Error {
    let problem = |problem: skep_seccomp::Problem| Problem::new(problem.field, problem.text);
    Error::problems(problems.0.into_iter().map(problem).collect())
}

/// CAP_SYS_ADMIN is only there to load the filter with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CarriesAdmin {
    /// It is not to stay inheritable.
    pub(super) inheritable: bool,
}

/// Adds the steps that load the plan's filter.
pub(super) fn add_steps(plan: &mut Plan, carries: Option<CarriesAdmin>) {
    let Some(filter) = &plan.filter else { return };
    let mut ops = Vec::new();
    if let Some(CarriesAdmin { inheritable }) = carries {
        ops.push(Op::KeepAdminBack { inheritable });
    }
    ops.push(Op::LoadFilter { instructions: filter.instructions().len() });
    if filter.flags().listens() {
        ops.push(Op::SendListener);
    }
    if carries.is_some() && permits(filter, "capset") {
        ops.push(Op::GiveUpAdmin);
    }
    plan.steps.extend(ops.into_iter().map(|op| Step { op, field: FIELD.to_owned() }));
}

/// Whether a call of ours is made, whatever its arguments are.
pub(crate) fn permits(filter: &Filter, name: &str) -> bool {
    always(filter, name).is_some_and(Action::lets_through)
}

/// A filter that keeps the program from being started at all would only show when there is nobody
/// left to tell.
pub(super) fn check_start(filter: Option<&Filter>, waits: bool) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    // A listener may still let it through. A tracer cannot: there is none yet.
    let refused = |name: &&str| {
        let action = always(filter, name);
        action.is_some_and(|action| !action.lets_through() && action != Action::Notify)
    };
    let calls: &[&str] = if waits { &["execve", "read"] } else { &["execve"] };
    match calls.iter().find(|name| refused(name)) {
        Some(name) => {
            let text = format!(
                "refuses {name}, without which the program cannot be started; allow it in syscalls"
            );
            Err(Error::problems(vec![Problem::new(FIELD, text)]))
        }
        None => Ok(()),
    }
}

/// What becomes of a call of this machine, if that does not depend on its arguments.
fn always(filter: &Filter, name: &str) -> Option<Action> {
    let call = Call::named(Arch::native()?, name, [0; 6])?;
    let explained = filter.explain(&call);
    let asks = match &explained.reason {
        Reason::Rule { conditions, .. } => !conditions.is_empty(),
        _ => false,
    };
    let depends = |rule: &PassedOver| matches!(rule.why, Why::Fails(_));
    (!asks && !explained.passed_over.iter().any(depends)).then_some(explained.action)
}

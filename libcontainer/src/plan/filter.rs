//! The seccomp filter and the steps that load it.
//!
//! Loading takes no_new_privs or CAP_SYS_ADMIN. Where a process is to have neither, it keeps
//! CAP_SYS_ADMIN over the execve(2) of the trampoline, as an ambient capability, and gives it up
//! when the filter is loaded: so nothing but capset(2), read(2) and execve(2) is called under the filter.

use super::Plan;
use super::op::{Op, Step};
use crate::error::{Error, Problem, Result};
use oci_spec::runtime::Spec;
use skep_seccomp::{Filter, Problems, Profile};

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

/// What becomes of CAP_SYS_ADMIN when it was only kept for the filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct GiveUpAdmin {
    pub(super) inheritable_too: bool,
}

/// Adds the steps that load the plan's filter.
pub(super) fn add_steps(plan: &mut Plan, give_up: Option<GiveUpAdmin>) {
    let Some(filter) = &plan.filter else { return };
    let mut ops = vec![Op::LoadFilter { instructions: filter.instructions().len() }];
    if filter.flags().listens() {
        ops.push(Op::SendListener);
    }
    ops.extend(give_up.map(|GiveUpAdmin { inheritable_too }| Op::GiveUpAdmin { inheritable_too }));
    plan.steps.extend(ops.into_iter().map(|op| Step { op, field: FIELD.to_owned() }));
}

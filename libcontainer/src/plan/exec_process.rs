//! What the child becomes: the arguments of execve(2).

use super::environment;
use super::paths::c_string;
use crate::error::Result;
use crate::sys::strings::CStringArray;
use std::ffi::CString;
use std::fmt;

/// Program, arguments and environment.
#[derive(Debug)]
pub(crate) struct ProcessPlan {
    /// As config.json names it.
    pub(crate) name: String,
    /// Where it may be, in order.
    pub(crate) candidates: Vec<CString>,
    pub(crate) argv: CStringArray,
    pub(crate) envp: CStringArray,
}

impl ProcessPlan {
    pub(crate) fn new(args: &[String], env: &[&str]) -> Result<Self> {
        let name = args.first().cloned().unwrap_or_default();
        Ok(Self {
            candidates: environment::candidates(&name, env)?,
            argv: CStringArray::new(args.iter().map(c_string).collect::<Result<_>>()?),
            envp: CStringArray::with_room(env.iter().map(c_string).collect::<Result<_>>()?),
            name,
        })
    }
}

impl fmt::Display for ProcessPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {} environment variables", self.argv, self.envp.iter().count())
    }
}

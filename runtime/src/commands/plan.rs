//! `plan`.

use libcontainer::{Host, Plan};

use crate::args::CommandLine;
use crate::failure::Result;
use crate::launch;
use crate::output::print;

/// Prints what `create` would do.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let bundle = launch::bundle(&line.args)?;
    let id = line.args.operand("ID").unwrap_or("plan");
    let plan = Plan::for_create(id, &bundle, &launch::options(line), &Host::detect()?, None)?;
    print(&format!("{}\n", plan.to_string().trim_end()))?;
    Ok(0)
}

//! `plan`.

use libcontainer::cgroup::CgroupPlan;
use libcontainer::{Host, Plan};

use crate::args::CommandLine;
use crate::failure::Result;
use crate::launch;
use crate::output::print;

/// Prints what `create` would do.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let bundle = launch::bundle(&line.args)?;
    let id = line.args.operand("ID").unwrap_or("plan");
    let (options, host) = (launch::options(line), Host::detect()?);
    let cgroup = CgroupPlan::for_create(id, &bundle, &options, &host)?;
    let plan = Plan::for_create(id, &bundle, &options, &host, cgroup.place())?;
    print(&format!("{}\n{cgroup}\n", plan.to_string().trim_end()))?;
    Ok(0)
}

//! Attributes that a child may not give itself and its parent may give it: one in a user namespace is
//! refused them, and one that enters a container has no capabilities any more when a scheduler that children
//! do not inherit is set.

use super::explain;
use crate::child::Message;
use crate::error::Result;
use crate::plan::{Op, Plan};
use crate::sys::Errno;

/// Does to process `pid`, which has no rights any more, what its plan leaves to us.
pub(super) fn give_scheduler(plan: &Plan, pid: i32) -> Result<()> {
    for (at, step) in plan.numbered() {
        if let Op::GivenScheduler(scheduler) = &step.op {
            let failed = |errno| explain::failed(plan, &Message::at(at).failed(errno));
            scheduler.set(pid).map_err(failed)?;
        }
    }
    Ok(())
}

/// Does to process `pid` what the step that `message` is about could not do itself.
pub(super) fn set(plan: &Plan, message: &Message, pid: i32) -> Result<()> {
    let done = match explain::step(plan, message).map(|step| &step.op) {
        Some(Op::Scheduler(scheduler)) => scheduler.set(pid),
        Some(Op::IoPriority(priority)) => priority.set(pid),
        _ => Err(Errno(libc::EINVAL)),
    };
    done.map_err(|errno| explain::failed(plan, &message.failed(errno)))
}

//! What the parent has to do with the seccomp filter and the program's labels: orders for the trampoline,
//! which sees to them, and the listener, which comes from there.

use super::{Error, ErrorKind, Result, explain, out_of_turn, receive};
use crate::child::{EXEC_STEP, Kind, Message};
use crate::plan::{Labelled, Op, Plan, permits};
use crate::sys::trampoline::{Admin, Label, Orders};
use std::os::fd::{AsRawFd, OwnedFd};

/// The only flag of a filter that is newer than the oldest kernel for skep is one for listeners.
pub(super) fn check_flags(plan: &Plan) -> Result<()> {
    let filter = plan.filter.as_ref().filter(|_| plan.listens());
    match filter.and_then(|filter| filter.flags().missing()) {
        Some(name) => {
            let text = format!("{name}: this kernel does not have it; leave it out");
            Err(Error::new(ErrorKind::Unsupported, text).field("linux.seccomp.flags"))
        }
        None => Ok(()),
    }
}

/// What the trampoline is to do, and how it reports what fails: by the numbers of the plan's steps.
pub(super) fn orders(
    plan: &Plan,
    start_fifo: Option<&OwnedFd>,
    socket: &OwnedFd,
    procfs: Option<&OwnedFd>,
) -> Orders {
    let failed = |kind: fn(&Op) -> bool| {
        let step = plan.find_step(kind).unwrap_or(EXEC_STEP);
        Message::begin(Kind::Failed, step)
    };
    let admin = plan.steps.iter().fold(0, |admin, step| match step.op {
        Op::KeepAdminBack { inheritable: true } => admin | Admin::AMBIENT | Admin::INHERITABLE,
        Op::KeepAdminBack { inheritable: false } => admin | Admin::AMBIENT,
        Op::GiveUpAdmin => admin | Admin::GIVEN_UP,
        _ => admin,
    });
    let reports = plan.listens() || plan.has_labels() && start_fifo.is_some();
    let procfs = procfs.filter(|_| plan.has_labels());
    Orders {
        fd: start_fifo.unwrap_or(socket).as_raw_fd(),
        waits: start_fifo.is_some().into(),
        socket: if reports { socket.as_raw_fd() } else { -1 },
        flags: plan.filter.as_ref().map_or(0, |filter| filter.flags().for_one_thread().bits()),
        admin: Admin(admin),
        yields: plan.filter.as_ref().is_some_and(|filter| permits(filter, "sched_yield")).into(),
        listens: plan.listens().into(),
        procfs: procfs.map_or(-1, OwnedFd::as_raw_fd),
        program: [0; 2],
        exec: Message::begin(Kind::Failed, EXEC_STEP),
        keep: failed(|op| matches!(op, Op::KeepAdminBack { .. })),
        load: failed(|op| matches!(op, Op::LoadFilter { .. })),
        send: failed(|op| matches!(op, Op::SendListener)),
        give_up: failed(|op| matches!(op, Op::GiveUpAdmin)),
        wait: failed(|op| matches!(op, Op::AwaitStart { .. })),
        listener: Message::begin(Kind::Listener, 0),
        labels: Default::default(),
    }
}

/// What the program is to be labelled with.
pub(super) fn labels(plan: &Plan) -> Vec<Label<'_>> {
    let label = |(number, labelled, value): (u32, Labelled, _)| Label {
        attribute: labelled.attribute(),
        value,
        failed: Message::begin(Kind::Failed, number),
    };
    plan.labels().map(label).collect()
}

/// Takes the listener of a filter.
pub(super) type Listening<'a> = &'a mut dyn FnMut(OwnedFd) -> Result<()>;

/// `None` when the process has ended.
pub(super) fn await_listener(socket: &OwnedFd, plan: &Plan) -> Result<Option<OwnedFd>> {
    match receive(socket)? {
        (Some(message), _) if message.kind == Kind::Failed => Err(explain::failed(plan, &message)),
        (Some(message), None) => Err(out_of_turn(&message)),
        (_, listener) => Ok(listener),
    }
}

pub(super) fn ended_early() -> Error {
    Error::new(ErrorKind::Setup, "the container's process ended while it loaded its seccomp filter")
}

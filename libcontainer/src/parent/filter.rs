//! What the trampoline has to do for the plan: its calls, the seccomp filter. And what comes from there: the
//! filter's listener.

use super::{Error, ErrorKind, Heard, Ready, Result, explain, out_of_turn};
use crate::child::{Kind, Message};
use crate::plan::{At, Op, Plan, Step, permits};
use crate::sys::calls::Call;
use crate::sys::trampoline::{Admin, Header, Orders};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

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

fn failed(at: At) -> Header {
    Message::begin(Kind::Failed, at)
}

/// What the trampoline is to do, and how it reports what fails: by the numbers of the plan's steps.
pub(super) fn orders(plan: &Plan, start_fifo: Option<&OwnedFd>, socket: &OwnedFd) -> Orders {
    let at = |kind: fn(&Op) -> bool| plan.find_step(kind).unwrap_or(At::EXEC);
    let admin = plan.steps.iter().fold(0, |admin, step| match step.op {
        Op::KeepAdminBack { inheritable: true } => admin | Admin::AMBIENT | Admin::INHERITABLE,
        Op::KeepAdminBack { inheritable: false } => admin | Admin::AMBIENT,
        Op::GiveUpAdmin => admin | Admin::GIVEN_UP,
        _ => admin,
    });
    let reports = plan.listens() || plan.has_labels() && start_fifo.is_some();
    Orders {
        fd: start_fifo.unwrap_or(socket).as_raw_fd(),
        waits: start_fifo.is_some().into(),
        socket: if reports { socket.as_raw_fd() } else { -1 },
        flags: plan.filter.as_ref().map_or(0, |filter| filter.flags().for_one_thread().bits()),
        admin: Admin(admin),
        yields: plan.filter.as_ref().is_some_and(|filter| permits(filter, "sched_yield")).into(),
        listens: plan.listens().into(),
        unused: 0,
        calls: 0,
        program: [0; 2],
        exec: failed(At::EXEC),
        keep: failed(at(|op| matches!(op, Op::KeepAdminBack { .. }))),
        load: failed(at(|op| matches!(op, Op::LoadFilter { .. }))),
        send: failed(at(|op| matches!(op, Op::SendListener))),
        give_up: failed(at(|op| matches!(op, Op::GiveUpAdmin))),
        wait: failed(at(|op| matches!(op, Op::AwaitStart { .. }))),
        listener: Message::begin(Kind::Listener, At::EXEC),
        forked: Message::begin(Kind::Forked, at(|op| matches!(op, Op::Spawn))),
    }
}

/// The calls that it makes first: the labels, and what only the child itself can do, if it makes that.
pub(super) fn calls(plan: &Plan, procfs: Option<&OwnedFd>, orders: &Orders) -> Vec<Call> {
    let mut calls = Vec::new();
    if let Some(procfs) = procfs.filter(|_| plan.has_labels()) {
        for (at, labelled, value) in plan.labels() {
            let write = Call::write_proc(procfs.as_raw_fd(), labelled.attribute(), value);
            calls.extend(write.map(|call| call.or(failed(at))));
        }
        // A container that waits for `start` has neither.
        calls.push(Call::close(procfs.as_raw_fd()));
        if orders.socket >= 0 && !plan.listens() {
            calls.push(Call::close(orders.socket));
        }
    }
    let spawn = plan.numbered().skip_while(|(_, step)| !matches!(step.op, Op::Spawn));
    for (at, step) in spawn {
        calls.extend(made_for(step, orders.fd).into_iter().map(|call| call.or(failed(at))));
    }
    calls
}

/// None for what the trampoline does anyhow, or the parent.
fn made_for(step: &Step, socket: RawFd) -> Vec<Call> {
    match &step.op {
        Op::Spawn => vec![Call::spawn()],
        Op::AwaitParent => vec![Call::await_answer()],
        Op::Ready => {
            let ready = Message::begin(Kind::Ready, At::EXEC);
            vec![Call::tell(socket, &ready), Call::await_answer()]
        }
        Op::NewSession => vec![Call::new_session()],
        Op::ControllingTerminal => vec![Call::controlling_terminal()],
        Op::Scheduler(scheduler) => vec![Call::scheduler(scheduler.attr())],
        // Of two tries with different rights only the last is left.
        Op::ChangeDirectory { path, last_try: true } => {
            Call::change_directory(path.as_c_str()).into()
        }
        _ => Vec::new(),
    }
}

/// Takes the listener of a filter.
pub(super) type Listening<'a> = &'a mut dyn FnMut(OwnedFd) -> Result<()>;

/// `None` when the process has ended.
pub(super) fn await_listener(ready: &Ready, plan: &Plan) -> Result<Option<OwnedFd>> {
    match ready.hear(plan)? {
        None => Ok(None),
        Some(Heard { message, .. }) if message.kind == Kind::Failed => {
            Err(explain::failed(plan, &message))
        }
        Some(Heard { message, fd: None, .. }) => Err(out_of_turn(&message)),
        Some(Heard { fd, .. }) => Ok(fd),
    }
}

pub(super) fn ended_early() -> Error {
    Error::new(ErrorKind::Setup, "the container's process ended while it loaded its seccomp filter")
}

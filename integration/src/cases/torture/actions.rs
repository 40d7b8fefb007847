//! What a worker may do to a container, and what may come of it when others do the same.

/// A command of the runtime.
pub(super) struct Action {
    /// How often it is chosen, beside the others.
    pub(super) weight: usize,
    pub(super) does: Does,
    /// The command, with `ID` for the container and `BUNDLE` for its bundle.
    pub(super) words: &'static [&'static str],
    /// What an error may say, besides that there is no such container.
    pub(super) may_say: &'static [&'static str],
}

/// What it means that it worked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Make,
    Remove,
    /// Runs a program, whose exit status it gives.
    Enter,
    Other,
}

pub(super) const GONE: &str = "does not exist";

const NOT_RUNNING: &str = "container not running";
/// A creation in whose midst the container was killed, or a program that is not there.
const MAKING: &[&str] =
    &["already exists", "no such file or directory", "killed by signal", "has ended"];
/// An ordinary user's, which nobody has given one.
const NO_CGROUP: &str = "no cgroup of its own";
const ENTERING: &[&str] = &[NOT_RUNNING, "it is paused"];

pub(super) const RESUME: Action = of(5, Does::Other, &["resume", "ID"], &["container not paused"]);

pub(super) const ACTIONS: &[Action] = &[
    of(22, Does::Make, &["create", "--bundle", "BUNDLE", "ID"], MAKING),
    of(14, Does::Make, &["run", "--detach", "--bundle", "BUNDLE", "ID"], MAKING),
    of(14, Does::Other, &["start", "ID"], &["cannot start"]),
    of(6, Does::Other, &["kill", "ID", "TERM"], &[NOT_RUNNING]),
    of(6, Does::Other, &["kill", "ID", "KILL"], &[NOT_RUNNING]),
    of(3, Does::Other, &["kill", "--all", "ID", "KILL"], &[NOT_RUNNING]),
    of(10, Does::Remove, &["delete", "ID"], &["that is not stopped"]),
    of(8, Does::Remove, &["delete", "--force", "ID"], &[]),
    of(8, Does::Enter, &["exec", "ID", "/bin/true"], ENTERING),
    of(4, Does::Other, &["exec", "--detach", "ID", "/bin/probe", "until-term"], ENTERING),
    of(3, Does::Other, &["pause", "ID"], &[NOT_RUNNING, NO_CGROUP]),
    RESUME,
    of(5, Does::Other, &["state", "ID"], &[]),
    of(3, Does::Other, &["ps", "--format", "json", "ID"], &[NOT_RUNNING]),
    of(2, Does::Other, &["list"], &[]),
    of(2, Does::Other, &["update", "--pids-limit", "99", "ID"], &[NOT_RUNNING, NO_CGROUP]),
];

const fn of(
    weight: usize,
    does: Does,
    words: &'static [&'static str],
    may_say: &'static [&'static str],
) -> Action {
    Action { weight, does, words, may_say }
}

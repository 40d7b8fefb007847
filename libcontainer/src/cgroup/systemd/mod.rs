//! A container's cgroup as a transient scope of systemd: `--systemd-cgroup`.
//!
//! Where systemd runs it owns the tree of cgroups, and an ordinary user has no other way to a cgroup
//! than to ask the systemd of the user session. What is asked for is planned first ([`ScopePlan`]:
//! name, slice and properties, from `linux.cgroupsPath`, the limits that will be written, and the
//! annotations `org.systemd.property.*`), then carried out ([`Scope`]):
//!
//! 1. A [`Placeholder`] is born: systemd makes a scope only around a process that is there.
//! 2. `StartTransientUnit`, and the signal `JobRemoved` says what came of it. The order is the same as
//!    without systemd: limits first, and then the container's process. It is born into the scope, or,
//!    where the kernel lets only systemd do so, moved there as its first step (`AttachProcessesToUnit`).
//! 3. The scope's `ControlGroup` is a directory like any other. systemd leaves it to us from then on
//!    (`Delegate`), so limits are written there as well: systemd knows fewer of them, rounds some, and
//!    would undo those that it does not know of at its next reload.
//! 4. The placeholder goes when the first process of the container is there.
//!
//! A scope ends by itself with its last process. `StopUnit` makes sure of it, and `ResetFailedUnit`
//! takes one away that is kept for having failed. Freezing is done by the cgroup's own file: systemd
//! does that only to whole units, and not in every version.

#![forbid(unsafe_code)]

mod annotations;
mod bus;
mod dbus;
mod devices;
mod gvariant;
mod limits;
mod manager;
mod name;
mod placeholder;
mod plan;
mod property;
mod scope;

pub(crate) use annotations::PREFIX as ANNOTATIONS;
#[cfg(any(test, feature = "fuzzing"))]
/// What reads texts of configs and bytes of buses.
pub(crate) mod fuzz {
    pub(crate) use super::dbus::fuzz as dbus;
    pub(crate) use super::gvariant::fuzz as gvariant;
}

pub(crate) use placeholder::Placeholder;
pub(crate) use plan::{Ask, ScopePlan};
pub(crate) use scope::Scope;

#[cfg(test)]
mod fields;
#[cfg(test)]
mod tests;

//! As much of D-Bus as it takes to ask systemd for a scope: a blocking client of one connection.
//!
//! Message format, types and names: <https://dbus.freedesktop.org/doc/dbus-specification.html>. What
//! comes from the other side is checked against it, by functions that take bytes and give values or
//! [`Malformed`], and whatever comes they neither panic nor take more memory than a small multiple of
//! it. No descriptors are passed.

mod address;
mod auth;
mod connection;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod message;
mod read;
mod signature;
mod value;
mod write;

pub(super) use address::Address;
pub(super) use connection::{Connection, Fault};
pub(super) use message::{Call, Message};
pub(super) use value::Value;

/// What is wrong with something that came from the other side, or was to be sent there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// How deep values may be nested: 32 arrays and 32 structs.
const DEPTH: usize = 64;

//! A client of rtnetlink: the few requests that moving a network device takes.
//!
//! It blocks, and everything that it reads has a bound. Messages are taken apart in safe Rust, whatever
//! is in them: an answer comes from the kernel, but its lengths are checked as if it came from anybody.
//! ([rtnetlink(7)](https://man7.org/linux/man-pages/man7/rtnetlink.7.html),
//! [netlink(7)](https://man7.org/linux/man-pages/man7/netlink.7.html))

#![forbid(unsafe_code)]

mod address;
mod client;
mod link;
mod message;
mod route;

pub(crate) use address::Address;
pub(crate) use client::{Refusal, Rtnetlink};
pub(crate) use link::{Link, Namespace};

//! OCI seccomp profiles to BPF: pure computation, usable without the rest of skep.
//!
//! There is nothing in here yet. Until there is, `libcontainer` refuses a config.json with
//! `linux.seccomp` rather than run its container without the filter that was asked for.
#![forbid(unsafe_code)]

#[cfg_attr(not(test), expect(dead_code, reason = "for what compiles profiles"))]
mod syscalls;
#[cfg_attr(not(test), expect(dead_code, reason = "for what compiles profiles"))]
mod table;

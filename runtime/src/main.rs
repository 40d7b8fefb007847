//! `skep`: the command line over `libcontainer`. What is typed, printed, logged and returned is
//! decided here; everything that a container is, is decided there.
//!
//! The entry point is C's `main` (see [`sys`]): Rust's own would look up the stack of the main
//! thread, install handlers and more, 15 system calls that a program living for 5 ms has no use for.
#![cfg_attr(not(test), no_main)]
#![deny(unsafe_code)]

mod app;
mod args;
mod commands;
mod default_root;
mod exec_process;
mod failure;
mod foreground;
mod json;
mod launch;
mod listen_fds;
mod logger;
mod notify;
mod notify_proxy;
mod number;
mod output;
mod own_binary;
mod pid_file;
mod pidfd_socket;
mod relay;
mod signals;
mod sys;
mod terminal;
mod user;

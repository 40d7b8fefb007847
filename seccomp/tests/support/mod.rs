//! What the tests and the fuzz target share.

#![allow(dead_code, unreachable_pub, reason = "each of them uses a part of it")]

pub mod aim;
pub mod check;
pub mod evaluator;
pub mod interpreter;
#[path = "../../../libcontainer/src/fuzz/json.rs"]
pub mod json;
pub mod machines;
pub mod profiles;
#[path = "../../src/table.rs"]
pub mod table;
pub mod words;

/// The names of all system calls.
pub fn names() -> impl Iterator<Item = &'static str> {
    table::ROWS.iter().map(|row| row.0)
}

//! Tests of the built binary.
fn main() {}

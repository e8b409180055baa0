//! The recado program.
fn main() {}

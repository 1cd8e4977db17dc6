//! Nanoseconds per evaluation of typical rules.
fn main() {}

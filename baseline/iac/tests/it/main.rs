//! The crate from outside: whole repositories in memory.

mod hostile;
mod plan;
mod terraform;

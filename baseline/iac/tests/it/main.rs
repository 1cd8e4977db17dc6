//! The crate from outside: whole repositories in memory.

mod compiled;
mod hostile;
mod plan;
mod schemas;
mod terraform;

//! The record's promises, as tests. The numbers in the module docs are the twelve groups of the record's specification.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside of test functions may fail loudly too

mod bundles;
mod decisions;
mod later;
mod lifecycle;
mod logs;
mod programme;
mod world;

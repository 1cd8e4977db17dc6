//! The record's promises, as tests. The numbers in the module docs are the twelve groups of the record's specification.

mod bundles;
mod decisions;
mod lifecycle;
mod logs;
mod world;

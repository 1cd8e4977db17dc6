//! The command from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod check;
mod check_fix;
mod emulator;
mod faults;
mod formats;
mod identity;
mod machine;
mod paths;
mod plan;
mod programme;
mod selector;
mod twin;
mod watch;
mod wrong;

mod accounts;
mod handover;

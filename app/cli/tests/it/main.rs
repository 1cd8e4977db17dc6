//! The command from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod check;
mod check_fix;
mod emulator;
mod formats;
mod machine;
mod faults;
mod plan;
mod twin;
mod watch;

//! The command from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod emulator;
mod faults;
mod formats;
mod machine;
mod watch;

//! The command from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod emulator;
mod formats;
mod machine;
mod programme;
mod watch;

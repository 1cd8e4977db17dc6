//! The command from outside.

mod emulator;
mod machine;

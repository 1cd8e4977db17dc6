//! The command from outside.

mod emulator;

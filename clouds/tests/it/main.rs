//! The wire against a server of our own on the loopback, against an emulator if one is there, and its replaying twin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail the test they serve")]

mod actions;
mod aws;
mod emulator;
#[cfg(feature = "aws-login")]
mod login;
mod replay;
mod server;

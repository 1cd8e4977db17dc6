//! The wire against a server of our own on the loopback, against an emulator if one is there, and its replaying twin.

mod actions;
mod aws;
mod emulator;
mod replay;
mod server;

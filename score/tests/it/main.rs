//! The score against its reference, on the whole grid, and its promised properties.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod grid;
mod properties;

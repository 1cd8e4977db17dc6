//! The quick way of judging against the plain one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod quick;
